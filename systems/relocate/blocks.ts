// The relocations of a row of blocks. Most name a symbol of this image whose address is all that is wanted, call an import's
// stub, or are pointers to be rebased: these are done here, in integers; apply.ts does the others one by one.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { FILE_SPECIAL } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { LAST_TARGET } from '../../components/symbols.ts'
import { APPLY_OK, R_LOAD } from '../../src/arch/arch.ts'
import { integer } from '../../src/core/integer.ts'
import { writeRebase } from '../kernels/fixups.ts'
import { KIND_ADDEND, KIND_BRANCH, KIND_PLAIN, KIND_POINTER } from '../kernels/formKinds.ts'
import { goFurther, relocateRecord, type Relocating } from './apply.ts'

/** Blocks first .. end are of the section that `at.site` has entered. S, A and P as in apply.ts. */
export function relocateBlocks(link: Link, at: Relocating, first: number, end: number): void {
  const { flags, offset: start } = link.blocks.Extent
  const { first: firstRecord, count } = link.blocks.Relocations
  const { address: placed } = link.blocks.Placement
  const { target, address } = link.symbols.Reference
  const { attributes, pcOffsets, apply } = link.arch
  const { words, records, firstSymbol, contents, view: input, file } = at.site
  const { view, place, base, kinds, calls, embedded } = at
  const plain = at.small && (link.files.Source.flags[file] & FILE_SPECIAL) === 0
  const done = plain ? KIND_PLAIN | (at.threadVariables ? 0 : KIND_POINTER) : 0
  for (let block = first; block < end; block++) {
    if (count[block] === 0 || (flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    const shift = integer(placed[block] - start[block] - base)
    const last = firstRecord[block] + count[block]
    let addend = 0
    for (let i = firstRecord[block]; i < last; i++) {
      const offset = words[records + i * 2]
      const word = words[records + i * 2 + 1]
      const kind = kinds[word >>> 24]
      const P = (shift + offset) | 0
      if (kind & done) {
        const type = word >>> 28
        const symbol = firstSymbol + (word & 0xffffff)
        const to = target[symbol]
        let S = -1
        if (to > LAST_TARGET) S = kind & KIND_BRANCH ? calls[to & 0x7fffffff] : -1
        else if (to !== 0) {
          const away = address[symbol] - base
          if (away >= 0) S = away | 0
        }
        if (S >= 0 && kind & KIND_PLAIN) {
          const A = embedded ? addend + input.getInt32(contents + offset, true) + pcOffsets[type] : addend
          const result = apply(view, P + place, type, P, S + A, (attributes[type] & R_LOAD) !== 0)
          if (result !== APPLY_OK) goFurther(link, at, i, P, S + A, result)
          addend = 0
          continue
        }
        if (S >= 0 && input.getInt32(contents + offset + 4, true) === 0) {
          const value = S + input.getUint32(contents + offset, true)
          if (writeRebase(link, view, P + place, at.segment, P + base - at.segmentAddress, value + base)) continue
        }
      }
      if (kind & KIND_ADDEND) addend = (word << 8) >> 8
      else {
        i += relocateRecord(link, at, i, shift + offset, addend)
        addend = 0
      }
    }
  }
}
