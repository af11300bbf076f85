// flush: applies what is dirty, in the order of what depends on what: blocks, entries, chains, dyld's tables, symbols, __LINKEDIT,
// header, signature.
import {
  EDIT_DIRTY,
  EDIT_FREED,
  EDIT_MOVED,
  EDIT_PLACED,
  EDIT_THUNK,
  EDIT_UNDEFINED,
  EDIT_WAITING,
} from '../../components/edits.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { APPLY_MISALIGNED, APPLY_OUT_OF_RANGE } from '../arch/arch.ts'
import { sameBytes } from '../core/hash.ts'
import { createMessages, error, type Messages } from '../core/messages.ts'
import { entityExists, highestId } from '../ecs.ts'
import type { FilePart } from '../host/host.ts'
import { isDebugStale, touchAllLines } from './debug.ts'
import { lookUp } from './definitions.ts'
import { writeDsym } from './dsym.ts'
import { writeDyldTables } from './dyldInfo.ts'
import { blockAddress, isThere, writeAllEntries, writeGot, writeIndirect, writeStub } from './entries.ts'
import { findEntry } from './entryPoint.ts'
import { layOut, sectionSize } from './layout.ts'
import { headerOf } from './linked/header.ts'
import { writeLinkedit } from './linkedit.ts'
import { encodeObject } from './object.ts'
import { linkPages } from './pointers.ts'
import { encodeRecord, RECORD_OWNER } from './record.ts'
import {
  applyIncoming,
  applyOwn,
  applyReference,
  type Failed,
  isReferenced,
  NOT_THREAD_LOCAL,
  UNREACHABLE,
} from './references.ts'
import { signImage, UUID_SIZE } from './sign.ts'
import { markPages, type State } from './state.ts'
import { stringText } from './strings.ts'
import { writeSymbols } from './symbols.ts'
import { writeDescriptors } from './threadLocals.ts'
import { ensureUnwind } from './unwind.ts'
import { writeUnwind } from './writeUnwind.ts'
import { replaceTable } from './table.ts'
import { bridge, freeIdleThunks, isBridgeable } from './thunks.ts'
import { writeImage } from './writeFile.ts'
import type { FlushResult } from './types.ts'

const MAX_NOTES = 3
const NO_RECORD = new Uint8Array(0)
/** Thunks move code, so that others do not reach: each time fewer. */
const MAX_ROUNDS = 16

export function flushImage(state: State, record = false): FlushResult {
  const messages = createMessages()
  freeIdleThunks(state)
  checkWaiting(state, messages)
  if (state.object !== null) return flushObject(state, state.object, messages)
  checkEntry(state, messages)
  noteRecord(state, record, messages)
  for (let round = 0; ; round++) {
    applyDirty(state, messages)
    if (round >= MAX_ROUNDS || !ensureUnwind(state)) break
  }
  if (messages.errors > 0) return { messages: messages.list, contents: null, ranges: [] }
  settle(state)
  writeTables(state)
  const contents = state.bytes.subarray(0, state.size)
  const ranges = state.resized ? [{ at: 0, bytes: contents }] : dirtyRanges(state)
  if (state.file !== null && !writeImage(state, state.file, contents, ranges.length > 0, messages))
    return { messages: messages.list, contents: null, ranges: [] }
  if (state.file !== null && isDebugStale(state, ranges.length > 0)) writeDsym(state, state.file.host, messages)
  state.pages.fill(0)
  state.resized = false
  return { messages: messages.list, contents, ranges }
}

/** The load command that finds the record may need more room than there is. */
function noteRecord(state: State, record: boolean, messages: Messages): void {
  state.note = record ? { owner: RECORD_OWNER, offset: 0, size: 0 } : null
  if (!record || headerOf(state, 0).length <= state.textStart) return
  if (state.base === null) return layOut(state)
  state.note = null
  error(
    messages,
    'no-header-room',
    'the linked file has no room for the load command of a record: open it with headerPad',
  )
}

/** All of it; only that it is as it was is worth knowing. */
function flushObject(state: State, object: { contents: Uint8Array }, messages: Messages): FlushResult {
  if (messages.errors > 0) return { messages: messages.list, contents: null, ranges: [] }
  const contents = encodeObject(state, messages)
  const changed =
    contents.length !== object.contents.length || !sameBytes(contents, 0, object.contents, 0, contents.length)
  const failed = { messages: messages.list, contents: null, ranges: [] }
  if (messages.errors > 0) return failed
  state.resized = changed
  if (state.file !== null && !writeImage(state, state.file, contents, changed, messages)) return failed
  forgetEdits(state)
  object.contents = contents
  return { messages: [], contents, ranges: changed ? [{ at: 0, bytes: contents }] : [] }
}

function forgetEdits(state: State): void {
  const { flags } = state.blocks.Place
  for (const block of state.dirtyBlocks) flags[block] &= ~(EDIT_DIRTY | EDIT_MOVED)
  for (const list of [state.dirtyBlocks, state.dirtyGots, state.dirtyStubs, state.movedExports, state.indirectEntries])
    list.length = 0
}

/** Blocks without contents, and names without a definition, must not be referred to. */
function checkWaiting(state: State, messages: Messages): void {
  const { Place, Entry } = state.blocks
  state.waiting = [...new Set(state.waiting)].filter((block) => {
    if (Place.flags[block] & EDIT_WAITING && !isThere(state, block)) return true
    Place.flags[block] &= ~EDIT_WAITING
    return false
  })
  const missing = new Map<number, string[]>()
  for (const block of state.waiting) {
    if (!isReferenced(state, block)) continue
    if (state.object !== null && isUndefined(state, block)) continue
    if (state.lookUp && Place.flags[block] & EDIT_UNDEFINED) lookUp(state, block)
    else missing.set(block, [])
  }
  if (missing.size === 0) return
  findReferrers(state, missing)
  for (const [block, notes] of missing) {
    const kind = isUndefined(state, block) ? 'symbol' : 'block'
    const text = `undefined ${kind}: ${stringText(state, Entry.string[block])}`
    error(messages, `undefined-${kind}`, text, null, notes)
  }
}

/** A name without a block, and not freed. */
function isUndefined(state: State, block: number): boolean {
  return (state.blocks.Place.flags[block] & (EDIT_UNDEFINED | EDIT_FREED)) === EDIT_UNDEFINED
}

function findReferrers(state: State, missing: Map<number, string[]>): void {
  const { world, Site } = state.references
  const { Place } = state.blocks
  const last = highestId(world)
  for (let r = 1; r <= last; r++) {
    const notes = entityExists(world, r) ? missing.get(Site.target[r]) : undefined
    if (notes === undefined || notes.length >= MAX_NOTES || Place.flags[Site.block[r]] & EDIT_THUNK) continue
    notes.push(`referenced by ${stringText(state, state.blocks.Entry.string[Site.block[r]])}+${Site.offset[r]}`)
  }
}

function checkEntry(state: State, messages: Messages): void {
  if (state.settings.outputType !== 'execute' || state.base !== null) return
  state.entry = findEntry(state)
  if (state.entry === 0) error(messages, 'missing-entry-point', `missing entry point: ${state.settings.entry}`)
}

function applyDirty(state: State, messages: Messages): void {
  const explained = new Set<number>()
  let far: number[] = []
  const failed = (reference: number, result: number) => {
    if (result === APPLY_OUT_OF_RANGE && isBridgeable(state, reference)) far.push(reference)
    else if (!explained.has(reference)) explain(state, messages, reference, result)
    explained.add(reference)
  }
  applyAll(state, failed)
  for (let round = 0; far.length > 0; round++) {
    const wanted = [...new Set(far)]
    far = []
    const lost = round < MAX_ROUNDS ? bridge(state, wanted, failed) : wanted
    for (const reference of lost) explain(state, messages, reference, APPLY_OUT_OF_RANGE)
    if (lost.length > 0) return
    if (state.relocated) applyAll(state, failed)
    else for (const reference of wanted) applyReference(state, reference, failed)
  }
}

function applyAll(state: State, failed: Failed): void {
  const { Place } = state.blocks
  if (state.relocated) {
    const last = highestId(state.blocks.world)
    for (let block = 1; block <= last; block++) if (Place.flags[block] & EDIT_PLACED) applyOwn(state, block, failed)
    return
  }
  for (const block of state.dirtyBlocks) {
    if ((Place.flags[block] & EDIT_DIRTY) === 0) continue
    if (Place.flags[block] & EDIT_PLACED) applyOwn(state, block, failed)
    applyIncoming(state, block, failed)
  }
}

/** Names block, offset and target. */
function explain(state: State, messages: Messages, reference: number, result: number): void {
  const { block, offset, type, target } = state.references.Site
  const owner = stringText(state, state.blocks.Entry.string[block[reference]])
  const what = `${state.arch.relocationNames[type[reference]]} at ${owner}+${offset[reference]}`
  const wanted = targetText(state, target[reference])
  if (result === APPLY_OUT_OF_RANGE) error(messages, 'relocation-out-of-range', `${what} does not reach ${wanted}`)
  else if (result === UNREACHABLE) {
    const text = `${what} cannot reach ${wanted}, whose address is known at run time only`
    error(messages, 'relocation-unreachable', text)
  } else if (result === NOT_THREAD_LOCAL)
    error(messages, 'not-thread-local', `${what} needs a thread-local variable, not ${wanted}`)
  else if (result === APPLY_MISALIGNED)
    error(messages, 'relocation-misaligned', `${what} needs an aligned target, not ${wanted}`)
  else error(messages, 'bad-instruction', `${what} is not on an instruction that it fits`)
}

function targetText(state: State, target: number): string {
  const { Entry } = state.blocks
  return stringText(state, target & TARGET_IMPORT ? state.uses.Uses.string[target & 0x7fffffff] : Entry.string[target])
}

/** What was applied is no longer dirty; entries follow. */
function settle(state: State): void {
  const { Place } = state.blocks
  for (const block of state.dirtyBlocks) Place.flags[block] &= ~(EDIT_DIRTY | EDIT_MOVED)
  state.dirtyBlocks.length = 0
  if (state.relocated) writeAllEntries(state)
  else {
    for (const got of state.dirtyGots) if (entityExists(state.gots.world, got)) writeGot(state, got)
    for (const stub of state.dirtyStubs) if (entityExists(state.stubs.world, stub)) writeStub(state, stub)
  }
  writeDescriptors(state)
  writeUnwind(state)
  state.dirtyGots.length = state.dirtyStubs.length = 0
  if (state.relocated) {
    writeSymbols(state)
    touchAllLines(state)
  }
  state.relocated = false
}

function writeTables(state: State): void {
  if (state.settings.fixupChains) linkPages(state)
  writeDyldTables(state)
  writeIndirect(state)
  state.stale.indirect = false
  for (let output = 1; output <= state.outputs.count; output++)
    state.outputs.Extent.size[output] = sectionSize(state, output)
  replaceTable(state.tables.record, state.note === null ? NO_RECORD : encodeRecord(state).bytes)
  writeLinkedit(state)
  writeHeader(state)
  if (state.pages.includes(1)) signImage(state)
}

function writeHeader(state: State): void {
  const { bytes, textStart } = state
  const header = new Uint8Array(textStart)
  header.set(headerOf(state, state.entry === 0 ? 0 : blockAddress(state, state.entry)))
  if (state.uuidAt > 0) header.set(bytes.subarray(state.uuidAt, state.uuidAt + UUID_SIZE), state.uuidAt)
  if (sameBytes(header, 0, bytes, 0, textStart)) return
  bytes.set(header)
  markPages(state, 0, textStart)
}

/** Runs of pages that changed. */
function dirtyRanges(state: State): FilePart[] {
  const ranges: FilePart[] = []
  const { pages, shift, size } = state
  for (let page = 0; page < pages.length; page++) {
    if (pages[page] === 0) continue
    const at = page << shift
    while (page + 1 < pages.length && pages[page + 1] !== 0) page++
    ranges.push({ at, bytes: state.bytes.subarray(at, Math.min(size, (page + 1) << shift)) })
  }
  return ranges
}
