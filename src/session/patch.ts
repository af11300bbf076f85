// patch: brings a finished link up to date after changes within its objects: their blocks are relocated into the kept image, and
// what depends on them follows, page by page. The result is what a full link writes; where that is not certain, it says why.
import { ARENA_LIMIT, createArena } from '../../components/arena.ts'
import { alignUp } from '../core/align.ts'
import { FILE_AGAIN, FILE_LOADED, FILE_OBJECT, FILE_PARSED } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { startsOfFile } from '../../systems/beginExports/functionStarts.ts'
import { unsettleNames } from '../../systems/kernels/settled.ts'
import { signAgain } from '../../systems/sign.ts'
import { FormatError, readU32 } from '../core/bytes.ts'
import { createMessages } from '../core/messages.ts'
import * as macho from '../formats/macho/constants.ts'
import { type Host, HostError } from '../host/host.ts'
import type { Input, SystemTiming } from '../types.ts'
import { countDirty, createDirtyPages, type DirtyPages, markDirty } from './patch/dirtyPages.ts'
import { changeTables } from './patch/changeTables.ts'
import { effectsOf, haveSameFunctions } from './patch/effects.ts'
import { saveExtents } from './patch/extents.ts'
import { hasObjectiveCTables } from './patch/hasObjectiveCTables.ts'
import { isSameLiveness, type Liveness, livenessOf } from './patch/liveness.ts'
import { type Alone, loadAlone, type Place } from './patch/loadAlone.ts'
import { patchDataInCode, patchInitOffsets, patchStabs } from './patch/patchTables.ts'
import { rewriteUnwind, updateUnwinds } from './patch/patchUnwind.ts'
import { whyNoOther } from './patch/otherShape.ts'
import { MOST_OTHERS, relocateAgain, relocateOthers } from './patch/relocateAgain.ts'
import { finishPointers } from './patch/pointers.ts'
import { relocateFile } from './patch/relocateFile.ts'
import { haveSameEdges } from './patch/sameEdges.ts'
import { differenceOf, type Shape } from './patch/sameShape.ts'
import { moveBlocks, movesOf } from './patch/moves.ts'
import { moveNeighbours, type Neighbour, patchNeighbours, patchStarts, saveNeighbours } from './patch/neighbours.ts'
import { areFresh, type Relations, relationsAgain } from './patch/relations.ts'
import { type Restructure, restructure } from './patch/restructure.ts'
import { haveSameBranches, mayHaveThunks, otherThunks, rewriteThunks } from './patch/thunksAgain.ts'
import { swapRows } from './patch/swapRows.ts'

/** A finished link for which `whyNever` says nothing, and what patches need besides. */
export interface Patching {
  link: Link
  /** Objects by path; 0 for a path that stands for several. */
  files: Map<string, number>
  /** By file, where versions of it were read: the newest and the one before, which makes room for the next. */
  places: Map<number, Place[]>
  /** The arena that new versions are read into; -1: none yet. */
  arena: number
  /** Found when something moves for the first time. */
  relations: Relations | null
  /** What lives with -dead_strip, found when an object refers to something else for the first time: no patch changes it. */
  live: Liveness | null
  /** As `effectsOf` wants it. */
  heads: Uint32Array
  /** A patch has begun to change image and tail, and has not come to its end. */
  isChanging: boolean
  /** Called before all symbols or blocks are looked at: of a snapshot, the columns are read by pages until then. */
  whole: (() => void) | null
}

/** `arena`: where an earlier link's patches have read to, which this one has taken over; -1: none. */
export function createPatching(link: Link, arena = -1): Patching {
  const files = new Map<string, number>()
  const { kind, path } = link.files.Source
  for (let file = 1; file <= link.files.count; file++) {
    if (kind[file] !== FILE_OBJECT || link.files.Order.parent[file] !== 0) continue
    const name = link.paths[path[file]]
    files.set(name, files.has(name) ? 0 : file)
  }
  return {
    link,
    files,
    places: new Map(),
    arena,
    relations: null,
    live: null,
    heads: new Uint32Array(link.blocks.count + 1),
    isChanging: false,
    whole: null,
  }
}

export interface Patched {
  dirty: DirtyPages
  dirtyBlocks: number
  dirtyPages: number
  timings: SystemTiming[]
}

/** An object as it is now, and how it differs from what it was. */
interface Change extends Shape {
  file: number
  after: Alone
  modified: number
}

/**
 * Patches image and tail after changes of `inputs`, which are read through `host`. Returns a reason in words where only a full
 * link is sure to be right; the link is then of no use any more.
 */
export function patch(patching: Patching, host: Host, inputs: readonly Input[]): Patched | string {
  const { link } = patching
  link.messages = createMessages()
  link.timings = []
  if (!areFresh(patching.relations)) patching.relations = null
  const dirty = createDirtyPages(link, link.digests!.shift)
  let dirtyBlocks = 0
  const steps = createSteps(host, link)
  const named = (path: string, what: string) => `${inputs.length > 1 ? path : 'it'} ${what}`
  const changes: (Change | Restructure)[] = []
  for (const input of inputs) {
    const change = readChange(patching, host, input)
    if (typeof change === 'string') return named(input.path!, change)
    changes.push(change)
  }
  if (changes.length > 1 && changes.some((change) => 'literals' in change && change.literals))
    return 'literals of several objects may be the same'
  steps('load')
  if (changes.some((change) => 'before' in change || change.moves)) patching.whole?.()
  for (const change of changes) {
    link.files.Source.flags[change.file] |= FILE_AGAIN
    unsettleNames(link, change.file)
    const count = ('before' in change ? restructure : patchObject)(patching, change as Change & Restructure, dirty)
    if (typeof count === 'string') return named(link.paths[link.files.Source.path[change.file]], count)
    dirtyBlocks += count
  }
  const thunks = finishThunks(link, changes, dirty)
  if (thunks !== '') return `${inputs.length > 1 ? 'an object' : 'it'} ${thunks}`
  const trouble = finishPointers(link, dirty)
  if (trouble !== '') return `${inputs.length > 1 ? 'an object' : 'it'} ${trouble}`
  if (!patchDataInCode(link, dirty)) return 'other code holds data'
  if (link.messages.list.length > 0) return link.messages.list[0].text
  steps('relocate')
  if (countDirty(dirty) > 0) {
    const ranges = signAgain(link, link.digests!, dirty.pages, dirty.tail)
    for (let i = 0; i < ranges.length; i += 2) markDirty(link, dirty, ranges[i], ranges[i + 1])
  }
  steps('sign')
  patching.isChanging = false
  return { dirty, dirtyBlocks, dirtyPages: countDirty(dirty), timings: link.timings }
}

/** Thunks stay as they are, or the trouble is returned in words; their targets may have moved. */
function finishThunks(link: Link, changes: readonly (Change | Restructure)[], dirty: DirtyPages): string {
  if (!mayHaveThunks(link)) return ''
  const isSame = changes.every((change) => 'branches' in change && change.branches && !change.moves)
  const trouble = isSame ? '' : otherThunks(link)
  if (trouble === '') rewriteThunks(link, dirty)
  return trouble
}

/** A function that ends a step: its time and counters go to the link's timings. */
function createSteps(host: Host, link: Link): (system: string) => void {
  const none = () => ({ rows: 0, read: 0, hashed: 0, written: 0, probes: 0, allocated: 0 })
  let started = host.now()
  link.visited = none()
  return (system) => {
    const { visited } = link
    const bytes = visited.read + visited.hashed + visited.written
    const now = host.now()
    link.timings.push({ system, milliseconds: now - started, bytes, ...visited })
    link.visited = none()
    started = now
  }
}

function readChange(patching: Patching, host: Host, input: Input): Change | Restructure | string {
  const { link, files } = patching
  const file = files.get(input.path ?? '') ?? 0
  if (file === 0) return 'is not one object'
  const { flags, arena, position, size } = link.files.Source
  if ((flags[file] & (FILE_LOADED | FILE_PARSED)) !== (FILE_LOADED | FILE_PARSED)) return 'took no part so far'
  try {
    const read = readPlace(patching, host, file, input)
    if (typeof read === 'string') return read
    const before = loadAlone(link, file, { arena: arena[file], position: position[file], size: size[file] })
    const after = loadAlone(link, file, read.place)
    if (before === null || after === null) return 'cannot be linked'
    const shape: Shape = { resized: new Set(), moves: false, literals: false, edges: false, branches: true }
    const difference = differenceOf(link, file, before, after, shape)
    if (difference !== '' && link.settings.layout !== 'padded') return difference
    if (difference !== '')
      return whyNoOther(link, file, before, after) || { file, before, after, modified: read.modified }
    shape.edges = link.settings.deadStrip === true && !haveSameEdges(before.link, after.link)
    shape.branches = !mayHaveThunks(link) || haveSameBranches(before.link, after.link)
    return { ...shape, file, after, modified: read.modified }
  } catch (trouble) {
    if (trouble instanceof FormatError || trouble instanceof HostError) return trouble.message
    throw trouble
  }
}

/** Reads the object to a place that no version in use takes. */
function readPlace(
  patching: Patching,
  host: Host,
  file: number,
  { path, contents }: Input,
): { place: Place; modified: number } | string {
  const { arenas } = patching.link
  const stat = contents === undefined ? host.stat(path!) : null
  const size = contents?.length ?? stat?.size ?? -1
  if (size < 4 || stat?.isFile === false) return 'is no object any more'
  const place = nextPlace(patching, file, size)
  if (place === null) return 'finds no room'
  const { bytes } = arenas.list[place.arena]
  if (contents !== undefined) bytes.set(contents, place.position)
  else if (host.readInto(path!, bytes.subarray(place.position, place.position + size), 0, size, 0) !== size)
    return 'changed while it was read'
  patching.link.visited.read += size
  if (readU32(bytes, place.position) !== macho.MH_MAGIC_64) return 'is no object any more'
  return { place, modified: stat?.mtimeSeconds ?? 0 }
}

/** Small objects share an arena; columns hold the number of one in a byte. */
const ARENA_STEP = 1 << 24
const MOST_ARENAS = 250

/** Of two places a file's versions alternate between; one that is too small is given up. */
function nextPlace(patching: Patching, file: number, size: number): Place | null {
  const places = patching.places.get(file) ?? []
  patching.places.set(file, places)
  const free = places.length === 2 ? places.shift()! : null
  const room = free !== null && free.size >= size ? free : newPlace(patching, size + (size >>> 2))
  if (room === null) return null
  places.push(room)
  return { ...room, size }
}

/** The arenas of the link hold what it read, its names and its own symbols. */
function newPlace(patching: Patching, size: number): Place | null {
  const { list, shared } = patching.link.arenas
  const arena = list[patching.arena]
  if (arena === undefined || arena.used + size > arena.bytes.length) {
    if (list.length >= MOST_ARENAS || size > ARENA_LIMIT - 64) return null
    patching.arena = list.push(createArena(Math.max(ARENA_STEP, alignUp(size + 64, 16)), shared)) - 1
    return newPlace(patching, size)
  }
  const position = arena.used
  arena.used = alignUp(position + size, 16)
  return { arena: patching.arena, position, size }
}

/** Returns how many blocks have changed, or why a patch is not possible. */
function patchObject(patching: Patching, change: Change, dirty: DirtyPages): number | string {
  const { file, after, modified } = change
  const { link, heads } = patching
  const moves = movesOf(link, { file, after: after.link }, change.resized)
  if (moves === null) return 'has blocks that leave their room'
  patching.isChanging = true
  const addresses = moves.get(file) ?? null
  const extents = saveExtents(link, file, after.link, addresses)
  moves.delete(file)
  const neighbours = saveNeighbours(link, moves)
  const isMoving = addresses !== null || neighbours.length > 0
  const effects = effectsOf(link, file, heads)
  const fixups = relocateFile(link, file)
  if (change.edges) patching.live ??= livenessOf(link)
  swapRows(link, file, after.link, modified)
  if (change.edges && !isSameLiveness(patching.live!, livenessOf(link))) return 'changes what lives'
  const now = effectsOf(link, file, heads)
  if (effects === null || now === null) return 'has references that only a full link follows'
  if (link.messages.errors > 0) return 'has relocations that cannot be linked'
  if (!haveSameFunctions(effects.unwinds, now.unwinds)) return 'has other unwind entries'
  const affected = changeTables(link, () => relationsAgain(patching), file, effects, now, dirty)
  if (typeof affected === 'string') return affected
  const others = isMoving ? moveObject(patching, file, addresses, neighbours, dirty) : 0
  if (typeof others === 'string') return others
  const count = relocateAgain(link, [{ file, extents, fixups }, ...neighbours], dirty)
  if (typeof count === 'string') return count
  const more = relocateOthers(link, affected, dirty)
  if (typeof more === 'string') return more
  const isOther = updateUnwinds(link, file, now.unwinds) || isMoving || dirty.pointers.saved.length > 0
  if (link.unwind !== null && isOther && !rewriteUnwind(link, dirty)) return 'has other unwind entries'
  patchStabs(link, file, dirty)
  patchInitOffsets(link, isMoving ? 0 : file, dirty)
  return count + others + more
}

/** Moves blocks, and brings up to date what refers to them from outside; returns how many blocks of other objects have changed. */
function moveObject(
  patching: Patching,
  file: number,
  addresses: Float64Array | null,
  neighbours: readonly Neighbour[],
  dirty: DirtyPages,
): number | string {
  const { link } = patching
  if (hasObjectiveCTables(link)) return 'moves code that Objective-C tables may list'
  const starts = startsOfFile(link, file)
  const relations = relationsAgain(patching)
  const own = addresses === null ? null : moveBlocks(link, relations, file, addresses)
  const touched = own?.touched ?? new Map()
  const symbols = moveNeighbours(link, relations, neighbours, touched).concat(own?.symbols ?? [])
  touched.delete(file)
  if (touched.size > MOST_OTHERS) return `moves what ${touched.size} objects refer to`
  if (!patchNeighbours(link, neighbours, symbols, dirty)) return 'has more or fewer exports than there is room for'
  if (!patchStarts(link, file, starts, neighbours, dirty)) return 'makes the list of functions longer or shorter'
  return relocateOthers(link, touched, dirty)
}
