// Many spoiled copies of one fixture, linked one after the other; what came of them, counted.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { attempt } from './attempt.ts'
import { archiveFields, fatFields, type Field, machoFields, textFields } from './fields.ts'
import type { Fixture } from './fixtures.ts'
import { createRandom, flipBytes, type Mutation, spoilField, truncate } from './mutate.ts'

export interface Plan {
  /** Fields to spoil, chosen evenly; truncations; random changes. */
  fields: number
  truncations: number
  flips: number
}

const SEED = 20240607

function fieldsOf(fixture: Fixture): Field[] {
  const bytes = fixture.files[fixture.subject]
  if (fixture.kind === 'macho') return machoFields(bytes)
  if (fixture.kind === 'archive') return archiveFields(bytes)
  return fixture.kind === 'fat' ? fatFields(bytes) : textFields(bytes)
}

/** Every n-th field with one wrong value each, then cuts at even distances. */
function mutationsOf(fixture: Fixture, plan: Plan): Mutation[] {
  const bytes = fixture.files[fixture.subject]
  const random = createRandom(SEED)
  const fields = fieldsOf(fixture)
  const step = Math.max(1, fields.length / plan.fields)
  const made: Mutation[] = []
  for (let i = 0; i < fields.length; i += step) made.push(...spoilField(bytes, fields[Math.floor(i)], random, 1))
  for (let i = 0; i < plan.truncations; i++) made.push(truncate(Math.floor((bytes.length * i) / plan.truncations)))
  return made
}

/** Tests a fixture as it is and spoiled: never a bug, and both ways to go are taken. */
export function campaign(fixture: Fixture, plan: Plan, beat: (name: string) => void): void {
  const bytes = fixture.files[fixture.subject]
  test(`${fixture.name} links as it is`, async () => {
    for (const fixupChains of [true, false]) {
      const { verdict, text } = await attempt(fixture, bytes, fixupChains)
      assert.deepEqual([verdict, text], ['linked', ''])
    }
  })

  test(`${fixture.name} with a wrong field or cut short is refused with a place, or linked right`, async (context) => {
    const counts = { linked: 0, refused: 0 }
    let turn = 0
    for (const mutation of mutationsOf(fixture, plan)) {
      turn++
      counts[await tryMutation(fixture, mutation, turn, beat)]++
    }
    context.diagnostic(`${fixture.name}: ${counts.linked} linked, ${counts.refused} refused`)
    assert.ok(counts.linked > 0 && counts.refused > 0, JSON.stringify(counts))
  })

  test(`${fixture.name} with bytes changed anywhere is refused with a place, or linked right`, async () => {
    const property = fc.asyncProperty(
      fc.nat(),
      fc.integer({ min: 1, max: 8 }),
      fc.nat(3),
      async (seed, flips, turn) => {
        await tryMutation(fixture, flipBytes(createRandom(seed), flips), turn, beat)
      },
    )
    await fc.assert(property, { seed: SEED, numRuns: plan.flips })
  })
}

/** Both forms of fixups and -dead_strip take turns. */
async function tryMutation(
  fixture: Fixture,
  mutation: Mutation,
  turn: number,
  beat: (name: string) => void,
): Promise<'linked' | 'refused'> {
  beat(`${fixture.name}, ${mutation.name}`)
  const spoiled = mutation.apply(fixture.files[fixture.subject])
  const outcome = await attempt(fixture, spoiled, (turn & 1) === 0, { deadStrip: (turn & 2) !== 0 })
  assert.ok(outcome.verdict !== 'bug', `${fixture.name}, ${mutation.name}, turn ${turn & 3}: ${outcome.text}`)
  return outcome.verdict
}
