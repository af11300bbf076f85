// Memory in chunks: the unit that a snapshot stores, checks and replaces.

import { memory } from '../../components/columns.ts'
import { CHUNK_SHIFT } from '../core/pages.ts'

/** A page of most systems. The row of an object in a column lies in one or two of them. */
export const CHUNK = 1 << CHUNK_SHIFT
const WORDS = CHUNK / 4

/**
 * Hashes the chunk of `words` that begins at word `at` into out[to] and out[to + 1]; returns whether any of it is not zero.
 * Not a CRC: four lanes of multiply and rotate take 0.6 ms a MB, a CRC-32 by table 3 ms, and a lane maps different
 * words to different states, so that a change within one word (a flipped bit, a torn byte) never goes unseen. Others pass with
 * 2^-64. `seed` tells snapshots, buffers and places apart, so that a chunk in the place of another is seen too.
 */
export function hashChunk(words: Int32Array, at: number, seed: number, out: Uint32Array, to: number): boolean {
  let a = seed | 0
  let b = Math.imul(seed, 0x85ebca6b)
  let c = seed ^ 0x27d4eb2f
  let d = ~seed
  let any = 0
  for (let i = at; i < at + WORDS; i += 4) {
    const first = words[i]
    const second = words[i + 1]
    const third = words[i + 2]
    const fourth = words[i + 3]
    any |= first | second | third | fourth
    a = Math.imul(a ^ first, 0x9e3779b1)
    a = (a << 13) | (a >>> 19)
    b = Math.imul(b ^ second, 0x85ebca77)
    b = (b << 13) | (b >>> 19)
    c = Math.imul(c ^ third, 0xc2b2ae3d)
    c = (c << 13) | (c >>> 19)
    d = Math.imul(d ^ fourth, 0x27d4eb2f)
    d = (d << 13) | (d >>> 19)
  }
  out[to] = Math.imul(Math.imul(Math.imul(a, 3) ^ b, 5) ^ c, 7) ^ d
  out[to + 1] = Math.imul(Math.imul(Math.imul(d, 0x9e3779b1) ^ c, 0x85ebca77) ^ b, 0xc2b2ae3d) ^ a
  return any !== 0
}

/** The seed of a chunk: of snapshot `id`, buffer and place in it. */
export function seedOf(id: number, buffer: number, chunk: number): number {
  return Math.imul(Math.imul(id ^ buffer, 0x9e3779b1) ^ chunk, 0xc2b2ae3d)
}

/** Memory for `size` bytes in whole chunks. Shared where it can be: buffers of one thread make V8 collect garbage by their sizes. */
export function chunkMemory(size: number): ArrayBuffer {
  return memory(Math.ceil(size / CHUNK) * CHUNK, typeof SharedArrayBuffer === 'function')
}

/** Hash of any bytes, as of whole chunks that are zero behind them. */
export function hashOf(bytes: Uint8Array, id: number, kind: number): [number, number] {
  const words = wordsOf(bytes, 0, bytes.length)
  const hash = new Uint32Array(2)
  let [first, second] = [bytes.length, kind]
  for (let at = 0, chunk = 0; at < words.length; at += WORDS, chunk++) {
    hashChunk(words, at, seedOf(id, kind, chunk), hash, 0)
    first = Math.imul(first ^ hash[0], 0x9e3779b1)
    second = Math.imul(second ^ hash[1], 0x85ebca77)
  }
  return [first >>> 0, second >>> 0]
}

/** Bytes from .. to - 1 as words in whole chunks: where they lie if that is possible, else a copy. */
export function wordsOf(bytes: Uint8Array, from: number, to: number): Int32Array {
  const size = Math.ceil((to - from) / CHUNK) * CHUNK
  const start = bytes.byteOffset + from
  if (start % 4 === 0 && to - from === size) return new Int32Array(bytes.buffer, start, size / 4)
  const copy = new Uint8Array(size)
  copy.set(bytes.subarray(from, to))
  return new Int32Array(copy.buffer)
}
