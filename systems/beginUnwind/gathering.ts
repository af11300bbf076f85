// What goes from object to object while unwind entries are read.
import type { GatheredUnwinds } from '../../components/unwinds.ts'
import { createMessages } from '../../src/core/messages.ts'
import { createFrame, type EhFrames } from '../../src/formats/ehFrame.ts'
import { createSite, type Site } from '../kernels/references.ts'

export interface Gathering extends GatheredUnwinds {
  site: Site
  /** Room for one CIE. */
  frame: EhFrames
  /** The place that was last asked for a symbol. */
  last: { block: number; offset: number; symbol: number }
}

export function createGathering(): Gathering {
  return {
    count: 0,
    cies: [],
    unnamed: [],
    messages: createMessages(),
    site: createSite(),
    frame: createFrame(),
    last: { block: 0, offset: 0, symbol: 0 },
  }
}
