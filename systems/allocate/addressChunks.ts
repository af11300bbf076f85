// Addresses of symbols, a chunk a few files: first of what they define, then, when all of those stand, of what they refer to.
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../components/symbols.ts'

export interface AddressJob {
  files: Uint32Array
  step: number
  /** Of references, not of definitions. */
  references: boolean
}

export function addressChunks(link: Link, job: AddressJob, take: () => number): void {
  const address = job.references ? addressReferences : addressDefinitions
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * job.step, job.files.length)
    for (let i = chunk * job.step; i < end; i++) address(link, job.files[i])
  }
}

/** A coalesced or folded block's symbols lie in its leader. */
function addressDefinitions({ files, symbols, blocks, visited }: Link, file: number): void {
  const { flags, block, offset } = symbols.Definition
  const { address } = symbols.Reference
  const { leader, address: blockAddress } = blocks.Placement
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED || block[symbol] === 0) continue
    const home = leader[block[symbol]] || block[symbol]
    address[symbol] = blockAddress[home] + offset[symbol]
  }
  visited.rows += end - first
}

/** Every row that refers elsewhere takes its target's address, so that relocations stay within their file's rows. */
function addressReferences({ files, symbols, imports }: Link, file: number): void {
  const { target, address } = symbols.Reference
  const { symbol: own } = imports.Library
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    const to = target[symbol]
    if (to === symbol || to === 0) continue
    address[symbol] = to & TARGET_IMPORT ? address[own[to & 0x7fffffff]] : address[to]
  }
}
