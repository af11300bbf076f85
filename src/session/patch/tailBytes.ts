// Bytes of __LINKEDIT that change, and rows of the symbol table that move.
import type { Link } from '../../../components/link.ts'
import { NLIST_WORDS } from '../../../systems/writeSymtab.ts'
import { NLIST_SIZE } from '../../formats/macho/constants.ts'
import { type DirtyPages, markDirty } from './dirtyPages.ts'

/** Rows of the symbol table side by side, where they were and where they go. */
export interface Run {
  from: number
  to: number
  count: number
}

/** The symbol table in place. */
export function symbolWords({ tail, image, linkedit }: Link): Uint32Array {
  const { offset, bytes } = linkedit.symbols!
  return new Uint32Array(tail.buffer, tail.byteOffset + offset - image.length, bytes.length / 4)
}

/** Moves runs, which are in order before and after: those to the front from the first on, the others from the last. */
export function moveRuns(link: Link, runs: readonly Run[], dirty: DirtyPages): void {
  const words = symbolWords(link)
  const move = ({ from, to, count }: Run) => {
    words.copyWithin(to * NLIST_WORDS, from * NLIST_WORDS, (from + count) * NLIST_WORDS)
    markRows(link, dirty, to, to + count)
  }
  for (const run of runs) if (run.to < run.from) move(run)
  for (const run of runs.toReversed()) if (run.to > run.from) move(run)
}

/** Rows first .. end - 1 have changed. */
export function markRows(link: Link, dirty: DirtyPages, first: number, end: number): void {
  const { offset } = link.linkedit.symbols!
  markDirty(link, dirty, offset + first * NLIST_SIZE, offset + end * NLIST_SIZE)
}

/** Bytes compared at a time. */
const STEP = 4096

/** Writes bytes of __LINKEDIT where they differ. */
export function replaceBytes(link: Link, dirty: DirtyPages, offset: number, bytes: Uint8Array): void {
  const at = offset - link.image.length
  const before = link.tail.subarray(at, at + bytes.length)
  for (let from = 0; from < bytes.length; from += STEP) {
    const to = Math.min(bytes.length, from + STEP)
    let i = from
    while (i < to && before[i] === bytes[i]) i++
    if (i === to) continue
    before.set(bytes.subarray(from, to), from)
    markDirty(link, dirty, offset + from, offset + to)
  }
}
