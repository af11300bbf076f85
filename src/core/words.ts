// Arithmetic on words of 32 bits, which the inner loops (systems/inner) have too: AssemblyScript reads this file.
import type { i32 } from './widths.ts'

/** Takes a word into a hash: multiply and fold. */
export function step(hash: i32, word: i32): i32 {
  const next = Math.imul(hash ^ word, -0x61c8864f)
  return next ^ (next >>> 15)
}

/** Spreads the entropy of all bits over the word, 0 <= hash < 2^31. */
export function mix(hash: i32): i32 {
  return avalanche(hash) >>> 1
}

/** Finalizer of MurmurHash3. */
export function avalanche(word: i32): i32 {
  word = Math.imul(word ^ (word >>> 16), -0x7a143595)
  word = Math.imul(word ^ (word >>> 13), -0x3d4d51cb)
  return word ^ (word >>> 16)
}

/** log2 of the largest power of two that divides `value`, at most `limit` (below 32). */
export function trailingZeros(value: i32, limit: i32): i32 {
  const low = value | 0
  if (low === 0) return limit
  const zeros = 31 - Math.clz32(low & -low)
  return zeros < limit ? zeros : limit
}
