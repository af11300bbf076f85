// GOT keys {local symbol | import, index} -> slot, each key once; the same for thread-local variable pointers.
import { mix } from '../src/core/words.ts'
import { createKind, spawnRange } from '../src/ecs.ts'
import { column, columns } from './columns.ts'
import type { GotId } from './ids.ts'

export const KEY_LOCAL = 1
export const KEY_IMPORT = 2

export function createGots(rows: number, shared: boolean) {
  /** `kind` says whether `index` is a symbol or an import. */
  const Key = columns(rows, { kind: 'u8', index: 'u32' }, shared)
  /** Place in the table: the entry is at table address + 8 * slot. */
  const Slot = columns(rows, { slot: 'u32' }, shared)
  const components = { Key, Slot }
  return {
    world: createKind(components, { reserve: rows }),
    count: 0,
    /** Entries of the index looked at past the first of each search. */
    probes: 0,
    index: column('u32', 255, shared),
    shared,
    mask: 255,
    ...components,
  }
}

export type Gots = ReturnType<typeof createGots>

function probeGot(gots: Gots, kind: number, index: number): number {
  const { Key } = gots
  let probe = mix(index * 2 + kind) & gots.mask
  for (let got = gots.index[probe]; got !== 0; got = gots.index[probe]) {
    if (Key.index[got] === index && Key.kind[got] === kind) return probe
    probe = (probe + 1) & gots.mask
    gots.probes++
  }
  return probe
}

/** The entry of a key, or 0. */
export function findGot(gots: Gots, kind: number, index: number): GotId {
  return gots.index[probeGot(gots, kind, index)]
}

/** The entry of a key, made in the next free slot when it is new. */
export function addGot(gots: Gots, kind: number, index: number): GotId {
  const probe = probeGot(gots, kind, index)
  if (gots.index[probe] !== 0) return gots.index[probe]
  const got = ++gots.count
  gots.Key.kind[got] = kind
  gots.Key.index[got] = index
  gots.Slot.slot[got] = got - 1
  gots.index[probe] = got
  if (gots.count * 2 > gots.mask) growIndex(gots)
  return got
}

/** The hash index is no column: it is rebuilt at twice the size when half full. */
function growIndex(gots: Gots): void {
  gots.mask = gots.mask * 2 + 1
  rehashGots(gots)
}

/** Makes the index anew, after keys have changed. */
export function rehashGots(gots: Gots): void {
  gots.index = column('u32', gots.mask, gots.shared)
  for (let got = 1; got <= gots.count; got++) gots.index[probeGot(gots, gots.Key.kind[got], gots.Key.index[got])] = got
}

/** Makes entities of the keys that addGot has filled. */
export function spawnGots(gots: Gots): void {
  spawnRange(gots.world, gots.count, [gots.Key, gots.Slot])
}
