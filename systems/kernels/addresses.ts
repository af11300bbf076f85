// Addresses of table entries, and where addresses lie in the image.
import type { Link } from '../../components/link.ts'

export function stubAddress(link: Link, made: number): number {
  return slotAddress(link, link.stubs.Stub.slot[link.imports.Use.stub[made]])
}

/** Of a slot of the table of stubs. */
export function slotAddress(link: Link, slot: number): number {
  return link.outputs.Extent.address[link.tables.stubs] + slot * link.arch.stubSize
}

export function gotAddress(link: Link, got: number): number {
  return link.outputs.Extent.address[link.tables.got] + link.gots.Slot.slot[got] * 8
}

export function tlvAddress(link: Link, tlv: number): number {
  return link.outputs.Extent.address[link.tables.tlvPointers] + link.tlvs.Slot.slot[tlv] * 8
}

export function lazyAddress(link: Link, stub: number): number {
  return link.outputs.Extent.address[link.tables.lazyPointers] + (link.stubs.Stub.lazy[stub] - 1) * 8
}

export function helperEntryAddress(link: Link, stub: number): number {
  const { arch } = link
  const start = link.outputs.Extent.address[link.tables.stubHelper] + arch.stubHelperHeaderSize
  return start + (link.stubs.LazyBind.helper[stub] - 1) * arch.stubHelperEntrySize
}

/** Where an address of an output section lies in the image. */
export function imageOffset(link: Link, output: number, address: number): number {
  return link.outputs.Extent.fileOffset[output] + address - link.outputs.Extent.address[output]
}
