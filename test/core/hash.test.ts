import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashBytes, hashText } from '../../src/core/hash.ts'

test('a hash is the same by bytes and by words, for every length and place', () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 151 + 97) & 0xff)
  const view = new DataView(bytes.buffer)
  const seen = new Set<number>()
  for (let from = 0; from < 5; from++)
    for (let to = from; to <= bytes.length; to++) {
      const hash = hashText(view, from, to)
      assert.equal(hash, hashBytes(bytes, from, to))
      seen.add(hash)
    }
  assert.ok(seen.size > 300)
})
