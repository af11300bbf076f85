const WORDS = 1 << 14
const PASSES = 40
const RUNS = 15

/** Median milliseconds of a fixed loop (multiply and fold over 64 KiB): the yardstick that makes figures of two machines comparable. */
export function timeKernel(): number {
  const words = Uint32Array.from({ length: WORDS }, (_, i) => Math.imul(i, 0x85ebca6b))
  const times: number[] = []
  for (let run = 0; run < 2 * RUNS; run++) {
    const started = performance.now()
    words[0] = fold(words)
    if (run >= RUNS) times.push(performance.now() - started)
  }
  return times.sort((a, b) => a - b)[RUNS >> 1]
}

function fold(words: Uint32Array): number {
  let hash = 0
  for (let pass = 0; pass < PASSES; pass++)
    for (let i = 0; i < words.length; i++) {
      hash = Math.imul(hash ^ words[i], 0x9e3779b1)
      hash ^= hash >>> 15
    }
  return hash
}
