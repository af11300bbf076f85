import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createArenas, placeInArena } from '../../components/arena.ts'
import {
  createMentions,
  createNames,
  findName,
  internFew,
  internMentions,
  internName,
  type Names,
  releaseIndex,
} from '../../components/names.ts'
import { fromText, toText } from '../../src/core/bytes.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { measureNames } from '../../systems/inner/names.ts'

/** An arena with the texts, each with its NUL, and a pool of names of `poolSize` bytes. */
function fixture(texts: readonly string[], rows: number, poolSize: number) {
  const arenas = createArenas(false)
  const all = fromText(texts.map((text) => `${text}\0`).join(''))
  const { arena, position } = placeInArena(arenas, all.length, 0)
  arenas.list[arena].bytes.set(all, position)
  const names = createNames(rows, false)
  const pool = placeInArena(arenas, 1 << 26, poolSize)
  arenas.list[pool.arena].used = 0
  names.pool = pool.arena
  const start = new Uint32Array(texts.length)
  let at = position
  for (const [i, text] of texts.entries()) {
    start[i] = at
    at += fromText(text).length + 1
  }
  return { arenas, names, arena, start, end: at }
}

function mention(texts: readonly string[]) {
  const { arenas, names, arena, start, end } = fixture(texts, texts.length, 1024)
  const mentions = createMentions(texts.length, false)
  const found = new Uint32Array(texts.length)
  mentions.start.set(start)
  const { row, place, hash } = mentions
  for (let i = 0; i < texts.length; i++) row[i] = i
  const { view } = arenas.list[arena]
  assert.equal(measureNames(view, end, texts.length, end, arena, 0, 0, row, mentions.start, place, hash) >= 0, true)
  return { names, arenas, mentions, found }
}

function lookUp(texts: readonly string[], batch: number) {
  const { names, arenas, mentions, found } = mention(texts)
  for (let from = 0; from < texts.length; from += batch)
    internMentions(names, arenas, mentions, from, Math.min(texts.length, from + batch), found)
  return { names, arenas, found }
}

/** Ids as a Map gives them: in the order of first mention. */
function expected(texts: readonly string[]): number[] {
  const ids = new Map<string, number>()
  return texts.map((text) => ids.get(text) ?? ids.set(text, ids.size + 1).get(text)!)
}

const someTexts = fc.array(fc.stringMatching(/^[a-d_]{1,9}$/), { minLength: 1, maxLength: 3000, size: 'max' })

test('names get their rows in the order of first mention, in batches of any size', () => {
  fc.assert(
    fc.property(someTexts, fc.integer({ min: 1, max: 4000 }), (texts, batch) => {
      const { found } = lookUp(texts, batch)
      assert.deepEqual([...found], expected(texts))
    }),
    { seed: 20261122, numRuns: 25 },
  )
})

test('the index grows past its first size and finds every name again', () => {
  const texts = Array.from({ length: 40000 }, (_, i) => `_name_${i * 7919}`)
  const { names, arenas, found } = lookUp(texts, 1 << 20)
  assert.equal(names.count, 40000)
  for (let i = 0; i < texts.length; i += 97) {
    const bytes = fromText(texts[i])
    assert.equal(findName(names, arenas, bytes, 0, bytes.length), found[i])
  }
  const absent = fromText('_absent')
  assert.equal(findName(names, arenas, absent, 0, absent.length), 0)
})

test('a single name and a batch agree, and the row keeps the bytes', () => {
  const texts = ['_main', '_printf', '__ZN3fooEv', '_x']
  const { arenas, names, arena, start } = fixture(texts, 64, 1024)
  const ids = texts.map((text, i) => {
    const bytes = fromText(text)
    return internName(names, arenas, arena, start[i], bytes.length, hashBytes(bytes, 0, bytes.length))
  })
  assert.deepEqual(ids, [1, 2, 3, 4])
  for (const [i, id] of ids.entries()) {
    const { bytes } = arenas.list[names.Text.arena[id]]
    assert.equal(toText(bytes, names.Text.offset[id], names.Text.offset[id] + names.Text.length[id]), texts[i])
    assert.equal(names.Text.arena[id], names.pool)
  }
})

test('a string is measured and hashed as its bytes are, at every length and alignment', () => {
  for (let length = 1; length < 40; length++) {
    for (let shift = 0; shift < 4; shift++) {
      const bytes = new Uint8Array(length + shift + 8).fill(0xff)
      for (let i = 0; i < length; i++) bytes[shift + i] = 1 + ((i * 37 + length) % 255)
      bytes[shift + length] = 0
      const [rows, starts, sizes, hashes] = [0, shift, 0, 0].map((value) => Uint32Array.of(value))
      const end = shift + length + 1
      assert.equal(measureNames(new DataView(bytes.buffer), end, 1, 64, 0, 0, 0, rows, starts, sizes, hashes), length)
      assert.deepEqual([sizes[0], hashes[0]], [length, hashBytes(bytes, shift, shift + length)])
    }
  }
})

test('names made to collide are an error, not an index that grows without end', () => {
  const { arenas, names, arena, start } = fixture(['_a'], 8192, 1024)
  assert.throws(() => {
    for (let i = 0; i < 8192; i++) {
      arenas.list[arena].bytes.set(fromText(`${i}`.padStart(8, '0')), start[0])
      internName(names, arenas, arena, start[0], 8, 12345)
    }
  }, /too many have the same hash/)
})

test('names that are looked up without the index have the rows that it gives, and it has them when it is made anew', () => {
  const some = fc.array(fc.stringMatching(/^[a-d_]{1,5}$/), { minLength: 1, maxLength: 3000, size: 'max' })
  fc.assert(
    fc.property(some, fc.nat(60), fc.nat(3000), (texts, few, likely) => {
      const { names, arenas, mentions, found } = mention(texts)
      const known = Math.max(0, texts.length - few)
      internMentions(names, arenas, mentions, 0, known, found)
      releaseIndex(names)
      const rest = createMentions(texts.length, false)
      for (const key of ['row', 'start', 'place', 'hash'] as const) rest[key].set(mentions[key].subarray(known))
      internFew(names, arenas, rest, texts.length - known, found, found.slice(0, likely))
      assert.deepEqual([...found], expected(texts))
      texts.forEach((text, i) => {
        assert.equal(findName(names, arenas, fromText(text), 0, fromText(text).length), found[i])
      })
    }),
    { seed: 20261123, numRuns: 25 },
  )
})

test('few names without the index leave it unmade', () => {
  const { names, arenas, mentions, found } = mention(['_a', '_b', '_c', '_a'])
  internMentions(names, arenas, mentions, 0, 2, found)
  releaseIndex(names)
  internFew(names, arenas, mentions, 4, found, Uint32Array.of(1))
  assert.deepEqual([[...found], names.index.length, names.count], [[1, 2, 3, 1], 0, 3])
})

/** The names in parts of their hashes, as load leaves them, instead of the index. */
function inParts(names: Names, bits: number): void {
  const { hash } = names.Text
  const ids = Array.from({ length: names.count }, (_, i) => i + 1).sort((a, b) => hash[a] - hash[b])
  const counts = new Uint32Array(1 << bits)
  for (const id of ids) counts[hash[id] >>> (31 - bits)]++
  const base = new Uint32Array(1 << bits)
  for (let part = 1; part < base.length; part++) base[part] = base[part - 1] + counts[part - 1]
  releaseIndex(names)
  const byNumber = Uint32Array.from([0, ...ids])
  const parts = { bits, base, counts, ids: byNumber, hashes: byNumber.map((id) => hash[id]) }
  names.parts = { ...parts, covered: names.count, sought: 0 }
}

test('names in parts of their hashes are found as by the index, and new ones beside them', () => {
  fc.assert(
    fc.property(someTexts, fc.nat(60), fc.integer({ min: 1, max: 9 }), (texts, few, bits) => {
      const { names, arenas, mentions, found } = mention(texts)
      const known = Math.max(0, texts.length - few)
      internMentions(names, arenas, mentions, 0, known, found)
      inParts(names, bits)
      internMentions(names, arenas, mentions, known, texts.length, found)
      const check = (): void =>
        texts.forEach((text, i) => {
          assert.equal(findName(names, arenas, fromText(text), 0, fromText(text).length), found[i])
        })
      check()
      assert.deepEqual([[...found], names.index.length], [expected(texts), 0])
      names.parts!.sought = 1e9
      check()
      assert.ok(names.index.length > 0 && names.parts === null)
    }),
    { seed: 20261123, numRuns: 25 },
  )
})
