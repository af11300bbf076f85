// What stays the same while the sections of a link are relocated, found out once a thread.
import { dataViewOf, wholeOf } from '../../src/core/pages.ts'
import { KEY_LOCAL } from '../../components/gots.ts'
import type { Link } from '../../components/link.ts'
import { createFrame } from '../../src/formats/ehFrame.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { slotAddress } from '../kernels/addresses.ts'
import { formKinds, KIND_LOAD, KIND_PLAIN } from '../kernels/formKinds.ts'
import { createSite } from '../kernels/references.ts'
import type { Relocating } from './apply.ts'

/** Nothing entered yet. Needs gots, imports, stubs, outputs and segments besides what relocations read. */
export function createRelocating(link: Link): Relocating {
  return {
    site: createSite(),
    view: dataViewOf(link.image),
    landing: { block: 0, offset: 0 },
    frame: createFrame(),
    segment: 0,
    segmentAddress: 0,
    delta: 0,
    place: 0,
    base: link.settings.imageBase,
    threadLocalBase: link.firstThreadLocal === 0 ? 0 : link.outputs.Extent.address[link.firstThreadLocal],
    threadLocalEnd: threadLocalEnd(link),
    threadVariables: false,
    kinds: kindsHere(link),
    calls: stubAddresses(link),
    small: imageSpan(link) < 0x7fff0000,
    embedded: link.arch.name === 'x86_64',
    index: 0,
    failures: [],
  }
}

/** End of the template that dyld copies for each thread. */
function threadLocalEnd(link: Link): number {
  const { Section, Extent } = link.outputs
  let end = 0
  for (let output = 1; output <= link.outputs.count; output++) {
    const type = Section.flags[output] & macho.SECTION_TYPE
    if (type === macho.S_THREAD_LOCAL_REGULAR || type === macho.S_THREAD_LOCAL_ZEROFILL)
      end = Math.max(end, Extent.address[output] + Extent.size[output])
  }
  return end
}

/** A symbol that has a table entry is loaded through it: where there are any, loads need a look at the table. */
function kindsHere(link: Link): Uint8Array {
  const kinds = formKinds(link.arch.attributes)
  const { count, Key } = link.gots
  const kind = wholeOf(Key.kind)
  let locals = 0
  for (let got = 1; got <= count; got++) if (kind[got] === KEY_LOCAL) locals++
  for (let form = 0; form < kinds.length; form++) if (locals > 0 && kinds[form] & KIND_LOAD) kinds[form] &= ~KIND_PLAIN
  return kinds
}

function stubAddresses(link: Link): Int32Array {
  const { imports, stubs, settings } = link
  const [stub, slot] = [wholeOf(imports.Use.stub), wholeOf(stubs.Stub.slot)]
  const found = new Int32Array(imports.count + 1).fill(-1)
  for (let made = 1; made <= imports.count; made++)
    if (stub[made] !== 0) found[made] = slotAddress(link, slot[stub[made]]) - settings.imageBase
  return found
}

/** From the image base to the end of the last segment; Infinity where one but __PAGEZERO lies below the base. */
function imageSpan(link: Link): number {
  const { Extent, count, names } = link.segments
  let span = 0
  for (let segment = 1; segment <= count; segment++) {
    if (names[segment] === '__PAGEZERO') continue
    const start = Extent.address[segment] - link.settings.imageBase
    span = Math.max(span, start < 0 ? Number.POSITIVE_INFINITY : start + Extent.size[segment])
  }
  return span
}
