// Sets of small numbers as bits of words. One loop a function: see src/formats/dyld/sortNames.ts.

/** Adds values[0, count), all below 32 times the words. */
export function markBits(words: Uint32Array, values: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++) words[values[i] >>> 5] |= 1 << (values[i] & 31)
}

/** Fills `before` with how many numbers there are below each word. */
export function countBefore(words: Uint32Array, before: Uint32Array): void {
  let count = 0
  for (let i = 0; i < words.length; i++) {
    before[i] = count
    count += countOnes(words[i])
  }
}

/** How many numbers are below `value`, one of the set. */
export function rankOf(words: Uint32Array, before: Uint32Array, value: number): number {
  const word = value >>> 5
  return before[word] + countOnes(words[word] & ((1 << (value & 31)) - 1))
}

/** Bits that are set in a word. */
export function countOnes(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
