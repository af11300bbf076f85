import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fixupColumns, SEGMENT_STRIDE } from '../../components/fixups.ts'
import type { Link } from '../../components/link.ts'
import { sortFixups } from '../../src/session/patch/fixupRows.ts'

/** A link with these fixups: binds hold their number in the list as import, and three times that as addend. */
function linkWith(places: readonly number[]): Link {
  const { length } = places
  const fixups = fixupColumns(length, length, false)
  places.forEach((place, i) => {
    fixups.Rebase.location[i + 1] = fixups.Bind.location[i + 1] = place
    fixups.Bind.import[i + 1] = i
    fixups.Bind.addend[i + 1] = i * 3
  })
  return { fixups: { ...fixups, rebases: length, binds: length } } as unknown as Link
}

function check(places: readonly number[]): void {
  const link = linkWith(places)
  sortFixups(link, { sorted: false })
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b] || a - b)
  const { Rebase, Bind } = link.fixups
  assert.deepEqual(
    [...Rebase.location.subarray(1, places.length + 1)],
    order.map((i) => places[i]),
  )
  assert.deepEqual([...Bind.import.subarray(1, places.length + 1)], order)
  assert.deepEqual(
    [...Bind.addend.subarray(1, places.length + 1)],
    order.map((i) => i * 3),
  )
}

test('fixups of blocks in descending order, with those of tables in front of them listed last, are sorted', () => {
  const blocks = Array.from({ length: 50 }, (_, block) => [24, 16, 8].map((at) => 2 * SEGMENT_STRIDE + block * 32 + at))
  const table = [40, 8, 24, 0].map((at) => SEGMENT_STRIDE + at)
  check([...blocks.flat(), ...table])
  check([...blocks.flat(), ...table, 2 * SEGMENT_STRIDE + 40, 3 * SEGMENT_STRIDE])
})

test('fixups in any order are sorted, those of one place as they stood', () => {
  const places = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 60 })), { maxLength: 80 })
  fc.assert(
    fc.property(places, (list) => check(list.map(([segment, at]) => segment * SEGMENT_STRIDE + at))),
    { seed: 20261123, numRuns: 300 },
  )
})
