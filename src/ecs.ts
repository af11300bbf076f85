// The doorway to bitECS: the only importer of `$internal`. Stock bitECS keeps a Set for each entity, all of them in one Map: ~1.1 us and
// ~210 bytes an entity, and a wall at 2^24 entities (V8's Map). Here the id index and the component masks are typed arrays that are filled
// in bulk, and an entity's component set is a view of its mask. Exact to bitECS 0.4.0; test/ecs.test.ts holds it against a stock world.
import {
  $internal,
  createEntityIndex,
  createWorld,
  registerComponents,
  type InternalWorld,
  type Query,
  type World,
  type WorldContext,
} from 'bitecs'

export {
  addComponent,
  addEntity,
  entityExists,
  getEntityComponents,
  hasComponent,
  Not,
  Or,
  observe,
  onAdd,
  onRemove,
  query,
  removeComponent,
  removeEntity,
} from 'bitecs'

export type Components = Record<string, object>

/** A bitECS world of one entity kind. `components` are the kind's columns; an entity id is the row in them. */
export type Kind<C extends Components = Components> = World<{ components: C }>

/** bitECS gives 31 components one mask word; a second word would double the cost of every spawn. */
const MAX_COMPONENTS = 31
const MAX_ID = 2 ** 30 - 1
const INITIAL_ROWS = 1024

/*
 * The id index, in bitECS's own terms; `rows` is the capacity, `top` the highest id ever given out:
 *   dense   u32[top], a view of u32[rows]: living ids in [0, aliveCount), then freed ids, the next one to be given out first
 *   sparse  u32[rows + 1]                  place of an id in `dense`; 0 for ids never given out
 *   masks   u32[rows + 1]                  component bits of an id (generation 0, the only one)
 */
interface TypedIndex {
  aliveCount: number
  dense: Uint32Array & { push?: (id: number) => number }
  sparse: Uint32Array
  maxId: number
}

function contextOf(world: World): WorldContext {
  return (world as unknown as InternalWorld)[$internal]
}

function indexOf(context: WorldContext): TypedIndex {
  return context.entityIndex as unknown as TypedIndex
}

/**
 * Makes the world of one entity kind. Ids are dense from 1; 0 means none.
 * @param components the kind's components by name; each an object of columns. All are registered here.
 * @param options `reserve`: rows to make room for. A reserved row costs no memory before it is used; more rows than that double the room.
 * @throws Error for more than 31 components, or a column that bitECS would misread (`component`, `data`).
 */
export function createKind<C extends Components>(components: C, options?: { reserve: number }): Kind<C> {
  const list = Object.values(components)
  if (list.length > MAX_COMPONENTS)
    throw new Error(`a kind has at most ${MAX_COMPONENTS} components, got ${list.length}`)
  for (const [name, component] of Object.entries(components)) checkColumns(name, component)
  const kind = { components }
  Object.defineProperty(kind, WAITING, {
    value: { list, runs: [], reserve: options?.reserve ?? INITIAL_ROWS },
    writable: true,
  })
  Object.defineProperty(kind, $internal, { get: makeContext, configurable: true })
  return kind as unknown as Kind<C>
}

/*
 * Until something looks at it, a world stands as its components and the runs that spawnRange has added, three numbers each:
 *   count, mask, sum of the counts up to here
 * A link that no query looks at never makes its worlds: 14 KB a kind, 12 bytes a row and their pages, which cost more than filling them.
 * The getter is the same for all: one of a world's own would stand in its hidden class, which lives until V8 marks the whole heap,
 * and with it the columns of links that are over.
 */
const WAITING = Symbol('waiting')
type Waiting = { list: readonly object[]; runs: number[]; reserve: number }

function waitingOf(world: World): Waiting | undefined {
  return (world as { [WAITING]?: Waiting })[WAITING]
}

/** What bitECS keeps of a world, on first sight, whoever looks: it reads it from the kind. */
function makeContext(this: World & { [WAITING]?: Waiting }): WorldContext {
  const { list, runs, reserve } = this[WAITING]!
  // With bitECS's default of 8 version bits an id past 2^24 reads as dead, versioning or not; with 2 the limit is 2^30.
  const context = contextOf(createWorld(createEntityIndex(() => ({ versioning: false, versionBits: 2 }))))
  Object.defineProperty(this, WAITING, { value: undefined })
  Object.defineProperty(this, $internal, { value: context, writable: true })
  context.entityComponents = createMaskView(context)
  registerComponents(this, list as object[]) // registering one later costs a pass over all entities
  indexOf(context).dense = new Uint32Array(0)
  resize(context, Math.max(reserve, topOf(runs)))
  let first = 1
  for (let run = 0; run < runs.length; run += 3) {
    fillRange(context, first, runs[run], runs[run + 1])
    first += runs[run]
  }
  return context
}

function topOf(runs: readonly number[]): number {
  return runs.length === 0 ? 0 : runs[runs.length - 1]
}

/** Adds to the last run where the mask is the same. */
function addRun(runs: number[], count: number, mask: number): void {
  const top = topOf(runs) + count
  if (top > MAX_ID) throw new Error(`a kind has at most ${MAX_ID} entities, got ${top}`)
  const last = runs.length - 3
  if (last >= 0 && runs[last + 1] === mask) {
    runs[last] += count
    runs[last + 2] = top
  } else runs.push(count, mask, top)
}

function checkColumns(name: string, component: object): void {
  for (const column of ['component', 'data']) {
    if (column in component) throw new Error(`component ${name}: bitECS misreads a column named '${column}'`)
  }
}

/** Moves ids and masks into arrays of `rows` rows. */
function resize(context: WorldContext, rows: number): void {
  const index = indexOf(context)
  const top = index.dense.length
  const dense = new Uint32Array(rows)
  const sparse = new Uint32Array(rows + 1)
  const masks = new Uint32Array(rows + 1)
  dense.set(index.dense)
  sparse.set(top === 0 ? [] : index.sparse)
  if (top > 0) masks.set(context.entityMasks[0])
  index.sparse = sparse
  context.entityMasks[0] = masks as unknown as number[]
  setTop(context, new Uint32Array(dense.buffer, 0, top))
}

/** `addEntity` pushes on `dense` when no id is free, so that a typed one must have `push`. */
function setTop(context: WorldContext, dense: TypedIndex['dense']): void {
  dense.push = (id) => {
    growTo(context, id)
    indexOf(context).dense[id - 1] = id
    return id
  }
  indexOf(context).dense = dense
}

function growTo(context: WorldContext, top: number): void {
  if (top > MAX_ID) throw new Error(`a kind has at most ${MAX_ID} entities, got ${top}`)
  const rows = indexOf(context).dense.buffer.byteLength / 4
  if (top > rows) resize(context, Math.max(top, rows * 2))
  setTop(context, new Uint32Array(indexOf(context).dense.buffer as ArrayBuffer, 0, top))
}

/** Stands in for bitECS's Map of Sets: what a Set would hold is read from the mask. Nothing is kept for an entity. */
function createMaskView(context: WorldContext): WorldContext['entityComponents'] {
  const ignore = () => true
  const view = {
    get: (id: number) => ({ add: ignore, delete: ignore, [Symbol.iterator]: () => componentsOf(context, id).values() }),
    set: ignore,
    delete: ignore,
    keys: () => indexOf(context).dense.subarray(0, indexOf(context).aliveCount).values(),
  }
  return view as unknown as WorldContext['entityComponents']
}

function componentsOf(context: WorldContext, id: number): object[] {
  const found: object[] = []
  for (const [component, { generationId, bitflag }] of context.componentMap) {
    if (context.entityMasks[generationId][id] & bitflag) found.push(component)
  }
  return found
}

/**
 * Creates `count` entities with consecutive ids that all have `components`, in bulk: 8-35 ns an entity.
 * Freed ids are left to `addEntity`. A query sees an entity with all its components at once: one that matches only halfway (`Not`) never sees it.
 * @returns the first id
 * @throws Error for a component that is not the kind's, or past 2^30 - 1 entities.
 */
export function spawnRange(world: World, count: number, components: readonly object[]): number {
  const first = highestId(world) + 1
  const bits = maskOf(world, components)
  if (count === 0) return first
  const waiting = waitingOf(world)
  if (waiting !== undefined) addRun(waiting.runs, count, bits)
  else {
    const context = contextOf(world)
    const queries = matchingQueries(context, components)
    fillRange(context, first, count, bits)
    announce(queries, first, count)
  }
  return first
}

/** The highest id ever given out: loops over all rows run over [1, highestId]. */
export function highestId(world: World): number {
  const waiting = waitingOf(world)
  return waiting === undefined ? indexOf(contextOf(world)).dense.length : topOf(waiting.runs)
}

export function aliveCount(world: World): number {
  const waiting = waitingOf(world)
  return waiting === undefined ? indexOf(contextOf(world)).aliveCount : topOf(waiting.runs)
}

function maskOf(world: World, components: readonly object[]): number {
  const waiting = waitingOf(world)
  let mask = 0
  for (const component of components) {
    const bit = waiting === undefined ? bitOf(world, component) : waitingBit(waiting, component)
    if (bit === 0) throw new Error('spawnRange: a component of another kind')
    mask |= bit
  }
  return mask
}

/** bitECS counts them in the order of their registration. */
function waitingBit({ list }: Waiting, component: object): number {
  const place = list.indexOf(component)
  return place < 0 ? 0 : 1 << place
}

function bitOf(world: World, component: object): number {
  const known = contextOf(world).componentMap.get(component)
  return known === undefined || known.generationId !== 0 ? 0 : known.bitflag
}

/** Freed ids move behind the new ones in `dense`, in their order. */
function fillRange(context: WorldContext, first: number, count: number, bits: number): void {
  const alive = indexOf(context).aliveCount
  growTo(context, first + count - 1)
  const index = indexOf(context)
  const { dense, sparse } = index
  dense.copyWithin(alive + count, alive, first - 1)
  for (let i = 0; i < count; i++) {
    dense[alive + i] = first + i
    sparse[first + i] = alive + i
  }
  for (let i = alive + count; i < dense.length; i++) sparse[dense[i]] = i
  ;(context.entityMasks[0] as unknown as Uint32Array).fill(bits, first, first + count)
  index.aliveCount += count
  index.maxId = dense.length
}

/** Queries that a new entity with `components` ends up in, in the order in which single `addComponent` calls would have reached them. */
function matchingQueries(context: WorldContext, components: readonly object[]): Set<Query> {
  const matching = new Set<Query>()
  let mask = 0
  for (const query of context.notQueries) if (matches(query, mask)) matching.add(query)
  for (const component of components) {
    const { bitflag, queries } = context.componentMap.get(component)!
    mask |= bitflag
    for (const query of queries) {
      if (matches(query, mask)) matching.add(query)
      else matching.delete(query)
    }
  }
  return matching
}

/** What bitECS asks of one entity, asked of a mask of generation 0 (the others are empty in a new entity). */
function matches(query: Query, mask: number): boolean {
  let hasOr = Object.keys(query.orMasks).length === 0
  for (const generation of query.generations) {
    const bits = generation === 0 ? mask : 0
    const wanted = query.masks[generation] ?? 0
    if ((bits & (query.notMasks[generation] ?? 0)) !== 0 || (bits & wanted) !== wanted) return false
    if ((bits & (query.orMasks[generation] ?? 0)) !== 0) hasOr = true
  }
  return hasOr
}

function announce(queries: Set<Query>, first: number, count: number): void {
  if (queries.size === 0) return
  for (let id = first; id < first + count; id++) {
    for (const query of queries) {
      query.add(id)
      query.addObservable.notify(id)
    }
  }
}

/** Whether it is a world that createKind has made. */
export function isKind(value: object): value is Kind {
  return $internal in value && 'components' in value
}

/** What `restoreKind` makes it from again: its components and its ids. @throws Error once entities were removed. */
export function describeKind(kind: Kind): { components: Components; runs: number[] } {
  const waiting = waitingOf(kind)
  if (waiting !== undefined) return { components: kind.components, runs: [...waiting.runs] }
  if (aliveCount(kind) !== highestId(kind)) throw new Error('a kind with free ids cannot be described')
  const made: number[] = []
  const masks = contextOf(kind).entityMasks[0]
  for (let id = 1; id <= highestId(kind); id++) addRun(made, 1, masks[id])
  return { components: kind.components, runs: made }
}

/** The kind of `describeKind` with other objects of the same columns. */
export function restoreKind(components: Components, runs: readonly number[]): Kind {
  const kind = createKind(components, { reserve: topOf(runs) })
  const list = Object.values(components)
  for (let run = 0; run + 2 < runs.length; run += 3)
    spawnRange(
      kind,
      runs[run],
      list.filter((component) => (maskOf(kind, [component]) & runs[run + 1]) !== 0),
    )
  return kind
}
