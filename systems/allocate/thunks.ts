// Lays out code that outgrows the reach of a branch, as ld64.lld does: in one pass, a thunk where a waiting branch would lose
// sight of the end of the code. A target that is not placed yet counts as out of reach.
// Cost: nothing while the code fits; else one visit a relocation of it and one pass over the symbols, on all threads, and one of each
// branch that may not reach.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { type Link, locate } from '../../components/link.ts'
import { FILL_INPUTS, FILL_OBJC_STUBS, FILL_STUBS } from '../../components/outputs.ts'
import { ORDER_DESCENDING } from '../../components/sections.ts'
import { SYMBOL_ABSOLUTE, TARGET_IMPORT } from '../../components/symbols.ts'
import { addThunk, createBranchTargets, createThunks } from '../../components/thunks.ts'
import { runKernel } from '../../components/mirror.ts'
import { R_BRANCH } from '../../src/arch/arch.ts'
import { alignUp } from '../../src/core/align.ts'
import { error } from '../../src/core/messages.ts'
import { spawnRange } from '../../src/ecs.ts'
import { isInReach, pairedAddend } from '../kernels/branches.ts'
import { isCodeFlags } from '../kernels/code.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { orderBlocks } from '../kernels/orderBlocks.ts'
import {
  branchChunks,
  type BranchList,
  countBranches,
  createBranchList,
  HAS_ADDEND,
  measureChunks,
  type MeasureJob,
} from './branchChunks.ts'
import {
  addendOf,
  type BranchQueue,
  countWaiting,
  createBranchQueue,
  createPositions,
  emptyQueue,
  enqueue,
  HAS_ROW,
  leave,
  seesThunk,
  serveSlot,
  slotOf,
  targetOf,
} from './branchQueue.ts'
import { closeRegion, createRooms, enterBlock, type Rooms, roomOf, sectionClass } from './rooms.ts'

const FILES_A_CHUNK = 64
const MEASURE_PARTS = ['files', 'sections', 'blocks', 'symbols'] as const
const LIST_PARTS = [...MEASURE_PARTS, 'arch', 'settings', 'arenas'] as const

/** The layout at hand. */
export interface Extension {
  site: Site
  queue: BranchQueue
  /** Branches of the largest section, in its order, of those that may not reach; null where its blocks have another. */
  list: BranchList | null
  /** Of the section at hand in `list`, and its next branch. */
  index: number
  next: number
  /** By output section: its addresses are final. */
  placed: Uint8Array
  output: number
  base: number
  size: number
  /** Start and end of the block at hand, were there no thunks; to its end everything is placed. */
  start: number
  end: number
  /** The most that thunks have moved a block. */
  moved: number
  /** Thunks of the section, and its largest alignment so far. */
  made: number
  align: number
  /** Of the section at hand in the padded layout; null where its blocks are packed. */
  rooms: Rooms | null
  /** Code sections and stubs behind the one at hand. */
  rest: number[]
}

/** Null when every branch within the segment's code reaches. `list` is the segment's sections in order. */
export async function extendBranches(link: Link, list: readonly number[]): Promise<Extension | null> {
  const code = outgrownCode(link, list)
  if (code === null) return null
  const largest = largestOf(link, code)
  const position = createPositions(link)
  const job = measureJob(link, position, largest)
  await runKernel(link, 'measureChunks', MEASURE_PARTS, measureChunks, job, chunksOf(job))
  const found = createBranchList(link, link.inputs[largest], position)
  const counted = await runKernel(link, 'branchChunks', LIST_PARTS, branchChunks, found, found.chunks)
  return createExtension(link, code, largest, found, sumOf(counted))
}

/** The same at once, on the link's own thread. */
export function extendBranchesAlone(link: Link, list: readonly number[]): Extension | null {
  const code = outgrownCode(link, list)
  if (code === null) return null
  const largest = largestOf(link, code)
  const position = createPositions(link)
  const job = measureJob(link, position, largest)
  measureChunks(link, job, takeAll(chunksOf(job)))
  const found = createBranchList(link, link.inputs[largest], position)
  return createExtension(link, code, largest, found, branchChunks(link, found, takeAll(found.chunks)))
}

/** Chunks 0 to count - 1, one after the other. */
function takeAll(count: number): () => number {
  let next = 0
  return () => (next < count ? next++ : -1)
}

/** The segment's code and stubs, if they may be too long for a branch. */
export function outgrownCode(link: Link, list: readonly number[]): number[] | null {
  const { arch } = link
  if (!Number.isFinite(arch.branchReach) || link.thunks.count > 0) return null
  const code = list.filter((output) => isBranchTarget(link, output))
  let end = 0
  for (const output of code) end = alignUp(end, 2 ** link.outputs.Section.alignPow2[output]) + roomOf(link, output)
  return end <= arch.branchReach - 4 ? null : code
}

function largestOf(link: Link, code: readonly number[]): number {
  const { size } = link.outputs.Extent
  return code.reduce((most, output) => (size[output] > size[most] ? output : most), code[0])
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** `found` are branches of the section `largest`, which has `counted` of them. */
function createExtension(
  link: Link,
  code: readonly number[],
  largest: number,
  found: BranchList,
  counted: number,
): Extension {
  const others = code.filter((output) => output !== largest)
  const branches = counted + sumOf(others.map((output) => branchesOf(link, output)))
  link.thunks = createThunks(branches, link.arenas.shared)
  link.branchTargets = createBranchTargets(branches, link.arenas.shared)
  const queue = createBranchQueue(link, branches, code.length, found.position, largest)
  for (const output of code)
    forEachBlock(link, output, (block) => (link.blocks.Placement.address[block] = Number.POSITIVE_INFINITY))
  return {
    site: createSite(),
    queue,
    list: link.priorities.length === 0 ? found : null,
    index: 0,
    next: 0,
    placed: new Uint8Array(link.outputs.count + 1),
    output: 0,
    base: 0,
    size: 0,
    start: 0,
    end: 0,
    moved: 0,
    made: 0,
    align: 4,
    rooms: null,
    rest: [...code],
  }
}

/** Input code, which thunks may stand in. */
export function hasBranches(link: Link, output: number): boolean {
  const { fill, flags } = link.outputs.Section
  return fill[output] === FILL_INPUTS && isCodeFlags(flags[output])
}

/** Of what takes part in the layout. */
export function isBranchTarget(link: Link, output: number): boolean {
  const { fill } = link.outputs.Section
  return hasBranches(link, output) || fill[output] === FILL_STUBS || fill[output] === FILL_OBJC_STUBS
}

function forEachBlock(link: Link, output: number, use: (block: number) => void): void {
  const { flags } = link.blocks.Extent
  const ordered = link.priorities.length === 0 ? null : orderBlocks(link, link.inputs[output])
  if (ordered !== null) {
    for (let i = 0; i < ordered.length; i++) use(ordered[i])
    return
  }
  for (const section of link.inputs[output]) {
    const first = link.sections.Blocks.first[section]
    const end = first + link.sections.Blocks.count[section]
    for (let block = first; block < end; block++)
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) use(block)
  }
}

function branchesOf(link: Link, output: number): number {
  const site = createSite()
  let branches = 0
  for (const section of link.inputs[output]) {
    enterSection(site, link, section)
    branches += countBranches(link, site)
  }
  return branches
}

/** Places the blocks of a code section, with thunks among them; their addresses are final. */
export function placeWithThunks(link: Link, ext: Extension, output: number): void {
  ext.output = output
  ext.base = link.outputs.Extent.address[output]
  ext.size = ext.start = ext.end = ext.moved = ext.made = 0
  ext.align = 4
  ext.rest = ext.rest.filter((other) => other !== output)
  ext.placed[output] = 1
  const { Extent, Placement, Relocations } = link.blocks
  const { room, alignPow2 } = link.outputs.Section
  const rooms = room[output] === 0 ? null : createRooms(link, output, alignPow2[output])
  ext.rooms = rooms
  forEachBlock(link, output, (block) => {
    const align = 2 ** Extent.alignPow2[block]
    const size = Extent.size[block]
    ext.start = rooms === null ? alignUp(ext.end, align) : enterBlock(link, rooms, block)
    const gap = rooms === null ? 0 : ext.start - ext.end
    if (mayBeDue(link, ext, gap, align, size)) serveQueue(link, ext, gap, align, size)
    ext.end = ext.start + size
    if (align > ext.align) {
      ext.align = align
      ext.moved = mostMoved(link, ext)
    }
    const offset = alignUp(ext.size + gap, align)
    Placement.address[block] = ext.base + offset
    ext.size = offset + size
    if (Relocations.count[block] === 0) return
    if (isListed(ext)) noteListed(link, ext, block, offset)
    else noteBranches(link, ext, block, offset)
  })
  serveRest(link, ext)
  emptyQueue(ext.queue)
  link.outputs.Extent.size[output] = rooms === null ? ext.size : sizeWithRoom(link, ext, ext.size)
}

/** Up to where the section at hand takes room when its code ends at `size`. */
function sizeWithRoom(link: Link, ext: Extension, size: number): number {
  if (ext.rooms !== null) return sectionClass(size + closeRegion(ext.rooms) - ext.end)
  return link.settings.layout === 'padded' ? sectionClass(size) : size
}

function measureJob(link: Link, position: Uint32Array, output: number): MeasureJob {
  return { files: link.order, step: FILES_A_CHUNK, position, names: link.names.count, output }
}

function chunksOf({ files, step }: MeasureJob): number {
  return Math.ceil(files.length / step)
}

/** Makes entities of the rows. */
export function spawnThunks(link: Link): void {
  const { thunks, branchTargets } = link
  spawnRange(thunks.world, thunks.count, [thunks.Thunk])
  spawnRange(branchTargets.world, branchTargets.count, [branchTargets.Target])
}

/** Whether the list of branches has all that the blocks to come can need. */
function isListed({ list, queue, output, moved }: Extension): boolean {
  return list !== null && output === queue.measured && moved <= list.margin
}

/** As `noteBranches`, of those that are listed. */
function noteListed(link: Link, ext: Extension, block: number, start: number): void {
  const { Extent } = link.blocks
  const { sections, first, end, place } = ext.list!
  const section = Extent.section[block]
  if (sections[ext.index] !== section || ext.next < first[ext.index]) {
    while (sections[ext.index] !== section) ext.index++
    ext.next = first[ext.index]
  }
  const stop = end[ext.index]
  const limit = Extent.offset[block] + Extent.size[block]
  const shift = start - Extent.offset[block]
  for (; ext.next < stop && place[ext.next] < limit; ext.next++) noteRow(link, ext, ext.next, shift)
}

function noteRow(link: Link, ext: Extension, row: number, shift: number): void {
  const { place, symbol, expected, sections } = ext.list!
  if (symbol[row] >>> 31 === 0) {
    const to = symbol[row]
    return noteExpected(link, ext, shift + place[row], to, 0, slotOf(link, to, 0), expected[row])
  }
  enterSection(ext.site, link, sections[ext.index])
  const addend = pairedAddend(link, ext.site, expected[row])
  noteBranch(link, ext, shift + place[row], symbol[row] & ~HAS_ADDEND, addend)
}

/** Queues the branches of a block that see neither their target nor a thunk of it, by ascending address. */
function noteBranches(link: Link, ext: Extension, block: number, start: number): void {
  const { site } = ext
  const { Extent, Relocations } = link.blocks
  const { target } = link.symbols.Reference
  const { attributes } = link.arch
  enterSection(site, link, Extent.section[block])
  const { words, records, firstSymbol } = site
  const first = Relocations.first[block]
  const count = Relocations.count[block]
  const descending = link.sections.Relocations.order[Extent.section[block]] === ORDER_DESCENDING
  const shift = start - Extent.offset[block]
  for (let n = 0; n < count; n++) {
    const i = descending ? first + count - 1 - n : first + n
    const word = words[records + i * 2 + 1]
    if ((attributes[word >>> 28] & R_BRANCH) === 0 || (word & 0x08000000) === 0) continue
    const symbol = firstSymbol + (word & 0xffffff)
    if (target[symbol] !== 0) noteBranch(link, ext, shift + words[records + i * 2], symbol, pairedAddend(link, site, i))
  }
  link.visited.rows += count
}

/**
 * Most targets lie behind, and thunks moved them further this way, if at all: known from one column. One that lies ahead is
 * not placed. What is left is looked at closely.
 */
function noteBranch(link: Link, ext: Extension, place: number, symbol: number, addend: number): void {
  const { queue } = ext
  const slot = slotOf(link, symbol, addend)
  const expected = slot & HAS_ROW || queue.measured !== ext.output ? 0 : queue.position[slot]
  noteExpected(link, ext, place, symbol, addend, slot, expected)
}

function noteExpected(
  link: Link,
  ext: Extension,
  place: number,
  symbol: number,
  addend: number,
  slot: number,
  expected: number,
): void {
  const { queue } = ext
  const { branchReach } = link.arch
  if (expected === 0 || expected <= ext.end + 1) {
    if (expected !== 0 && expected <= ext.start && place - expected < branchReach) return
    const address = addressNow(link, ext, link.symbols.Reference.target[symbol])
    if (isInReach(branchReach, ext.base + place, address + addend)) return
  }
  if (!seesThunk(link, queue, slot, ext.base + place)) enqueue(queue, place, slot, expected)
}

/** Where a target lies, Infinity while that is open: stubs, and code that is still to come. */
function addressNow(link: Link, ext: Extension, target: number): number {
  if (target & TARGET_IMPORT) return Number.POSITIVE_INFINITY
  const { Definition, Reference } = link.symbols
  if (Definition.flags[target] & SYMBOL_ABSOLUTE) return Reference.address[target]
  const block = Definition.block[target]
  const home = link.blocks.Placement.leader[block] || block
  if (home === 0 || ext.placed[link.sections.Blocks.output[link.blocks.Extent.section[home]]] === 0)
    return Number.POSITIVE_INFINITY
  return link.blocks.Placement.address[home] + Definition.offset[target]
}

/** `placed`: everything before it is, by where it would be without thunks. */
function isDone(link: Link, ext: Extension, at: number, placed: number): boolean {
  const { queue } = ext
  const { branchReach } = link.arch
  const expected = queue.expected[at]
  const place = queue.place[at]
  if (expected !== 0) {
    if (expected > placed + 1) return false
    const near = expected + ext.moved - place < branchReach - 4 && place - expected < branchReach
    if (near && expected <= placed) return true
  }
  const slot = queue.slot[at]
  const address = addressNow(link, ext, targetOf(link, slot)) + addendOf(link, slot)
  return isInReach(branchReach, ext.base + place, address)
}

/**
 * Whether the head of the queue is due, should it still wait. Who need not wait leaves no earlier than that: it makes no difference
 * who is at the head before.
 */
function mayBeDue(link: Link, ext: Extension, gap: number, align: number, size: number): boolean {
  const { queue } = ext
  if (queue.head === queue.tail) return false
  const { branchReach, thunkSize } = link.arch
  const end = alignUp(ext.base + ext.size + gap, align) + size
  return end + queue.pending * thunkSize > ext.base + queue.place[queue.head] + branchReach - 4
}

/**
 * Makes thunks for the branches that would not reach past the next block, `size` bytes at `align` behind `gap` bytes of room, and
 * the thunks still to come.
 */
function serveQueue(link: Link, ext: Extension, gap: number, align: number, size: number): void {
  const { branchReach, thunkSize } = link.arch
  const { queue } = ext
  for (; queue.head < queue.tail; queue.head++) {
    const at = queue.head
    const place = ext.base + queue.place[at]
    if (isDone(link, ext, at, ext.start)) leave(queue)
    else if (!seesThunk(link, queue, queue.slot[at], place)) {
      const end = alignUp(ext.base + ext.size + gap, align) + size
      if (end + queue.pending * thunkSize <= place + branchReach - 4) return
      makeThunk(link, ext, at)
    }
  }
}

function makeThunk(link: Link, ext: Extension, at: number): void {
  const row = serveSlot(link, ext.queue, ext.queue.slot[at])
  ext.size = alignUp(ext.size, 4)
  const address = ext.base + ext.size
  const place = ext.base + ext.queue.place[at]
  if (address > place + link.arch.branchReach - 4) {
    const text = 'a branch does not reach its target, and there is no room for a thunk within its reach'
    error(link.messages, 'thunk-out-of-reach', text, locate(link, fileAt(link, ext.output, place)))
  }
  addThunk(link.thunks, link.branchTargets, row, ext.output, address)
  ext.size += link.arch.thunkSize
  ext.made++
  ext.moved = mostMoved(link, ext)
}

/** Each thunk moves what is behind it by its size and by what aligns it and later blocks anew. */
function mostMoved(link: Link, ext: Extension): number {
  return ext.made * alignUp(link.arch.thunkSize + 4, ext.align)
}

/** The file whose block holds an address of an output section that is placed. */
function fileAt(link: Link, output: number, place: number): number {
  const { address } = link.blocks.Placement
  let found = 0
  forEachBlock(link, output, (block) => {
    if (address[block] <= place && (found === 0 || address[block] >= address[found])) found = block
  })
  return link.sections.Header.file[link.blocks.Extent.section[found]]
}

/** What still waits at the section's end gets a thunk there, but for stubs that will surely be within reach. */
function serveRest(link: Link, ext: Extension): void {
  const { queue } = ext
  const { branchReach, thunkSize } = link.arch
  queue.pending = 0
  for (let at = queue.head; at < queue.tail; at++) {
    if (isDone(link, ext, at, ext.end + 1)) queue.slot[at] = 0
    else if (!seesThunk(link, queue, queue.slot[at], ext.base + queue.place[at])) countWaiting(queue, at)
  }
  const codeEnd = ext.base + sizeWithRoom(link, ext, ext.size + queue.pending * thunkSize)
  const stubsEnd = stubsEndAfter(link, ext, codeEnd)
  for (let at = queue.head; at < queue.tail; at++) {
    const slot = queue.slot[at]
    const place = ext.base + queue.place[at]
    if (slot === 0) continue
    if (stubsEnd <= place + branchReach - 4 && addendOf(link, slot) === 0 && isStub(link, targetOf(link, slot)))
      continue
    if (!seesThunk(link, queue, slot, place)) makeThunk(link, ext, at)
  }
}

function stubsEndAfter(link: Link, ext: Extension, codeEnd: number): number {
  const { alignPow2 } = link.outputs.Section
  return ext.rest.reduce((end, output) => alignUp(end, 2 ** alignPow2[output]) + roomOf(link, output), codeEnd)
}

function isStub(link: Link, target: number): boolean {
  if (target & TARGET_IMPORT) return true
  const section = link.blocks.Extent.section[link.symbols.Definition.block[target]]
  return link.outputs.Section.fill[link.sections.Blocks.output[section]] === FILL_OBJC_STUBS
}
