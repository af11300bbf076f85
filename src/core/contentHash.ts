// A hash of 128 bits that tells whether contents are the same; it keeps nobody from deceiving.

import { avalanche } from './hash.ts'

/** Bytes of a hash. */
export const CONTENT_HASH_SIZE = 16

const SEEDS = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344]

/**
 * Hash of bytes[from, to) to target[at .. at + 16). Four lanes of 32 bits multiply and rotate at once, each with its neighbour's value from the
 * block before, then MurmurHash3's finalizer: as fast as SHA-256 by instructions for it, and a small link without a signature does
 * not wait 5 ms for node:crypto.
 */
export function contentHash(bytes: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  // Of memory that is read as it is asked for, `buffer` would ask for all.
  const part = bytes.subarray(from, to)
  const view = new DataView(part.buffer, part.byteOffset, part.length)
  const whole = part.length & ~15
  const lanes = Int32Array.from(SEEDS)
  hashBlocks(view, 0, whole, lanes)
  const last = new DataView(new ArrayBuffer(CONTENT_HASH_SIZE))
  for (let i = whole; i < part.length; i++) last.setUint8(i - whole, part[i])
  hashBlocks(last, 0, CONTENT_HASH_SIZE, lanes)
  finish(lanes, part.length)
  const hash = target.subarray(at, at + CONTENT_HASH_SIZE)
  const out = new DataView(hash.buffer, hash.byteOffset, CONTENT_HASH_SIZE)
  for (let lane = 0; lane < 4; lane++) out.setInt32(lane * 4, lanes[lane], true)
}

/** Blocks of 16 bytes. */
function hashBlocks(view: DataView, from: number, to: number, lanes: Int32Array): void {
  let [a, b, c, d] = lanes
  for (let at = from; at < to; at += 16) {
    const p = Math.imul(a ^ view.getInt32(at, true), 0x9e3779b1)
    const q = Math.imul(b ^ view.getInt32(at + 4, true), 0x85ebca77)
    const r = Math.imul(c ^ view.getInt32(at + 8, true), 0xc2b2ae3d)
    const s = Math.imul(d ^ view.getInt32(at + 12, true), 0x27d4eb2f)
    const first = a
    a = (((p << 15) | (p >>> 17)) + b) | 0
    b = (((q << 13) | (q >>> 19)) + c) | 0
    c = (((r << 17) | (r >>> 15)) + d) | 0
    d = (((s << 11) | (s >>> 21)) + first) | 0
  }
  lanes[0] = a
  lanes[1] = b
  lanes[2] = c
  lanes[3] = d
}

function finish(lanes: Int32Array, length: number): void {
  for (let lane = 0; lane < 4; lane++) lanes[lane] ^= length
  for (let round = 0; round < 2; round++) {
    lanes[0] += lanes[1] + lanes[2] + lanes[3]
    for (let lane = 1; lane < 4; lane++) lanes[lane] += lanes[0]
    for (let lane = 0; lane < 4; lane++) lanes[lane] = avalanche(lanes[lane])
  }
}
