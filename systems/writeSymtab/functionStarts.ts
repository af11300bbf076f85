// LC_FUNCTION_STARTS: addresses of functions as ULEB128 distances, the first from the image base.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED } from '../../components/symbols.ts'
import { ByteSink } from '../../src/core/bytes.ts'
import { isCodeFlags } from '../kernels/code.ts'

export function functionStarts(link: Link): Uint8Array {
  const addresses = codeAddresses(link)
  const sink = new ByteSink(addresses.length * 2 + 8)
  let last = link.settings.imageBase
  for (let i = 0; i < addresses.length; i++) {
    if (addresses[i] === last) continue
    sink.uleb(addresses[i] - last)
    last = addresses[i]
  }
  sink.u8(0)
  sink.alignTo(8)
  return sink.finish()
}

/** Every symbol in code counts, the ones left out of the symbol table too (ld64.lld); sorted. */
function codeAddresses(link: Link): Float64Array {
  const { files, symbols, blocks, sections } = link
  const { flags, block } = symbols.Definition
  const codeSections = new Uint8Array(link.outputs.count + 1)
  for (let output = 1; output <= link.outputs.count; output++)
    if (isCodeFlags(link.outputs.Section.flags[output]) && link.outputs.Section.fill[output] === 0)
      codeSections[output] = 1
  let count = 0
  for (const file of link.order) count += files.Ranges.symbols[file]
  const found = new Float64Array(count)
  count = 0
  for (const file of link.order) {
    const first = files.Ranges.symbol[file]
    for (let symbol = first; symbol < first + files.Ranges.symbols[file]; symbol++) {
      if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED) continue
      const home = block[symbol]
      if (
        (blocks.Extent.flags[home] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE ||
        codeSections[sections.Blocks.output[blocks.Extent.section[home]]] === 0
      )
        continue
      found[count++] = symbols.Reference.address[symbol]
    }
  }
  return found.subarray(0, count).sort()
}
