// Which objects say in the image what they said in that of the link before: they were taken over as they were, their blocks are where
// they were, and what they refer to has its address and is reached in the same way. A chunk is a few files.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { findGot, KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import type { Past } from '../../components/kept.ts'
import type { Link } from '../../components/link.ts'
import { memory } from '../../components/columns.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { compareThunks, type ThunkMoves, twinOf } from './compareThunks.ts'
import { gotAddress, stubAddress, tlvAddress } from '../kernels/addresses.ts'

const FILES_A_CHUNK = 64
/** Of an import: its stub, its entry of the GOT, that for a thread-local variable; -1 for none. */
const ENTRIES = 3

/** What there is of one of the two links. */
interface Side {
  /** First rows by file. */
  block: Uint32Array
  symbol: Uint32Array
  flags: Uint8Array
  leader: Uint32Array
  placed: Float64Array
  target: Uint32Array
  address: Float64Array
  /** By import, ENTRIES each. */
  entries: Float64Array
  /** By symbol: the address of its entry of the GOT, 0 for none; null: none has one. */
  locals: Float64Array | null
}

export interface CompareJob {
  files: Uint32Array
  step: number
  from: Uint32Array
  old: Side
  now: Side
  /** Where branches may go through thunks; else null. */
  thunks: ThunkMoves | null
  /** Symbols, and imports, of the same number are reached in the same way. */
  sameLocals: boolean
  sameImports: boolean
  /** By file of this link: 1 where it says the same. */
  same: Uint8Array
}

export function createCompareJob(link: Link, past: Past, hasThunks: boolean): CompareJob {
  const [old, now] = [sideOf(past.link), sideOf(link)]
  return {
    files: link.order,
    step: FILES_A_CHUNK,
    from: past.from,
    old,
    now,
    thunks: hasThunks ? compareThunks(link, past.link) : null,
    sameLocals: haveSameLocals(past.link, old.locals, link, now.locals),
    sameImports: areEqual(old.entries, now.entries),
    same: new Uint8Array(memory(link.files.count + 1, link.arenas.shared)),
  }
}

function areEqual(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}

function sideOf(link: Link): Side {
  const { block, symbol } = link.files.Ranges
  const { leader, address: placed } = link.blocks.Placement
  const { target, address } = link.symbols.Reference
  const { flags } = link.blocks.Extent
  return { block, symbol, flags, leader, placed, target, address, entries: entriesOf(link), locals: localsOf(link) }
}

function entriesOf(link: Link): Float64Array {
  const { imports, gots, tlvs } = link
  const entries = new Float64Array((imports.count + 1) * ENTRIES).fill(-1)
  for (let made = 1; made <= imports.count; made++) {
    const got = findGot(gots, KEY_IMPORT, made)
    const tlv = findGot(tlvs, KEY_IMPORT, made)
    if (imports.Use.stub[made] !== 0) entries[made * ENTRIES] = stubAddress(link, made)
    if (got !== 0) entries[made * ENTRIES + 1] = gotAddress(link, got)
    if (tlv !== 0) entries[made * ENTRIES + 2] = tlvAddress(link, tlv)
  }
  return entries
}

function localsOf(link: Link): Float64Array | null {
  const { gots, symbols, arenas } = link
  let locals: Float64Array | null = null
  for (let got = 1; got <= gots.count; got++) {
    if (gots.Key.kind[got] !== KEY_LOCAL) continue
    locals ??= new Float64Array(memory((symbols.count + 1) * 8, arenas.shared))
    locals[gots.Key.index[got]] = gotAddress(link, got)
  }
  return locals
}

/** Whether the same symbols, by their numbers, have entries of the GOT at the same places: then targets need no look at them. */
function haveSameLocals(old: Link, was: Side['locals'], link: Link, is: Side['locals']): boolean {
  if (was === null || is === null) return was === is
  const { kind, index } = link.gots.Key
  let left = 0
  for (let got = 1; got <= old.gots.count; got++) if (old.gots.Key.kind[got] === KEY_LOCAL) left++
  for (let got = 1; got <= link.gots.count; got++) {
    if (kind[got] !== KEY_LOCAL) continue
    if (was[index[got]] !== is[index[got]]) return false
    left--
  }
  return left === 0
}

export function compareChunks({ files, visited }: Link, job: CompareJob, take: () => number): void {
  const { blocks, symbols } = files.Ranges
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * job.step, job.files.length)
    for (let i = chunk * job.step; i < end; i++) {
      const file = job.files[i]
      const old = file < job.from.length ? job.from[file] : 0
      if (old === 0) continue
      const count = symbols[file]
      if (!haveSamePlaces(job, old, file, blocks[file]) || !haveSameAddresses(job, old, file, count)) continue
      if (haveSameTargets(job, old, file, count)) job.same[file] = 1
      visited.rows += blocks[file] + symbols[file]
    }
  }
}

const PLACED = BLOCK_LIVE | BLOCK_FOLDED

function haveSamePlaces({ old, now }: CompareJob, before: number, file: number, count: number): boolean {
  const { flags: wasFlags, leader: wasLeader, placed: wasPlaced } = old
  const { flags, leader, placed } = now
  const [a, b] = [old.block[before], now.block[file]]
  for (let i = 0; i < count; i++) {
    if (((wasFlags[a + i] ^ flags[b + i]) & PLACED) !== 0) return false
    if (wasPlaced[wasLeader[a + i] || a + i] !== placed[leader[b + i] || b + i]) return false
  }
  return true
}

function haveSameAddresses({ old, now }: CompareJob, before: number, file: number, count: number): boolean {
  const { address: was } = old
  const { address: is } = now
  const [a, b] = [old.symbol[before], now.symbol[file]]
  for (let i = 0; i < count; i++) if (was[a + i] !== is[b + i]) return false
  return true
}

/** Most are symbols of the same number. */
function haveSameTargets(job: CompareJob, old: number, file: number, count: number): boolean {
  const { target: was } = job.old
  const { target: is } = job.now
  const { sameLocals, sameImports, thunks } = job
  const [a, b] = [job.old.symbol[old], job.now.symbol[file]]
  for (let i = 0; i < count; i++) {
    const before = was[a + i]
    const after = is[b + i]
    if (thunks !== null && !goesSameWay(thunks, before, after)) return false
    if (before === after && (before < TARGET_IMPORT ? sameLocals : sameImports)) continue
    if (!isSameTarget(job, before, after)) return false
  }
  return true
}

/** The same target by name, and its thunks are where they were. */
function goesSameWay({ twins, moved, imports }: ThunkMoves, was: number, is: number): boolean {
  if (is !== (was < TARGET_IMPORT ? was : twinOf(twins, was))) return false
  return moved[is < TARGET_IMPORT ? is : imports + is - TARGET_IMPORT] === 0
}

function isSameTarget({ old, now }: CompareJob, was: number, is: number): boolean {
  if (was === 0 || is === 0) return was === is
  if ((was | is) & TARGET_IMPORT) return isSameImport(old.entries, was, now.entries, is)
  return (old.locals?.[was] ?? 0) === (now.locals?.[is] ?? 0)
}

/** Both are imports, and are reached through entries at the same places. */
function isSameImport(oldEntries: Float64Array, was: number, entries: Float64Array, is: number): boolean {
  if ((was & is & TARGET_IMPORT) === 0) return false
  const [a, b] = [(was & 0x7fffffff) * ENTRIES, (is & 0x7fffffff) * ENTRIES]
  for (let i = 0; i < ENTRIES; i++) if (oldEntries[a + i] !== entries[b + i]) return false
  return true
}
