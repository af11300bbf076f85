// A hash of 128 bits that tells whether contents are the same; it keeps nobody from deceiving.

import { avalanche } from './words.ts'

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
  const whole = part.length & ~15
  const lanes = new Int32Array(4)
  for (let lane = 0; lane < 4; lane++) lanes[lane] = SEEDS[lane]
  hashBlocks(wordsOf(part, whole >> 2), lanes)
  const last = new Int32Array(4)
  for (let i = whole; i < part.length; i++) last[(i & 15) >> 2] |= part[i] << ((i & 3) << 3)
  hashBlocks(last, lanes)
  finish(lanes, part.length)
  for (let i = 0; i < CONTENT_HASH_SIZE; i++) target[at + i] = lanes[i >> 2] >>> ((i & 3) << 3)
}

const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** The first words, least byte first: where they lie, or a copy. Code that is not optimized yet reads them twice as fast as through a DataView. */
function wordsOf(part: Uint8Array, count: number): Int32Array {
  if (IS_LITTLE_ENDIAN && part.byteOffset % 4 === 0) return new Int32Array(part.buffer, part.byteOffset, count)
  const words = new Int32Array(count)
  const view = new DataView(part.buffer, part.byteOffset, part.length)
  for (let i = 0; i < count; i++) words[i] = view.getInt32(i * 4, true)
  return words
}

/** Blocks of 16 bytes. */
function hashBlocks(words: Int32Array, lanes: Int32Array): void {
  let a = lanes[0]
  let b = lanes[1]
  let c = lanes[2]
  let d = lanes[3]
  const { length } = words
  for (let i = 0; i < length; i += 4) {
    const p = Math.imul(a ^ words[i], 0x9e3779b1)
    const q = Math.imul(b ^ words[i + 1], 0x85ebca77)
    const r = Math.imul(c ^ words[i + 2], 0xc2b2ae3d)
    const s = Math.imul(d ^ words[i + 3], 0x27d4eb2f)
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
