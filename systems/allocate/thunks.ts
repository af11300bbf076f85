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
import { alignUp, alignUpPow2 } from '../../src/core/align.ts'
import { error } from '../../src/core/messages.ts'
import { countTo } from '../../src/core/pool.ts'
import { spawnRange } from '../../src/ecs.ts'
import { isInReach, pairedAddend } from '../kernels/branches.ts'
import { isCodeFlags } from '../kernels/code.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { orderBlocks } from '../kernels/orderBlocks.ts'
import {
  BEHIND,
  branchChunks,
  type BranchList,
  countBranches,
  createBranchList,
  createNamedTargets,
  HAS_ADDEND,
  measureChunks,
  type MeasureJob,
  type NamedTargets,
  unplaceChunks,
  unplaceSection,
} from './branchChunks.ts'
import {
  addendOf,
  type BranchQueue,
  countWaiting,
  createBranchQueue,
  emptyQueue,
  enqueue,
  leave,
  seesThunk,
  serveSlot,
  slotOf,
  targetOf,
} from './branchQueue.ts'
import { closeRegion, createRooms, enterBlock, type Rooms, roomOf, sectionClass } from './rooms.ts'
import { createStretches, islandSlots, openStretch, spreadIsland, type Stretches } from './stretches.ts'

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
  /** Of it, room before it. */
  gap: number
  /** The most that thunks have moved a block. */
  moved: number
  /** Of the section at hand in the padded layout; null where its blocks are packed. */
  rooms: Rooms | null
  stretches: Stretches
  /** Code sections and stubs behind the one at hand. */
  rest: number[]
}

/** Null when every branch within the segment's code reaches. `list` is the segment's sections in order. */
export async function extendBranches(link: Link, list: readonly number[]): Promise<Extension | null> {
  const code = outgrownCode(link, list)
  if (code === null) return null
  const job = measureJob(link, largestOf(link, code))
  await runKernel(link, 'measureChunks', MEASURE_PARTS, measureChunks, job, chunksOf(job))
  const plan = planExtension(link, code, job.named)
  const { found } = plan
  if (found === null) return createExtension(link, plan)
  const counted = await runKernel(link, 'branchChunks', LIST_PARTS, branchChunks, found, found.chunks)
  await runKernel(link, 'unplaceChunks', MEASURE_PARTS, unplaceChunks, found, found.chunks)
  return createExtension(link, plan, sumOf(counted))
}

/** The same at once, on the link's own thread. */
export function extendBranchesAlone(link: Link, list: readonly number[]): Extension | null {
  const code = outgrownCode(link, list)
  if (code === null) return null
  const job = measureJob(link, largestOf(link, code))
  measureChunks(link, job, countTo(chunksOf(job)))
  const plan = planExtension(link, code, job.named)
  const { found } = plan
  if (found === null) return createExtension(link, plan)
  const counted = branchChunks(link, found, countTo(found.chunks))
  unplaceChunks(link, found, countTo(found.chunks))
  return createExtension(link, plan, counted)
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

interface Plan {
  code: readonly number[]
  named: NamedTargets
  /** Sections whose branches are looked at one by one, and how many there are. */
  looked: readonly number[]
  branches: number
  /** Room for the list of those of the largest section; null where its blocks do not keep the order of the inputs. */
  found: BranchList | null
}

function planExtension(link: Link, code: readonly number[], named: NamedTargets): Plan {
  const { output } = named
  const isListable = hasBranches(link, output) && link.priorities.length === 0
  const looked = isListable ? code.filter((other) => other !== output) : code
  const branches = sumOf(looked.map((other) => branchesOf(link, other)))
  const found = isListable ? createBranchList(link, named, branches + code.length) : null
  return { code, named, looked, branches, found }
}

/** There are `listed` branches in the section of the list. */
function createExtension(link: Link, { code, named, looked, branches, found }: Plan, listed = 0): Extension {
  const most = branches + listed
  link.thunks = createThunks(most, link.arenas.shared)
  link.branchTargets = createBranchTargets(most, link.arenas.shared)
  for (const output of looked) for (const section of link.inputs[output]) unplaceSection(link, section)
  return {
    site: createSite(),
    queue: createBranchQueue(link, most, code.length, found, named),
    list: found,
    index: 0,
    next: 0,
    placed: new Uint8Array(link.outputs.count + 1),
    output: 0,
    base: 0,
    size: 0,
    start: 0,
    end: 0,
    gap: 0,
    moved: 0,
    rooms: null,
    stretches: createStretches(),
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
  const { room, alignPow2 } = link.outputs.Section
  ext.output = output
  ext.base = link.outputs.Extent.address[output]
  ext.size = ext.start = ext.end = ext.moved = 0
  ext.stretches = createStretches()
  ext.rest = ext.rest.filter((other) => other !== output)
  ext.placed[output] = 1
  ext.rooms = room[output] === 0 ? null : createRooms(link, output, alignPow2[output])
  const { count } = link.blocks.Relocations
  forEachBlock(link, output, (block) => {
    const isRegion = enter(link, ext, block)
    serveDue(link, ext, block)
    if (isRegion && makeIsland(link, ext)) serveDue(link, ext, block)
    const offset = place(link, ext, block)
    if (count[block] === 0) return
    if (isListed(ext)) noteListed(link, ext, ext.list!, block, offset)
    else noteBranches(link, ext, block, offset)
  })
  serveRest(link, ext)
  emptyQueue(ext.queue)
  link.outputs.Extent.size[output] = ext.rooms === null ? ext.size : sizeWithRoom(link, ext, ext.size)
}

/** Whether the list of branches has all that the blocks to come can need. */
function isListed({ list, output, moved }: Extension): boolean {
  return list !== null && output === list.named.output && moved <= list.margin
}

/** The next block: where it would be without thunks. Whether a region begins with it. */
function enter(link: Link, ext: Extension, block: number): boolean {
  const { rooms } = ext
  ext.gap = 0
  if (rooms === null) {
    ext.start = alignUpPow2(ext.end, link.blocks.Extent.alignPow2[block])
    return false
  }
  const { regionEnd } = rooms
  ext.start = enterBlock(link, rooms, block)
  ext.gap = ext.start - ext.end
  return rooms.regionEnd !== regionEnd
}

function offsetOf(link: Link, ext: Extension, block: number): number {
  return alignUpPow2(ext.size + ext.gap, link.blocks.Extent.alignPow2[block])
}

/** The address where the block would end. */
function endWith(link: Link, ext: Extension, block: number): number {
  const { alignPow2, size } = link.blocks.Extent
  return alignUpPow2(ext.base + ext.size + ext.gap, alignPow2[block]) + size[block]
}

/** Returns its offset. */
function place(link: Link, ext: Extension, block: number): number {
  const size = link.blocks.Extent.size[block]
  const offset = offsetOf(link, ext, block)
  link.blocks.Placement.address[block] = ext.base + offset
  ext.size = offset + size
  ext.end = ext.start + size
  if (offset - ext.start > ext.moved) ext.moved = offset - ext.start
  return offset
}

/** Up to where the section at hand takes room when its code ends at `size`. */
function sizeWithRoom(link: Link, ext: Extension, size: number): number {
  if (ext.rooms !== null) return sectionClass(size + closeRegion(ext.rooms) - ext.end)
  return link.settings.layout === 'padded' ? sectionClass(size) : size
}

function measureJob(link: Link, output: number): MeasureJob {
  return { files: link.order, step: FILES_A_CHUNK, named: createNamedTargets(link, output) }
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

/** As `noteBranches`, of those that are listed. */
function noteListed(link: Link, ext: Extension, list: BranchList, block: number, start: number): void {
  const { Extent } = link.blocks
  const { sections, first, place, slot, expected } = list
  const section = Extent.section[block]
  if (sections[ext.index] !== section || ext.next < first[ext.index]) {
    while (sections[ext.index] !== section) ext.index++
    ext.next = first[ext.index]
  }
  const stop = list.end[ext.index]
  const limit = Extent.offset[block] + Extent.size[block]
  const shift = start - Extent.offset[block]
  let row = ext.next
  for (; row < stop && place[row] < limit; row++) {
    const to = slot[row]
    if (to >>> 31 === 0) noteExpected(link, ext, shift + place[row], 0, to, expected[row])
    else {
      enterSection(ext.site, link, section)
      const addend = pairedAddend(link, ext.site, expected[row])
      noteBranch(link, ext, shift + place[row], (to & ~HAS_ADDEND) >>> 0, addend)
    }
  }
  ext.next = row
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
  const isMeasured = slot <= link.names.count && queue.named.output === ext.output
  noteExpected(link, ext, place, addend, slot, isMeasured ? queue.named.position[slot] : 0)
}

function noteExpected(link: Link, ext: Extension, place: number, addend: number, slot: number, expected: number): void {
  const { queue } = ext
  const { branchReach } = link.arch
  if (expected === 0 || expected <= ext.end + 1) {
    if (expected !== 0 && expected <= ext.start && place - expected < branchReach) return
    const address = addressNow(link, ext, targetOf(link, slot))
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

/** Makes the thunks that are due before the block. */
function serveDue(link: Link, ext: Extension, block: number): void {
  const { queue } = ext
  if (queue.head === queue.tail) return
  const { branchReach } = link.arch
  const end = endWith(link, ext, block)
  // Who need not wait leaves no earlier than it would be due: it makes no difference who is at the head before.
  if (end + roomFor(link, ext, queue.pending) <= ext.base + queue.place[queue.head] + branchReach - 4) return
  serveQueue(link, ext, block)
}

/** Makes thunks for the branches that would not reach past the next block and the thunks still to come. */
function serveQueue(link: Link, ext: Extension, block: number): void {
  const { branchReach } = link.arch
  const { queue } = ext
  for (; queue.head < queue.tail; queue.head++) {
    const at = queue.head
    const place = ext.base + queue.place[at]
    if (isDone(link, ext, at, ext.start)) leave(queue)
    else if (!seesThunk(link, queue, queue.slot[at], place)) {
      const end = endWith(link, ext, block)
      if (end + roomFor(link, ext, queue.pending) <= place + branchReach - 4) return
      makeThunk(link, ext, at)
    }
  }
}

/** What so many thunks take, with the room of an island and its alignment. */
function roomFor(link: Link, { rooms }: Extension, thunks: number): number {
  if (rooms === null) return thunks * link.arch.thunkSize
  return islandSlots(thunks) * link.arch.thunkSize + 2 ** rooms.alignPow2
}

/** Before the region that begins, in the room behind the one before. Whether there is an island. */
function makeIsland(link: Link, ext: Extension): boolean {
  const { queue, size } = ext
  const stop = openStretch(ext.stretches, ext.start, queue.tail, link.arch.branchReach)
  if (stop <= queue.head) return false
  const first = link.thunks.count + 1
  ext.size = alignUpPow2(size + ext.gap, 2)
  for (; queue.head < stop; queue.head++) {
    if (isDone(link, ext, queue.head, ext.start)) leave(queue)
    else if (!seesThunk(link, queue, queue.slot[queue.head], ext.base + queue.place[queue.head]))
      makeThunk(link, ext, queue.head)
  }
  if (link.thunks.count < first) {
    ext.size = size
    return false
  }
  closeIsland(link, ext, first)
  ext.gap = 0
  return true
}

/** Blocks behind it keep their alignments in the section. */
function closeIsland(link: Link, ext: Extension, first: number): void {
  const end = link.thunks.Thunk.address[first] - ext.base + spreadIsland(link, first)
  ext.size = ext.start + alignUpPow2(end - ext.start, ext.rooms!.alignPow2)
}

function makeThunk(link: Link, ext: Extension, at: number): void {
  const row = serveSlot(link, ext.queue, ext.queue.slot[at])
  ext.size = alignUpPow2(ext.size, 2)
  const address = ext.base + ext.size
  const place = ext.base + ext.queue.place[at]
  if (address > place + link.arch.branchReach - 4) {
    const text = 'a branch does not reach its target, and there is no room for a thunk within its reach'
    error(link.messages, 'thunk-out-of-reach', text, locate(link, fileAt(link, ext.output, place)))
  }
  addThunk(link.thunks, link.branchTargets, row, ext.output, address)
  ext.size += link.arch.thunkSize
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
  const { branchReach } = link.arch
  const isIsland = closeLast(link, ext)
  const first = link.thunks.count + 1
  queue.pending = 0
  for (let at = queue.head; at < queue.tail; at++) {
    if (isDone(link, ext, at, ext.end + 1)) queue.slot[at] = 0
    else if (!seesThunk(link, queue, queue.slot[at], ext.base + queue.place[at])) countWaiting(queue, at)
  }
  const codeEnd = ext.base + sizeWithRoom(link, ext, ext.size + roomFor(link, ext, queue.pending))
  const stubsEnd = stubsEndAfter(link, ext, codeEnd)
  for (let at = queue.head; at < queue.tail; at++) {
    const slot = queue.slot[at]
    const place = ext.base + queue.place[at]
    if (slot === 0) continue
    if (stubsEnd <= place + branchReach - 4 && isToStub(link, slot, queue.expected[at])) continue
    if (!seesThunk(link, queue, slot, place)) makeThunk(link, ext, at)
  }
  if (isIsland && link.thunks.count >= first) closeIsland(link, ext, first)
}

/** Goes behind the room of the last region, where what waits can see so far. */
function closeLast(link: Link, ext: Extension): boolean {
  const { rooms, queue } = ext
  if (rooms === null) return false
  const end = closeRegion(rooms)
  const size = alignUpPow2(ext.size + end - ext.end, 2)
  const isSeen = size + roomFor(link, ext, queue.pending) <= queue.place[queue.head] + link.arch.branchReach - 4
  if (queue.head < queue.tail && !isSeen) return false
  ext.start = ext.end = end
  ext.size = size
  return true
}

function stubsEndAfter(link: Link, ext: Extension, codeEnd: number): number {
  const { alignPow2 } = link.outputs.Section
  return ext.rest.reduce((end, output) => alignUp(end, 2 ** alignPow2[output]) + roomOf(link, output), codeEnd)
}

/** What is known to be in the section is none. */
function isToStub(link: Link, slot: number, expected: number): boolean {
  if (expected !== 0) return expected === BEHIND
  return addendOf(link, slot) === 0 && isStub(link, targetOf(link, slot))
}

function isStub(link: Link, target: number): boolean {
  if (target & TARGET_IMPORT) return true
  const section = link.blocks.Extent.section[link.symbols.Definition.block[target]]
  return link.outputs.Section.fill[link.sections.Blocks.output[section]] === FILL_OBJC_STUBS
}
