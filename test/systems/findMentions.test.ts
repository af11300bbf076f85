import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createArenas, placeInArena } from '../../components/arena.ts'
import type { Link } from '../../components/link.ts'
import {
  createMentionParts,
  eachChunk,
  MENTION_WORDS,
  type MentionParts,
  sortMentions,
  sortMentionsAlone,
  sumEntries,
} from '../../components/mentionParts.ts'
import { createMentions, type Mentions } from '../../components/names.ts'
import { fromText } from '../../src/core/bytes.ts'
import { hashBytes } from '../../src/core/hash.ts'
import { COLLIDING, findChunks, type FindJob, FIRST_MENTION } from '../../systems/load/findChunks.ts'

/** Mentions of the texts by symbols 1, 2, ..., and the arena where they lie. */
function mentionsOf(texts: readonly string[], hashOf: (bytes: Uint8Array) => number) {
  const arenas = createArenas(false)
  const mentions = createMentions(Math.max(texts.length, 1), false)
  for (const [i, text] of texts.entries()) {
    const bytes = fromText(text)
    const { arena, position } = placeInArena(arenas, bytes.length, 1 << 24)
    arenas.list[arena].bytes.set(bytes, position)
    mentions.row[i] = i + 1
    mentions.start[i] = position
    mentions.place[i] = bytes.length | (arena << 24)
    mentions.hash[i] = hashOf(bytes)
  }
  return { arenas, mentions }
}

function part(mentions: Mentions, from: number, to: number): Mentions {
  const { row, start, place, hash } = mentions
  return {
    row: row.subarray(from, to),
    start: start.subarray(from, to),
    place: place.subarray(from, to),
    hash: hash.subarray(from, to),
  }
}

function find(parts: MentionParts): FindJob {
  const base = new Uint32Array(parts.head.length)
  const size = 1 << parts.bits
  const entries = sumEntries(parts, base)
  const make = () => new Uint32Array(entries + 1)
  const job = { parts, base, names: new Uint32Array(size), numbers: make(), ids: make(), hashes: make() }
  let next = 0
  findChunks({ names: { probes: 0 } } as Link, job, () => (next < size ? next++ : -1))
  return job
}

/** The number that each key has been given, 0 for one that is in no list. */
function numbersByKey({ parts, base, numbers }: FindJob, keys: number): number[] {
  const found = new Array<number>(keys + 1).fill(0)
  for (let list = 0; list < base.length; list++) {
    let entry = base[list]
    eachChunk(parts, list, (from, to) => {
      for (let at = from; at < to; at += MENTION_WORDS + ((parts.words[at + 2] + 3) >>> 2))
        found[parts.words[at + 1]] = numbers[entry++]
    })
  }
  return found
}

const hashOf = (bytes: Uint8Array) => hashBytes(bytes, 0, bytes.length)
const someText = fc.oneof(
  { weight: 50, arbitrary: fc.stringMatching(/^[a-c_]{1,6}$/) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 9000 }).map((length) => 'x'.repeat(length)) },
)

test('mentions of one name have one number, and the least is the first, whichever threads have sorted them', () => {
  const texts = fc.array(someText, { minLength: 1, maxLength: 4000, size: 'max' })
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 500 }), (all, areas, step) => {
      const { arenas, mentions } = mentionsOf(all, hashOf)
      const parts = createMentionParts(all.length, 1 << 24, areas, 0, false)
      const nameOf = new Uint32Array(all.length + 1)
      for (let from = 0, turn = 0; from < all.length; from += step, turn++) {
        const to = Math.min(from + step, all.length)
        const area = areas - 1 - (turn % areas)
        const sorted = part(mentions, from, to)
        assert.ok(sortMentions(parts, arenas, area, sorted, to - from, nameOf))
      }
      const numbers = numbersByKey(find(parts), all.length)
      const known = new Map<string, number>()
      for (const [i, text] of all.entries()) {
        const number = numbers[i + 1]!
        assert.equal(number >>> 31, known.has(text) ? 0 : 1)
        if (!known.has(text)) known.set(text, number & ~FIRST_MENTION)
        assert.equal(number & ~FIRST_MENTION, known.get(text))
      }
      assert.equal(new Set(known.values()).size, known.size)
    }),
    { seed: 20261123, numRuns: 12 },
  )
})

test('names that have rows keep them: none of their mentions is the first', () => {
  const { arenas, mentions } = mentionsOf(['_known', '_new', '_known', '_other', '_new'], hashOf)
  const parts = createMentionParts(5, 0, 1, 1, false)
  const own = part(mentions, 0, 1)
  own.row[0] = 0
  sortMentionsAlone(parts, arenas, 1, own, 1, null)
  assert.ok(sortMentions(parts, arenas, 0, part(mentions, 1, 5), 4, new Uint32Array(6)))
  const job = find(parts)
  // Keys: 1 is the row, others are the symbols 2 .. 5 behind it.
  const numbers = numbersByKey(job, 6)
  assert.deepEqual(
    numbers.slice(3).map((number) => number >>> 31),
    [1, 0, 1, 0],
  )
  assert.equal(numbers[1], numbers[4])
  assert.equal(job.ids[numbers[1]!], 1)
  assert.equal(numbers[3]! & ~FIRST_MENTION, numbers[6])
})

test('who is alone makes room for mentions that find none', () => {
  const texts = Array.from({ length: 5000 }, (_, i) => `_${'long'.repeat(800)}${i % 2500}`)
  const { arenas, mentions } = mentionsOf(texts, hashOf)
  const parts = createMentionParts(texts.length, 0, 1, 0, false)
  const nameOf = new Uint32Array(texts.length + 1)
  const pages = parts.next.length
  let at = 0
  while (at < texts.length && sortMentions(parts, arenas, 0, part(mentions, at, at + 1), 1, nameOf)) at++
  assert.ok(at < texts.length, 'there was room for all')
  assert.equal(parts.next.length, pages)
  sortMentionsAlone(parts, arenas, 0, part(mentions, at, texts.length), texts.length - at, nameOf)
  assert.ok(parts.next.length > pages)
  const numbers = numbersByKey(find(parts), texts.length)
  for (let i = 0; i < 2500; i++) assert.equal(numbers[i + 1]! & ~FIRST_MENTION, numbers[i + 2501])
})

test('names made to collide are noticed before they take long', () => {
  const texts = Array.from({ length: 20000 }, (_, i) => `_collides${i}`)
  const { arenas, mentions } = mentionsOf(texts, () => 12345)
  const parts = createMentionParts(texts.length, 1 << 20, 1, 0, false)
  assert.ok(sortMentions(parts, arenas, 0, mentions, texts.length, new Uint32Array(texts.length + 1)))
  const { names } = find(parts)
  assert.ok(names.includes(COLLIDING))
})
