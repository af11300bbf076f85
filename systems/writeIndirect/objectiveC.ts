// Writes what objectiveC has made room for: stubs that send a message, pointers to selectors, relative method lists.
import { findGot, KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { readU32 } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import { gotAddress, stubAddress } from '../kernels/addresses.ts'
import { writeRebase } from '../kernels/fixups.ts'
import { isLiveStub } from '../kernels/messageStubs.ts'
import { METHOD_FLAGS_MASK, METHODS_HEADER, RELATIVE_METHOD_SIZE, RELATIVE_METHODS } from '../kernels/methodFormat.ts'
import { arenaOfBlock, blockBytes, createPointee, type Pointee, readPointee } from '../kernels/pointee.ts'
import { methodRecord } from '../kernels/methodRecords.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'

export function writeObjectiveC(link: Link, view: DataView): void {
  writeSelectorReferences(link, view)
  writeMessageStubs(link, view)
  writeMethodLists(link, view)
}

function placeOf(link: Link, block: number): number {
  const { leader, address } = link.blocks.Placement
  return address[leader[block] || block]
}

/** Where a block's bytes lie in the image, less its address. */
function deltaOf(link: Link, block: number): number {
  const output = link.sections.Blocks.output[link.blocks.Extent.section[block]]
  return link.outputs.Extent.fileOffset[output] - link.outputs.Extent.address[output]
}

function writeSelectorReferences(link: Link, view: DataView): void {
  const { Place, made, count } = link.selectors
  if (made === 0) return
  const segment = link.outputs.Section.segment[link.sections.Blocks.output[link.blocks.Extent.section[made]]]
  const base = placeOf(link, made)
  const delta = deltaOf(link, made)
  for (let row = 1; row <= count; row++) {
    if (Place.reference[row] !== made) continue
    const address = base + Place.referenceAt[row]
    writeRebase(
      link,
      view,
      address + delta,
      segment,
      address - link.segments.Extent.address[segment],
      placeOf(link, Place.string[row]) + Place.stringAt[row],
    )
  }
}

function writeMessageStubs(link: Link, view: DataView): void {
  const { messageStubs, selectors, symbols } = link
  const small = link.settings.objcStubsSmall === true
  for (let stub = 1; stub <= messageStubs.count; stub++) {
    if (!isLiveStub(link, stub)) continue
    const block = symbols.Definition.block[messageStubs.Stub.symbol[stub]]
    const selector = messageStubs.Stub.selector[stub]
    const reference = placeOf(link, selectors.Place.reference[selector]) + selectors.Place.referenceAt[selector]
    const address = placeOf(link, block)
    link.arch.writeObjcStub(
      view,
      address + deltaOf(link, block),
      address,
      reference,
      messengerAddress(link, small),
      small,
    )
  }
}

/** Of the GOT slot; for small stubs that of the function, or of its stub. */
function messengerAddress(link: Link, small: boolean): number {
  const target = link.symbols.Reference.target[link.messenger.symbol]
  if (target & TARGET_IMPORT) {
    const made = target & 0x7fffffff
    return small ? stubAddress(link, made) : gotAddress(link, findGot(link.gots, KEY_IMPORT, made))
  }
  return small ? link.symbols.Reference.address[target] : gotAddress(link, findGot(link.gots, KEY_LOCAL, target))
}

function writeMethodLists(link: Link, view: DataView): void {
  const { methodLists } = link
  const { List } = methodLists
  const site = createSite()
  const to = createPointee()
  for (let list = 1; list <= methodLists.count; list++) {
    const source = List.source[list]
    const address = link.blocks.Placement.address[List.block[list]]
    const at = address + deltaOf(link, List.block[list])
    const entry = readU32(link.arenas.list[arenaOfBlock(link, source)].bytes, blockBytes(link, source, 0))
    view.setUint32(at, (entry & METHOD_FLAGS_MASK) | RELATIVE_METHOD_SIZE | RELATIVE_METHODS, true)
    view.setUint32(at + 4, List.methods[list], true)
    enterSection(site, link, link.blocks.Extent.section[source])
    for (let i = 0; i < List.methods[list]; i++) {
      const method = METHODS_HEADER + i * RELATIVE_METHOD_SIZE
      writeMethod(link, view, at + method, address + method, list, i, site, to)
    }
  }
}

function writeMethod(
  link: Link,
  view: DataView,
  at: number,
  address: number,
  list: number,
  i: number,
  site: Site,
  to: Pointee,
): void {
  const { List, Method } = link.methodLists
  const { Place } = link.selectors
  const selector = Method.selector[List.method[list] + i]
  writeDistance(link, view, at, placeOf(link, Place.reference[selector]) + Place.referenceAt[selector] - address)
  for (const field of [1, 2]) {
    if (!readPointee(link, site, methodRecord(link, site, List.source[list], i * 3 + field), to)) continue
    writeDistance(link, view, at + field * 4, placeOf(link, to.block) + to.offset - address - field * 4)
  }
}

function writeDistance(link: Link, view: DataView, at: number, distance: number): void {
  if (distance !== (distance | 0))
    error(
      link.messages,
      'method-too-far',
      `a relative method list reaches ${distance} bytes, more than 32 bits hold; use -no_objc_relative_method_lists`,
    )
  view.setInt32(at, distance, true)
}
