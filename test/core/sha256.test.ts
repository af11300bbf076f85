import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { sha256Into } from '../../src/core/sha256.ts'

function hexOf(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const digest = new Uint8Array(32)
  sha256Into(bytes, from, to, digest, 0)
  return Buffer.from(digest).toString('hex')
}

test('the examples of FIPS 180-4 give their digests', () => {
  const abc = new TextEncoder().encode('abc')
  assert.equal(hexOf(abc), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  assert.equal(hexOf(new Uint8Array(0)), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('every length around the block and padding borders agrees with node:crypto', () => {
  const bytes = Uint8Array.from({ length: 200 }, (_, i) => (i * 37 + 11) & 255)
  for (let to = 0; to <= bytes.length; to++) {
    assert.equal(hexOf(bytes, 0, to), createHash('sha256').update(bytes.subarray(0, to)).digest('hex'), `length ${to}`)
  }
})

test('any range of any bytes agrees with node:crypto', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9000 }), fc.nat(), fc.nat(), (bytes, a, b) => {
      const from = a % (bytes.length + 1)
      const to = from + (b % (bytes.length - from + 1))
      const expected = createHash('sha256').update(bytes.subarray(from, to)).digest('hex')
      assert.equal(hexOf(bytes, from, to), expected)
    }),
    { numRuns: 60 },
  )
})

test('the digest is written at the place asked for and nowhere else', () => {
  const target = new Uint8Array(48).fill(0xee)
  sha256Into(new Uint8Array(5), 1, 4, target, 8)
  const expected = createHash('sha256').update(new Uint8Array(3)).digest()
  assert.deepEqual(target.subarray(8, 40), new Uint8Array(expected))
  assert.ok(target.subarray(0, 8).every((byte) => byte === 0xee))
  assert.ok(target.subarray(40).every((byte) => byte === 0xee))
})

test('bytes shared between threads are hashed like others', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(100)).fill(7)
  assert.equal(hexOf(shared), hexOf(new Uint8Array(100).fill(7)))
})
