// With --tail-merge-strings the selectors that the linker adds are looked for at the ends of strings that the image has.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { selectorOf } from '../../components/objectiveC.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { eachSection, KIND_METHOD_NAMES } from '../kernels/objectiveCKinds.ts'

/** Gives selectors without a string the end of one that some input has in __objc_methname. */
export function findTails(link: Link, kinds: Uint8Array): void {
  const lengths = missingLengths(link)
  if (lengths.length > 0)
    eachSection(link, kinds, KIND_METHOD_NAMES, (section) => searchSection(link, section, lengths))
}

/**
 * By selector without a string: the other such selector that ends in it, the longest there is, or 0. What is said of it holds for its own
 * ends too: it has none then.
 */
export function missingHosts(link: Link): Uint32Array {
  const { Text, Place } = link.selectors
  const hosts = new Uint32Array(link.selectors.count + 1)
  const lengths = missingLengths(link)
  const rows: number[] = []
  for (let row = 1; row <= link.selectors.count; row++) if (Place.string[row] === 0) rows.push(row)
  rows.sort((a, b) => Text.length[b] - Text.length[a] || a - b)
  for (const row of rows) {
    if (hosts[row] !== 0) continue
    eachEnd(link, Text.arena[row], Text.offset[row], Text.length[row], lengths, (end) => {
      if (end !== row && hosts[end] === 0) hosts[end] = row
    })
  }
  return hosts
}

/** Each once, ascending. */
function missingLengths(link: Link): number[] {
  const { Text, Place } = link.selectors
  const lengths = new Set<number>()
  for (let row = 1; row <= link.selectors.count; row++) if (Place.string[row] === 0) lengths.add(Text.length[row])
  return [...lengths].sort((a, b) => a - b)
}

function searchSection(link: Link, section: number, lengths: readonly number[]): void {
  const { Extent } = link.blocks
  const { Place, Text } = link.selectors
  const arena = link.files.Source.arena[link.sections.Header.file[section]]
  const first = link.sections.Blocks.first[section]
  for (let block = first; block < first + link.sections.Blocks.count[section]; block++) {
    if ((Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    const from = link.sections.Bytes.position[section] + Extent.offset[block]
    const size = Extent.size[block] - 1
    eachEnd(link, arena, from, size, lengths, (row) => {
      Place.string[row] = block
      Place.stringAt[row] = size - Text.length[row]
    })
  }
}

/** Calls `visit` with each selector without a string that the text ends in. */
function eachEnd(
  link: Link,
  arena: number,
  from: number,
  size: number,
  lengths: readonly number[],
  visit: (row: number) => void,
): void {
  const { selectors, arenas } = link
  const { bytes } = arenas.list[arena]
  for (const length of lengths) {
    if (length > size) return
    const at = from + size - length
    const row = selectorOf(selectors, arenas, arena, at, length, hashBytes(bytes, at, from + size), false)
    if (row !== 0 && selectors.Place.string[row] === 0) visit(row)
  }
}
