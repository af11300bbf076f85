// _objc_msgSend$selector: for each that nobody defines, a stub in `__TEXT,__objc_stubs`. What it holds is written last.
import { addInternalBlock, addInternalSection, addInternalSymbol, internalBytes } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { WHERE_GLOBAL, WHERE_UNDEFINED } from '../../components/names.ts'
import { createMessageStubs } from '../../components/objectiveC.ts'
import { CONTENT_REGULAR } from '../../components/sections.ts'
import { SYMBOL_EXTERNAL, SYMBOL_PRIVATE, TARGET_IMPORT } from '../../components/symbols.ts'
import { R_BRANCH } from '../../src/arch/arch.ts'
import { writeU32 } from '../../src/core/bytes.ts'
import { spawnRange } from '../../src/ecs.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { isMessageName } from '../kernels/messageNames.ts'
import { messageStubAlign, messageStubSize } from '../kernels/messageStubs.ts'
import { orderNames } from '../kernels/orderNames.ts'

export function defineMessageStubs(link: Link): void {
  if (link.messenger.name === 0) return
  const { Resolution } = link.names
  const sent: number[] = []
  for (let name = 1; name <= link.names.count; name++)
    if (Resolution.where[name] === WHERE_UNDEFINED && isMessageName(link, name)) sent.push(name)
  const count = sent.length
  const stubs = createMessageStubs(count, false)
  link.messageStubs = stubs
  spawnRange(stubs.world, count, [stubs.Stub])
  const code = macho.S_ATTR_PURE_INSTRUCTIONS | macho.S_ATTR_SOME_INSTRUCTIONS
  const section = addInternalSection(link, '__TEXT', '__objc_stubs', code, messageStubAlign(link), CONTENT_REGULAR)
  stubs.section = section
  const size = messageStubSize(link)
  const position = internalBytes(link, size * count, 32)
  for (const name of orderNames(link, sent)) {
    const block = addInternalBlock(link, section, size, messageStubAlign(link), 0, position + stubs.count * size)
    const symbol = addInternalSymbol(link, name, block, 0, SYMBOL_PRIVATE)
    stubs.Stub.symbol[++stubs.count] = symbol
    Resolution.where[name] = WHERE_GLOBAL
    Resolution.symbol[name] = symbol
  }
  referToMessenger(link, section)
}

/** A branch to objc_msgSend from each stub, so that a live stub keeps it; objectiveC takes these records away again. */
function referToMessenger(link: Link, section: number): void {
  const { sections, blocks, symbols, files, internal, messageStubs } = link
  const symbol = addInternalSymbol(link, link.messenger.name, 0, 0, 0)
  symbols.Definition.flags[symbol] = SYMBOL_EXTERNAL
  link.messenger.symbol = symbol
  const type = link.arch.attributes.findIndex((is) => (is & R_BRANCH) !== 0)
  const word = (((type << 4) | 0xd) << 24) | (symbol - files.Ranges.symbol[internal.file])
  const position = internalBytes(link, messageStubs.count * macho.RELOCATION_SIZE, 8)
  const { bytes } = link.arenas.list[internal.arena]
  sections.Relocations.position[section] = position
  sections.Relocations.count[section] = messageStubs.count
  for (let i = 0; i < messageStubs.count; i++) {
    const block = sections.Blocks.first[section] + i
    writeU32(bytes, position + i * macho.RELOCATION_SIZE, blocks.Extent.offset[block])
    writeU32(bytes, position + i * macho.RELOCATION_SIZE + 4, word >>> 0)
    blocks.Relocations.first[block] = i
    blocks.Relocations.count[block] = 1
  }
}

/** What objc_msgSend is, once exports and imports are decided. */
export function pointMessenger(link: Link): void {
  const { name, symbol } = link.messenger
  if (symbol === 0) return
  const { where, symbol: winner, import: imported } = link.names.Resolution
  const target =
    imported[name] !== 0 ? (TARGET_IMPORT | imported[name]) >>> 0 : where[name] === WHERE_GLOBAL ? winner[name] : 0
  link.symbols.Reference.target[symbol] = target
}
