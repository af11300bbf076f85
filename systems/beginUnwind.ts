// beginUnwind: has __compact_unwind and __eh_frame of every object read into unwind rows, each on its function's block, by another
// thread while this one runs define.
// Reads: files, sections, symbols, relocations, frame records. Writes: link.order; unwinds and Links.unwind, which gatherUnwind waits for.
// After the fixpoint of load and resolve, which says what is linked. Needs nothing that define says. Cost: one pass over those sections;
// without threads they are read where they are waited for.

import { FILE_BROKEN, FILE_LOADED, FILE_OBJECT } from '../components/files.ts'
import type { Link } from '../components/link.ts'
import { startKernel } from '../components/mirror.ts'
import { GATHER_PARTS, gatherChunks } from './beginUnwind/gatherChunks.ts'
import { ranksBefore } from './kernels/ranks.ts'

export function beginUnwind(link: Link): void {
  link.order = loadedInOrder(link)
  const finish = startKernel(link, 'gatherChunks', GATHER_PARTS, gatherChunks, link.order, 1)
  link.unwindsGathered = async () => (await finish()).find((found) => found !== null)!
}

function loadedInOrder(link: Link): Uint32Array {
  const { files } = link
  const order: number[] = []
  for (let file = 1; file <= files.count; file++)
    if (
      files.Source.kind[file] === FILE_OBJECT &&
      (files.Source.flags[file] & (FILE_LOADED | FILE_BROKEN)) === FILE_LOADED
    )
      order.push(file)
  order.sort((a, b) => (ranksBefore(link, a, b) ? -1 : 1))
  return Uint32Array.from(order)
}
