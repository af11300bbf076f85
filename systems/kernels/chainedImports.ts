// Rows of the chained import table in the padded layout: slots, since each bind holds the number of its import's row.
import type { Link } from '../../components/link.ts'
import { mix } from '../../src/core/words.ts'
import { compareImports, hashedSlots, importHash, slotCount } from './entrySlots.ts'
import { importAddend } from './fixups.ts'

/** Gives the imports of all binds their rows; those that no bind uses have import 0. */
export function placeChainedImports(link: Link): void {
  const { chained } = link
  const { chained: rowOf } = link.imports.Use
  const [imports, addends] = boundImports(link)
  const hashes = Uint32Array.from(
    imports,
    (made, i) => importHash(link, made) ^ (addends[i] === 0 ? 0 : mix(addends[i])),
  )
  const compare = (a: number, b: number) => compareImports(link, imports[a], imports[b]) || addends[a] - addends[b]
  const capacity = slotCount(link, imports.length)
  const slots = hashedSlots(hashes, capacity, compare)
  chained.imports = new Array(capacity).fill(0)
  chained.addends = new Array(capacity).fill(0)
  chained.withAddend.clear()
  rowOf.fill(0)
  slots.forEach((slot, i) => {
    chained.imports[slot] = imports[i]
    chained.addends[slot] = addends[i]
    if (addends[i] === 0) rowOf[imports[i]] = slot + 1
    else chained.withAddend.set(`${imports[i]}:${addends[i]}`, slot + 1)
  })
}

/** What binds refer to, each once: imports, and the addends that stand in their rows. */
function boundImports(link: Link): [number[], number[]] {
  const { Bind, binds } = link.fixups
  const [imports, addends]: [number[], number[]] = [[], []]
  const seen = new Uint8Array(link.imports.count + 1)
  const more = new Map<number, Set<number>>()
  for (let row = 1; row <= binds; row++) {
    const made = Bind.import[row]
    const addend = Number.isSafeInteger(Bind.addend[row]) ? importAddend(Bind.addend[row]) : 0
    if (addend === 0 ? seen[made] !== 0 : more.get(made)?.has(addend)) continue
    if (addend === 0) seen[made] = 1
    else more.set(made, (more.get(made) ?? new Set()).add(addend))
    imports.push(made)
    addends.push(addend)
  }
  return [imports, addends]
}
