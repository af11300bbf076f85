import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareNames } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'

/** A link that has these names, from row 1 on. */
function withNames(texts: readonly (readonly number[])[]): Link {
  const rows = texts.length + 1
  const Text = { arena: new Uint8Array(rows), offset: new Uint32Array(rows), length: new Uint32Array(rows) }
  const bytes = new Uint8Array(texts.flat())
  let at = 0
  texts.forEach((text, i) => {
    Text.offset[i + 1] = at
    Text.length[i + 1] = text.length
    at += text.length
  })
  return { names: { Text }, arenas: { list: [{ bytes }] } } as unknown as Link
}

test('names are ordered by their bytes, those that are no text too', () => {
  const link = withNames([[0x5f, 0xff], [0x5f, 0xfe], [0x5f], [0x5f, 0x61], [0x5f, 0xfe]])
  const rows = [1, 2, 3, 4].sort((a, b) => compareNames(link, a, b))
  assert.deepEqual(rows, [3, 4, 2, 1])
  assert.equal(compareNames(link, 2, 5), 0)
})
