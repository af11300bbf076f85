// The order of blocks within an output section when some have a priority.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_CSTRING } from '../../components/sections.ts'

/** The section's blocks, prioritized ones first; null when none is. Strings keep their order (ld64.lld). */
export function orderBlocks(link: Link, inputs: Uint32Array): Uint32Array | null {
  if (inputs.length === 0 || link.sections.Header.content[inputs[0]] === CONTENT_CSTRING) return null
  const { priorities } = link
  const blocks = liveBlocks(link, inputs)
  let first = 0
  for (let i = 0; i < blocks.length; i++) if (priorities[blocks[i]] !== 0) first++
  if (first === 0) return null
  const ordered = new Uint32Array(blocks.length)
  let [front, back] = [0, first]
  for (let i = 0; i < blocks.length; i++) {
    if (priorities[blocks[i]] === 0) ordered[back++] = blocks[i]
    else ordered[front++] = i
  }
  const places = ordered.subarray(0, first)
  places.sort((a, b) => priorities[blocks[b]] - priorities[blocks[a]] || a - b)
  for (let i = 0; i < first; i++) places[i] = blocks[places[i]]
  return ordered
}

/** Those that stand for themselves, in order. */
export function liveBlocks(link: Link, inputs: Uint32Array): Uint32Array {
  const { flags } = link.blocks.Extent
  const { first, count } = link.sections.Blocks
  let total = 0
  for (let i = 0; i < inputs.length; i++) total += count[inputs[i]]
  const found = new Uint32Array(total)
  total = 0
  for (let i = 0; i < inputs.length; i++) {
    const end = first[inputs[i]] + count[inputs[i]]
    for (let block = first[inputs[i]]; block < end; block++)
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) found[total++] = block
  }
  return found.subarray(0, total)
}
