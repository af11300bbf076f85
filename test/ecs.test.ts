import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEntityIndex, createWorld, getAllEntities, type World } from 'bitecs'
import fc from 'fast-check'
import {
  addComponent,
  addEntity,
  aliveCount,
  createKind,
  entityExists,
  getEntityComponents,
  hasComponent,
  highestId,
  Not,
  Or,
  observe,
  onAdd,
  onRemove,
  query,
  removeComponent,
  removeEntity,
  spawnRange,
} from '../src/ecs.ts'

const SEED = { seed: 20240817, numRuns: 200 }

type Step = { op: 'spawn' | 'add' | 'remove' | 'removeEntity' | 'addEntity' | 'query'; pick: number; bits: number }

const steps = (ops: Step['op'][], size: number) =>
  fc.array(fc.record({ op: fc.constantFrom(...ops), pick: fc.nat(9999), bits: fc.nat(15) }), {
    minLength: size,
    maxLength: size,
    size: 'max',
  })

/** The world under test and a stock one that is driven in step with it; `pairs` are [id here, id there] of the living. */
function createTwins() {
  const parts = [{ a: new Uint8Array(0) }, { b: [] }, {}, { d: new Float64Array(0) }]
  const kind = createKind({ A: parts[0], B: parts[1], C: parts[2], D: parts[3] }, { reserve: 4 })
  const stock: World = createWorld(createEntityIndex())
  const pairs: [number, number][] = []
  const log: [string[], string[]] = [[], []]
  const [A, B, C, D] = parts
  const shapes = [[A], [B, C], [Or(A, D)], [A, Not(B)], [D, C, B], [Or(B, C), Not(D)]]
  for (const [side, world] of [kind as World, stock].entries()) watch(world, shapes, log[side])
  return { parts, kind, stock, pairs, log, shapes }
}

type Twins = ReturnType<typeof createTwins>

/** Observers on what a query with `Not` sees halfway through a creation are left out: a range has no halfway. */
function watch(world: World, shapes: object[][], log: string[]): void {
  for (const [i, shape] of shapes.entries()) {
    query(world, shape)
    if (i < 3) {
      observe(world, onAdd(...shape), (id) => log.push(`add ${i} ${id}`))
      observe(world, onRemove(...shape), (id) => log.push(`remove ${i} ${id}`))
    }
  }
}

function spawnBoth(twins: Twins, count: number, bits: number): void {
  const parts = twins.parts.filter((_, i) => bits & (1 << i))
  const first = spawnRange(twins.kind, count, parts)
  for (let i = 0; i < count; i++) {
    const id = addEntity(twins.stock)
    for (const part of parts) addComponent(twins.stock, id, part)
    twins.pairs.push([first + i, id])
  }
}

function take(twins: Twins, step: Step): void {
  const { kind, stock, pairs, parts } = twins
  if (step.op === 'spawn') return spawnBoth(twins, step.pick % 7, step.bits)
  if (step.op === 'query') return compareQueries(twins)
  if (step.op === 'addEntity') {
    pairs.push([addEntity(kind), addEntity(stock)])
    return
  }
  if (pairs.length === 0) return
  const at = step.pick % pairs.length
  const [here, there] = pairs[at]
  const part = parts[step.bits % 4]
  if (step.op === 'add') assert.equal(addComponent(kind, here, part), addComponent(stock, there, part))
  if (step.op === 'remove')
    for (const [world, id] of [
      [kind, here],
      [stock, there],
    ] as const)
      removeComponent(world, id, part)
  if (step.op === 'removeEntity') {
    removeEntity(kind, here)
    removeEntity(stock, there)
    pairs.splice(at, 1)
    assert.equal(entityExists(kind, here), false)
  }
}

function compareQueries({ kind, stock, pairs, shapes }: Twins): void {
  const there = new Map(pairs)
  for (const shape of shapes) {
    const found = [...query(kind, shape)].map((id) => there.get(id))
    assert.deepEqual(new Set(found), new Set(query(stock, shape)))
    assert.equal(found.length, query(stock, shape).length)
  }
}

function compareEntities({ kind, stock, pairs, parts }: Twins): void {
  assert.equal(aliveCount(kind), pairs.length)
  assert.deepEqual(new Set(getAllEntities(kind)), new Set(pairs.map(([here]) => here)))
  for (const [here, there] of pairs) {
    assert.ok(entityExists(kind, here))
    assert.deepEqual(
      parts.map((part) => hasComponent(kind, here, part)),
      parts.map((part) => hasComponent(stock, there, part)),
    )
    assert.deepEqual(new Set(getEntityComponents(kind, here)), new Set(getEntityComponents(stock, there)))
  }
}

test('a spawned world and a stock one agree on everything under random operations', () => {
  const any: Step['op'][] = ['spawn', 'add', 'add', 'remove', 'removeEntity', 'addEntity', 'query']
  fc.assert(
    fc.property(steps(any, 60), (run) => {
      const twins = createTwins()
      for (const step of run) take(twins, step)
      compareQueries(twins)
      compareEntities(twins)
    }),
    SEED,
  )
})

test('ids, query order and observer calls are the stock ones when ranges are spawned before anything is removed', () => {
  fc.assert(
    fc.property(
      steps(['spawn', 'addEntity', 'add'], 12),
      steps(['add', 'remove', 'removeEntity', 'addEntity', 'query'], 60),
      (a, b) => {
        const twins = createTwins()
        for (const step of [...a, ...b]) take(twins, step)
        for (const [here, there] of twins.pairs) assert.equal(here, there)
        for (const shape of twins.shapes.slice(0, 3))
          assert.deepEqual([...query(twins.kind, shape)], [...query(twins.stock, shape)])
        assert.deepEqual(twins.log[0], twins.log[1])
      },
    ),
    SEED,
  )
})

test('ids are dense from 1 and ranges are consecutive', () => {
  const kind = createKind({ A: {} })
  assert.equal(highestId(kind), 0)
  assert.equal(spawnRange(kind, 5, []), 1)
  assert.equal(spawnRange(kind, 0, []), 6)
  assert.equal(addEntity(kind), 6)
  assert.equal(spawnRange(kind, 3, []), 7)
  assert.equal(highestId(kind), 9)
  assert.equal(entityExists(kind, 0), false)
  assert.equal(entityExists(kind, 10), false)
})

test('ranges spawned before anyone looks are there when bitECS itself, any of its functions, looks first', () => {
  const A = { a: new Uint8Array(8) }
  const B = { b: new Uint8Array(8) }
  const make = () => {
    const kind = createKind({ A, B }, { reserve: 2 })
    assert.deepEqual([spawnRange(kind, 2, [A]), spawnRange(kind, 3, [A]), spawnRange(kind, 1, [A, B])], [1, 3, 6])
    assert.deepEqual([highestId(kind), aliveCount(kind)], [6, 6])
    return kind
  }
  assert.deepEqual([...query(make(), [A])], [1, 2, 3, 4, 5, 6])
  assert.deepEqual([...query(make(), [A, B])], [6])
  assert.deepEqual([...getAllEntities(make())], [1, 2, 3, 4, 5, 6])
  assert.deepEqual(getEntityComponents(make(), 6), [A, B])
  assert.ok(hasComponent(make(), 5, A) && !hasComponent(make(), 5, B))
  const grown = make()
  assert.equal(addEntity(grown), 7)
  removeEntity(grown, 3)
  assert.equal(addEntity(grown), 3)
  assert.equal(spawnRange(grown, 2, [B]), 8)
  assert.deepEqual([...query(grown, [B])], [6, 8, 9])
})

test('a range leaves freed ids to addEntity, the last freed first', () => {
  const kind = createKind({ A: {} })
  spawnRange(kind, 10, [])
  for (const id of [3, 7, 10]) removeEntity(kind, id)
  assert.equal(spawnRange(kind, 4, []), 11)
  assert.deepEqual([addEntity(kind), addEntity(kind), addEntity(kind), addEntity(kind)], [10, 7, 3, 15])
  assert.equal(aliveCount(kind), 15)
})

test('a recycled id comes back without components', () => {
  const A = {}
  const kind = createKind({ A })
  spawnRange(kind, 2, [A])
  removeEntity(kind, 2)
  assert.equal(hasComponent(kind, addEntity(kind), A), false)
})

test('room doubles when more rows come than were reserved, and rows keep their components', () => {
  const A = {}
  const kind = createKind({ A }, { reserve: 2 })
  spawnRange(kind, 2, [A])
  for (let i = 0; i < 5000; i++) addEntity(kind)
  spawnRange(kind, 100_000, [A])
  assert.equal(query(kind, [A]).length, 100_002)
  assert.equal(hasComponent(kind, 2, A), true)
  assert.equal(hasComponent(kind, 5002, A), false)
})

test('the components object is on the world', () => {
  const components = { A: { size: new Uint32Array(1) } }
  assert.equal(createKind(components).components, components)
})

test('columns that bitECS misreads, a 32nd component and a foreign component are refused', () => {
  assert.throws(() => createKind({ A: { data: [] } }), /component A: bitECS misreads a column named 'data'/)
  assert.throws(() => createKind({ A: { component: [] } }), /named 'component'/)
  const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`C${i}`, {}]))
  assert.throws(() => createKind(many(32)), /at most 31 components, got 32/)
  const parts = many(31)
  const kind = createKind(parts)
  const last = spawnRange(kind, 1, Object.values(parts))
  assert.equal(getEntityComponents(kind, last).length, 31)
  removeEntity(kind, last)
  assert.throws(() => spawnRange(kind, 1, [{}]), /a component of another kind/)
})

test('twenty million rows in one world, past the 2^24 of a Map, are real entities', () => {
  const Row = {}
  const Dirty = {}
  const kind = createKind({ Row, Dirty }, { reserve: 20_000_001 })
  query(kind, [Dirty])
  for (let file = 0; file < 2000; file++) assert.equal(spawnRange(kind, 10_000, [Row]), file * 10_000 + 1)
  assert.equal(aliveCount(kind), 20_000_000)
  const sample = [1, 16_777_215, 16_777_216, 16_777_217, 19_999_999, 20_000_000]
  for (const id of sample) addComponent(kind, id, Dirty)
  assert.deepEqual([...query(kind, [Dirty])], sample)
  assert.deepEqual(getEntityComponents(kind, 20_000_000), [Row, Dirty])
  assert.equal(hasComponent(kind, 18_000_000, Row), true)
  assert.equal(hasComponent(kind, 18_000_000, Dirty), false)
  removeEntity(kind, 16_777_217)
  assert.equal(entityExists(kind, 16_777_217), false)
  assert.deepEqual(new Set(query(kind, [Dirty])), new Set(sample.filter((id) => id !== 16_777_217)))
  assert.equal(addEntity(kind), 16_777_217)
  assert.equal(addEntity(kind), 20_000_001)
})
