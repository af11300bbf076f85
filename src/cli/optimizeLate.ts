// Small links end before most of what V8's optimizing compiler makes pays.
import type { Host } from '../host/host.ts'

/**
 * Bytes of bytecode that a function runs until V8 asks whether to optimize it; its own figure is 67,584. At that, small links optimize
 * loops before they have met all kinds of values, throw the code away and optimize them again (51 objects: 164 -> 128 ms).
 * From 200,000 to 600,000 there is no difference; up to 8 MB of input a million is better still (sqlite for arm64: by 6 to 8 ms), above it worse (24 MB: by
 * a quarter).
 */
const PATIENCE = 400_000
const SMALL_PATIENCE = 1_000_000
const SMALL_BYTES = 8 << 20
const SHA256_SIZE = 32
/** Less input is linked before anything is optimized, and node:v8 takes 2 ms to load. */
const LEAST_BYTES = 1 << 20
/** More input pays back what is optimized early (75 MB: 2 to 4 % slower), and workers with other flags of V8 could not take the code cache. */
const MOST_BYTES = 32 << 20

/** V8 that has the flag. It tells on standard error of one that it does not have. */
const LAST_MAJOR = 13

/** The host of a command that links once: with inputs of that size, this process optimizes later. */
export function optimizeLate(
  host: Host,
  setFlags: (flags: string) => void = setV8Flags,
  version: string = process.versions.v8,
): Host {
  const foresee = (bytes: number, signs: boolean) => {
    if (bytes < LEAST_BYTES || bytes >= MOST_BYTES) return false
    if (Number.parseInt(version, 10) > LAST_MAJOR) return true
    // Node's own code cache is of no use under other flags: node:crypto would take 4.5 ms to load, not 1.7.
    if (signs) host.sha256(new Uint8Array(0), 0, 0, new Uint8Array(SHA256_SIZE), 0)
    setFlags(`--interrupt-budget=${bytes < SMALL_BYTES ? SMALL_PATIENCE : PATIENCE}`)
    return true
  }
  return { ...host, foresee }
}

function setV8Flags(flags: string): void {
  process.getBuiltinModule('node:v8').setFlagsFromString(flags)
}
