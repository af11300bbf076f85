// What the references of an object cause in tables: entries of the GOT, thread-local pointers, stubs. And whether another object causes
// them too, for an entry goes when its last reference does.
import { createGots, type Gots, KEY_IMPORT, KEY_LOCAL } from '../../../components/gots.ts'
import { IMPORT_CALLED, IMPORT_DYNAMIC_LOOKUP, IMPORT_USED } from '../../../components/imports.ts'
import type { Link } from '../../../components/link.ts'
import { TARGET_IMPORT } from '../../../components/symbols.ts'
import type { Unwinds } from '../../../components/unwinds.ts'
import { isLinked } from '../../../systems/kernels/isLinked.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'
import { createScan, type Scan, scanFile, scanOwn } from '../../../systems/scan.ts'
import { eachBearer, type Relations } from './relations.ts'

/** Keys (see keyOf) of GOT and thread-local pointers, imports that are called: each once, in the order of first mention. */
export interface Uses {
  gots: number[]
  tlvs: number[]
  stubs: number[]
  /** Imports used that dyld looks up anywhere. */
  lookedUp: string
}

export function keyOf({ Key }: Gots, got: number): number {
  return Key.index[got] * 4 + Key.kind[got]
}

/** `unwinds` are the object's. Null where something stays undefined, which only a full link tells of. */
export function usesOf(link: Link, file: number, unwinds: Unwinds): Uses | null {
  const found = usesIn(link, countRecords(link, file), (alone, state) => scanFile(alone, state, file))
  if (found !== null) addPersonalities({ ...link, unwinds }, found, 1, unwinds.count)
  return found
}

/** The functions that live have theirs in the GOT; `count` rows from `first` on. */
function addPersonalities(link: Link, { gots }: Uses, first: number, count: number): void {
  const { Entry } = link.unwinds
  let last = 0
  for (let row = first; row < first + count; row++) {
    const target = Entry.personality[row]
    if (target === 0 || target === last || !isLinked(link, row)) continue
    last = target
    const key = target & TARGET_IMPORT ? (target & 0x7fffffff) * 4 + KEY_IMPORT : target * 4 + KEY_LOCAL
    if (!gots.includes(key)) gots.push(key)
  }
}

/** Runs a part of the scan with empty tables. */
function usesIn(link: Link, records: number, run: (alone: Link, state: Scan) => void): Uses | null {
  const { imports } = link
  const flags = imports.Library.flags.map((is) => is & ~(IMPORT_USED | IMPORT_CALLED))
  const [got, stub, symtab, chained] = [0, 0, 0, 0].map(() => new Uint32Array(imports.count + 1))
  const alone: Link = {
    ...link,
    gots: createGots(records + 1, false),
    tlvs: createGots(records + 1, false),
    imports: { ...imports, Library: { ...imports.Library, flags }, Use: { got, stub, symtab, chained } },
  }
  const state = createScan(alone)
  run(alone, state)
  if (state.undefineds.size > 0) return null
  const stubs: number[] = []
  const lookedUp: number[] = []
  for (let made = 1; made <= imports.count; made++) {
    if (stub[made] !== 0) stubs[stub[made] - 1] = made
    if (flags[made] & IMPORT_USED && flags[made] & IMPORT_DYNAMIC_LOOKUP) lookedUp.push(made)
  }
  return { gots: keysOf(alone.gots), tlvs: keysOf(alone.tlvs), stubs, lookedUp: lookedUp.join() }
}

function countRecords(link: Link, file: number): number {
  const { section, sections } = link.files.Ranges
  let records = 0
  for (let at = section[file]; at < section[file] + sections[file]; at++) records += link.sections.Relocations.count[at]
  return records
}

function keysOf(gots: Gots): number[] {
  return Array.from({ length: gots.count }, (_, i) => keyOf(gots, i + 1))
}

type Table = 'gots' | 'tlvs' | 'stubs'

/** Objects that mention something are looked through until one uses it: nearly always the first does. */
const MOST_LOOKS = 100

/**
 * Of keys or imports that `file` has used, those that nobody else uses. Null where something stays undefined, or too many objects
 * only mention what they would use.
 */
export function unusedElsewhere(
  link: Link,
  file: number,
  lost: Record<Table, readonly number[]>,
  relations: Relations,
): Record<Table, Set<number>> | null {
  const unused = { gots: new Set<number>(), tlvs: new Set<number>(), stubs: new Set<number>() }
  const own = usesIn(link, link.imports.count, scanOwn)
  if (own === null) return null
  if (link.stubBinder !== 0) own.gots.push(link.stubBinder * 4 + KEY_IMPORT)
  const files = mentions(link, relations, file, lost)
  const known = new Map<number, Uses | null>()
  for (const table of ['gots', 'tlvs', 'stubs'] as const)
    for (const key of lost[table]) {
      if (own[table].includes(key)) continue
      const target = table === 'stubs' ? importTarget(key) : targetOf(key)
      const used = files.get(target)!.some((other) => {
        if (known.size >= MOST_LOOKS) return false
        if (!known.has(other)) known.set(other, usesOfFile(link, other))
        return known.get(other)?.[table].includes(key)
      })
      if (!used) unused[table].add(key)
    }
  return known.size >= MOST_LOOKS || [...known.values()].includes(null) ? null : unused
}

/** As in the link. */
function usesOfFile(link: Link, file: number): Uses | null {
  const uses = usesIn(link, countRecords(link, file), (alone, state) => scanFile(alone, state, file))
  if (uses !== null) addPersonalities(link, uses, link.files.Ranges.unwind[file], link.files.Ranges.unwinds[file])
  return uses
}

/** Reference.target of what a key stands for. */
function targetOf(key: number): number {
  return (key & 3) === KEY_IMPORT ? importTarget(key >>> 2) : key >>> 2
}

function importTarget(made: number): number {
  return (TARGET_IMPORT | made) >>> 0
}

/** By target: the other objects that mention it. */
function mentions(
  link: Link,
  relations: Relations,
  except: number,
  lost: Record<Table, readonly number[]>,
): Map<number, number[]> {
  const files = new Map<number, number[]>()
  for (const key of [...lost.gots, ...lost.tlvs]) files.set(targetOf(key), [])
  for (const made of lost.stubs) files.set(importTarget(made), [])
  eachMention(link, relations, [...files.keys()], (_, to, file) => {
    const found = files.get(to)!
    if (file !== except && file !== link.internal.file && found.at(-1) !== file) found.push(file)
  })
  return files
}

/** Calls `see` for each row that means one of the targets, with its file; those of a file come together for one target. */
export function eachMention(
  link: Link,
  relations: Relations,
  targets: readonly number[],
  see: (symbol: number, target: number, file: number) => void,
): void {
  const wanted = new Set(targets)
  const { target } = link.symbols.Reference
  const { name } = link.symbols.Definition
  const names: number[] = []
  for (const to of targets) {
    if (to & TARGET_IMPORT) names.push(link.imports.Library.name[to & 0x7fffffff])
    else if (name[to] !== 0) names.push(name[to])
    else see(to, to, fileOfRow(link, to))
  }
  eachBearer(link, relations, names, (symbol, file) => {
    if (wanted.has(target[symbol])) see(symbol, target[symbol], file)
  })
}
