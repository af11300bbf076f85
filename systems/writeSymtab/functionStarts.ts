// LC_FUNCTION_STARTS: addresses of functions as ULEB128 distances, the first from the image base.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED } from '../../components/symbols.ts'
import { ByteSink } from '../../src/core/bytes.ts'
import { sortNumbers } from '../../src/core/sortNumbers.ts'
import { isCodeFlags } from '../kernels/code.ts'

export function functionStarts(link: Link): Uint8Array {
  const addresses = codeAddresses(link)
  const sink = new ByteSink(addresses.length * 2 + 8)
  let last = 0
  for (let i = 0; i < addresses.length; i++) {
    if (addresses[i] === last) continue
    sink.uleb(addresses[i] - last)
    last = addresses[i]
  }
  sink.u8(0)
  sink.alignTo(8)
  return sink.finish()
}

/** Distances from the image base, sorted. Every symbol in code counts, the ones left out of the symbol table too (ld64.lld). */
function codeAddresses(link: Link): Uint32Array | Float64Array {
  const { files } = link
  const codeSections = new Uint8Array(link.outputs.count + 1)
  let end = 0
  for (let output = 1; output <= link.outputs.count; output++) {
    if (!isCodeFlags(link.outputs.Section.flags[output]) || link.outputs.Section.fill[output] !== 0) continue
    codeSections[output] = 1
    end = Math.max(end, link.outputs.Extent.address[output] + link.outputs.Extent.size[output])
  }
  let count = 0
  for (const file of link.order) count += files.Ranges.symbols[file]
  const narrow = end - link.settings.imageBase < 4294967296
  const found = narrow ? new Uint32Array(count) : new Float64Array(count)
  count = 0
  for (const file of link.order) {
    const first = files.Ranges.symbol[file]
    count = listCode(link, codeSections, first, first + files.Ranges.symbols[file], found, count)
  }
  const listed = found.subarray(0, count)
  return listed instanceof Uint32Array ? sortNumbers(listed) : listed.sort()
}

function listCode(
  link: Link,
  codeSections: Uint8Array,
  first: number,
  end: number,
  found: Uint32Array | Float64Array,
  count: number,
): number {
  const { flags, block } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const { flags: blockFlags, section } = link.blocks.Extent
  const { output } = link.sections.Blocks
  const { imageBase } = link.settings
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED) continue
    const home = block[symbol]
    if ((blockFlags[home] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE || codeSections[output[section[home]]] === 0)
      continue
    found[count++] = address[symbol] - imageBase
  }
  return count
}
