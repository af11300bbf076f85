import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expandResponseFiles, tokenize } from '../../src/cli/responseFile.ts'
import { createMemoryHost } from '../../src/host/memory.ts'

test('words end at white space, outside quotes', () => {
  assert.deepEqual(tokenize('a  b\tc\r\nd'), ['a', 'b', 'c', 'd'])
  assert.deepEqual(tokenize(`"a b" 'c d' e"f g"h`), ['a b', 'c d', 'ef gh'])
})

test('a backslash takes the next character, in both kinds of quotes too', () => {
  assert.deepEqual(tokenize(String.raw`a\ b "c\"d" 'e\'f' g\\h`), ['a b', 'c"d', "e'f", String.raw`g\h`])
})

test('a mark of the byte order is skipped, and empty words are dropped', () => {
  assert.deepEqual(tokenize('\ufeffa "" b'), ['a', 'b'])
})

test('response files nest, and stand where they were named', () => {
  const host = createMemoryHost({ '/one': 'b @/two e', '/two': 'c "d d"' })
  assert.deepEqual(expandResponseFiles(['a', '@one', 'f'], host), ['a', 'b', 'c', 'd d', 'e', 'f'])
})

test('a missing file, a file inside itself and a lone @ stay as they are', () => {
  const host = createMemoryHost({ '/loop': 'a @/loop' })
  assert.deepEqual(expandResponseFiles(['@none', '@loop', '@'], host), ['@none', 'a', '@/loop', '@'])
})
