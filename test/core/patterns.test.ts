import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePatterns, isPattern, matches } from '../../src/core/patterns.ts'

const CASES: readonly (readonly [string, string, string])[] = [
  ['_a', '_a', '_aa _b'],
  ['_a*', '_a _ab', '_b'],
  ['_?b', '_ab _?b', '_b _aab'],
  ['_[ac-e]', '_a _c _d _e', '_b _f _ac'],
  ['_[^a]', '_b', '_a'],
  ['_[!a-c]', '_d', '_b'],
  ['_[a-]', '_a _-', '_b'],
  ['_[]x]', '_] _x', '_a'],
  ['_\\*[x]', '_*x', '_ax'],
  ['_.$*', '_.$ _.$a', '_ab'],
  ['_{a,b}?', '_{a,b}c', '_ac'],
  ['_a]', '_a]', '_a'],
]

test('globs match as those of ld64.lld', () => {
  for (const [pattern, yes, no] of CASES) {
    assert.ok(isPattern(pattern), pattern)
    const patterns = compilePatterns([pattern])
    for (const name of yes.split(' ')) assert.ok(matches(patterns, name), `${pattern} ${name}`)
    for (const name of no.split(' ')) assert.ok(!matches(patterns, name), `${pattern} ${name}`)
  }
})

test('what is no glob is told from one, and matches nothing', () => {
  for (const text of ['[', '_[a-', '_[]', '_[z-a]', '_*\\']) {
    assert.ok(!isPattern(text), text)
    const patterns = compilePatterns([text])
    assert.ok(!matches(patterns, text) && !matches(patterns, '_a'), text)
  }
})
