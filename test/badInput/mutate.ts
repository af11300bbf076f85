// Wrong values for a field: those that readers forget, and one at random.
import type { Field } from './fields.ts'

export interface Mutation {
  name: string
  apply: (bytes: Uint8Array) => Uint8Array
}

/** A small deterministic generator (mulberry32): numbers in [0, 2^32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

function readField(bytes: Uint8Array, { at, width, bigEndian }: Field): bigint {
  let value = 0n
  for (let i = 0; i < width; i++) value |= BigInt(bytes[at + i]) << BigInt(8 * (bigEndian ? width - 1 - i : i))
  return value
}

function writeField(bytes: Uint8Array, { at, width, bigEndian }: Field, value: bigint): void {
  for (let i = 0; i < width; i++) bytes[at + (bigEndian ? width - 1 - i : i)] = Number((value >> BigInt(8 * i)) & 0xffn)
}

/** 0, 1, -1, the largest and smallest signed values, one more and less, twice, a large round value, swapped bytes, random. */
function nastyValues(value: bigint, width: number, random: () => number): bigint[] {
  const top = 1n << BigInt(width * 8 - 1)
  const all = top * 2n - 1n
  let swapped = 0n
  for (let i = 0n; i < BigInt(width); i++) swapped = (swapped << 8n) | ((value >> (8n * i)) & 0xffn)
  const wild = (BigInt(random()) << 32n) | BigInt(random())
  const values = [
    0n,
    1n,
    all,
    top - 1n,
    top,
    value + 1n,
    value - 1n,
    value + 8n,
    value * 2n,
    all - 7n,
    0x7ffffff8n,
    swapped,
    wild,
    wild >> 45n,
    value ^ (1n << (wild % BigInt(width * 8))),
  ]
  return [...new Set(values.map((one) => one & all))].filter((one) => one !== value)
}

/** Mutations of one field: `most` of them, chosen by `random`. */
export function spoilField(original: Uint8Array, field: Field, random: () => number, most: number): Mutation[] {
  const values = nastyValues(readField(original, field), field.width, random)
  while (values.length > most) values.splice(random() % values.length, 1)
  return values.map((value) => ({
    name: `${field.name} (${field.width} bytes at ${field.at}) = 0x${value.toString(16)}`,
    apply: (bytes) => {
      const spoiled = bytes.slice()
      writeField(spoiled, field, value)
      return spoiled
    },
  }))
}

export function truncate(size: number): Mutation {
  return { name: `truncated to ${size} bytes`, apply: (bytes) => bytes.slice(0, size) }
}

/** Changes `flips` bytes anywhere. */
export function flipBytes(random: () => number, flips: number): Mutation {
  const choices = Array.from({ length: flips }, () => [random(), 1 + (random() % 255)])
  return {
    name: `bytes changed: ${JSON.stringify(choices)}`,
    apply: (bytes) => {
      const spoiled = bytes.slice()
      for (const [place, change] of choices) spoiled[place % bytes.length] ^= change
      return spoiled
    },
  }
}
