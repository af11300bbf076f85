// writeIndirect: fills the tables that code goes through: GOT, thread-local pointers, stubs, lazy pointers, stub helper header,
// initializer offsets, unwind info, and the indirect symbol table that names their entries.
// Reads: gots, tlvs, stubs, imports, addresses. Writes: image, fixups, linkedit.indirect, reserved1 of the sections.
// After relocate (their fixups follow those of the blocks), before writeDyldInfo, which encodes all fixups. Cost: one visit an entry.

import { KEY_IMPORT } from '../components/gots.ts'
import { IMPORT_OWN } from '../components/imports.ts'
import type { Link } from '../components/link.ts'
import { SYMBOL_ABSOLUTE } from '../components/symbols.ts'
import { writeU32 } from '../src/core/bytes.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { gotAddress, helperEntryAddress, imageOffset, lazyAddress, tlvAddress } from './kernels/addresses.ts'
import { isWeakDefinition, writeBind, writePointer, writeRebase } from './kernels/fixups.ts'
import { writeInitOffsets } from './writeIndirect/initOffsets.ts'
import { writeObjectiveC } from './writeIndirect/objectiveC.ts'
import { writeUnwind } from './writeIndirect/unwind.ts'

export function writeIndirect(link: Link): void {
  const view = new DataView(link.image.buffer, link.image.byteOffset, link.image.byteLength)
  writeEntries(link, view)
  writeInitOffsets(link, view)
  writeObjectiveC(link, view)
  writeUnwind(link)
  writeIndirectSymbols(link)
}

/** Stubs and the pointers that code goes through, with their fixups; slots that nothing takes are as the image has them. */
export function writeEntries(link: Link, view: DataView): void {
  writeGot(link, view)
  writeThreadPointers(link, view)
  writeStubs(link, view)
  writeLazyPointers(link, view)
  writeStubHelperHeader(link, view)
}

/** A pointer to a local symbol: rebased, unless it is absolute. */
function writeLocal(link: Link, view: DataView, output: number, address: number, symbol: number): void {
  const segment = link.outputs.Section.segment[output]
  const value = link.symbols.Reference.address[symbol]
  const at = imageOffset(link, output, address)
  if (link.symbols.Definition.flags[symbol] & SYMBOL_ABSOLUTE) writePointer(view, at, value)
  else writeRebase(link, view, at, segment, address - link.segments.Extent.address[segment], value)
}

function bindEntry(link: Link, view: DataView, output: number, address: number, made: number): void {
  const segment = link.outputs.Section.segment[output]
  writeBind(
    link,
    view,
    imageOffset(link, output, address),
    segment,
    address - link.segments.Extent.address[segment],
    made,
    0,
  )
}

function writeGot(link: Link, view: DataView): void {
  const { gots, tables } = link
  for (let got = 1; got <= gots.count; got++) {
    const address = gotAddress(link, got)
    if (gots.Key.kind[got] === KEY_IMPORT) bindEntry(link, view, tables.got, address, gots.Key.index[got])
    else writeLocal(link, view, tables.got, address, gots.Key.index[got])
  }
}

function writeThreadPointers(link: Link, view: DataView): void {
  for (let tlv = 1; tlv <= link.tlvs.count; tlv++)
    bindEntry(link, view, link.tables.tlvPointers, tlvAddress(link, tlv), link.tlvs.Key.index[tlv])
}

/** Slots that no stub or helper entry takes trap, as room in code does. */
function fillCode(link: Link, output: number): void {
  const { fileOffset, size } = link.outputs.Extent
  link.image.fill(link.arch.name === 'x86_64' ? 0xcc : 0, fileOffset[output], fileOffset[output] + size[output])
}

function writeStubs(link: Link, view: DataView): void {
  const { stubs, tables, arch } = link
  if (link.slots.stubs > stubs.count) fillCode(link, tables.stubs)
  const base = link.outputs.Extent.address[tables.stubs]
  for (let stub = 1; stub <= stubs.count; stub++) {
    const address = base + stubs.Stub.slot[stub] * arch.stubSize
    const pointer =
      stubs.Stub.lazy[stub] !== 0
        ? lazyAddress(link, stub)
        : gotAddress(link, link.imports.Use.got[stubs.Stub.import[stub]])
    arch.writeStub(view, imageOffset(link, tables.stubs, address), address, pointer)
  }
}

/** A lazy pointer begins at its helper entry; one whose import coalesces (weak) is bound at load instead. */
function writeLazyPointers(link: Link, view: DataView): void {
  const { stubs, tables } = link
  for (let stub = 1; stub <= stubs.count; stub++) {
    if (stubs.Stub.lazy[stub] === 0) continue
    const address = lazyAddress(link, stub)
    const made = stubs.Stub.import[stub]
    if (isWeakDefinition(link, made)) bindEntry(link, view, tables.lazyPointers, address, made)
    else {
      const segment = link.outputs.Section.segment[tables.lazyPointers]
      const offset = address - link.segments.Extent.address[segment]
      writeRebase(
        link,
        view,
        imageOffset(link, tables.lazyPointers, address),
        segment,
        offset,
        helperEntryAddress(link, stub),
      )
    }
  }
}

function writeStubHelperHeader(link: Link, view: DataView): void {
  if (link.helperEntries === 0 || link.stubBinder === 0) return
  const output = link.tables.stubHelper
  if (link.slots.helpers > link.helperEntries) fillCode(link, output)
  const address = link.outputs.Extent.address[output]
  const cache = link.symbols.Reference.address[link.loaderCache]
  const binder = gotAddress(link, link.imports.Use.got[link.stubBinder])
  link.arch.writeStubHelperHeader(view, imageOffset(link, output, address), address, cache, binder)
}

/** What the indirect table has for a slot without an entry. */
const HOLE = (macho.INDIRECT_SYMBOL_LOCAL | macho.INDIRECT_SYMBOL_ABS) >>> 0

/** reserved1 says where each section's begin. */
function writeIndirectSymbols(link: Link): void {
  const { tables } = link
  const { reserved1 } = link.outputs.Section
  const starts = indirectStarts(link)
  reserved1[tables.got] = starts[0]
  reserved1[tables.tlvPointers] = starts[1]
  reserved1[tables.stubs] = starts[2]
  reserved1[tables.lazyPointers] = starts[3]
  reserved1[0] = 0
  const bytes = indirectSymbols(link)
  link.linkedit.indirect = { bytes, offset: 0 }
  link.visited.rows += starts[4]
  link.visited.written += bytes.length
}

/** In ld64.lld's order: where those of GOT, thread-local pointers, stubs and lazy pointers begin; how many there are. */
function indirectStarts({ slots }: Link): number[] {
  const starts = [0, slots.gots, slots.tlvs, slots.stubs, slots.lazy]
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1]
  return starts
}

export function indirectSymbols(link: Link): Uint8Array {
  const { gots, tlvs, stubs } = link
  const starts = indirectStarts(link)
  const bytes = new Uint8Array(starts[4] * 4)
  for (let row = 0; row < starts[4]; row++) writeU32(bytes, row * 4, HOLE)
  const put = (start: number, slot: number, value: number) => writeU32(bytes, (start + slot) * 4, value)
  for (let got = 1; got <= gots.count; got++) {
    const index = gots.Key.index[got]
    const value = gots.Key.kind[got] === KEY_IMPORT ? symbolNumber(link, index) : localNumber(link, index)
    put(starts[0], gots.Slot.slot[got], value)
  }
  for (let tlv = 1; tlv <= tlvs.count; tlv++)
    put(starts[1], tlvs.Slot.slot[tlv], symbolNumber(link, tlvs.Key.index[tlv]))
  for (let stub = 1; stub <= stubs.count; stub++) {
    const number = symbolNumber(link, stubs.Stub.import[stub])
    put(starts[2], stubs.Stub.slot[stub], number)
    if (stubs.Stub.lazy[stub] !== 0) put(starts[3], stubs.Stub.lazy[stub] - 1, number)
  }
  return bytes
}

/** dyld slides no absolute value (loader.h). */
function localNumber(link: Link, symbol: number): number {
  return link.symbols.Definition.flags[symbol] & SYMBOL_ABSOLUTE ? HOLE : macho.INDIRECT_SYMBOL_LOCAL
}

function symbolNumber(link: Link, made: number): number {
  const number = link.imports.Use.symtab[made]
  if (number !== 0) return number - 1
  return link.imports.Library.flags[made] & IMPORT_OWN
    ? macho.INDIRECT_SYMBOL_LOCAL
    : macho.INDIRECT_SYMBOL_LOCAL | macho.INDIRECT_SYMBOL_ABS
}
