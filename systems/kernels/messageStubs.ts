// Sizes of message stubs: -objc_stubs_small goes through objc_msgSend's stub, the default through its GOT slot.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'

const SMALL_ALIGN_POW2 = 2

export function messageStubSize(link: Link): number {
  return link.settings.objcStubsSmall === true ? link.arch.objcStubSmallSize : link.arch.objcStubSize
}

export function messageStubAlign(link: Link): number {
  return link.settings.objcStubsSmall === true
    ? Math.min(SMALL_ALIGN_POW2, link.arch.objcStubAlignPow2)
    : link.arch.objcStubAlignPow2
}

/** A stub that nothing live calls is stripped. */
export function isLiveStub(link: Link, stub: number): boolean {
  const block = link.symbols.Definition.block[link.messageStubs.Stub.symbol[stub]]
  return (link.blocks.Extent.flags[block] & BLOCK_LIVE) !== 0
}
