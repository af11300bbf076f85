import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTENT_HASH_SIZE, contentHash } from '../../src/core/contentHash.ts'

function hashOf(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const target = new Uint8Array(CONTENT_HASH_SIZE + 2)
  contentHash(bytes, from, to, target, 1)
  assert.equal(target[0] | target[CONTENT_HASH_SIZE + 1], 0, 'writes 16 bytes')
  return Buffer.from(target.subarray(1, 1 + CONTENT_HASH_SIZE)).toString('hex')
}

function sample(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((i + 1) * 167) ^ (i >>> 3))
}

test('each bit, each length and each order of equal blocks makes another hash', () => {
  const seen = new Set<string>()
  const bytes = sample(203)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7)
    seen.add(hashOf(bytes))
    bytes[bit >> 3] ^= 1 << (bit & 7)
  }
  for (let length = 0; length <= bytes.length; length++) seen.add(hashOf(bytes, 0, length))
  for (let length = 0; length < 40; length++) seen.add(hashOf(new Uint8Array(length)))
  // An empty part of the sample is the same as no zeros.
  assert.equal(seen.size, bytes.length * 8 + bytes.length + 40)
  const [first, second] = [sample(16), sample(32).subarray(16)]
  assert.notEqual(hashOf(Buffer.concat([first, second])), hashOf(Buffer.concat([second, first])))
})

test('a changed bit changes about half of the bits', () => {
  const bytes = sample(96)
  const before = BigInt(`0x${hashOf(bytes)}`)
  let changed = 0
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7)
    const count = (BigInt(`0x${hashOf(bytes)}`) ^ before).toString(2).replaceAll('0', '').length
    assert.ok(count > 30 && count < 98, `bit ${bit}: ${count} of 128`)
    changed += count
    bytes[bit >> 3] ^= 1 << (bit & 7)
  }
  const mean = changed / (bytes.length * 8)
  assert.ok(mean > 62 && mean < 66, `${mean}`)
})

test('the place of the bytes does not matter', () => {
  const bytes = sample(100)
  const moved = new Uint8Array(120)
  moved.set(bytes, 7)
  assert.equal(hashOf(moved, 7, 107), hashOf(bytes))
  assert.equal(hashOf(moved.subarray(3), 4, 104), hashOf(bytes))
})
