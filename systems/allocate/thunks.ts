// Lays out code that outgrows the reach of a branch, as ld64.lld does: in one pass, a thunk where a waiting branch would lose
// sight of the end of the code. A target that is not placed yet counts as out of reach.
// Cost: nothing while the code fits; else one visit a relocation of it.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { type Link, locate } from '../../components/link.ts'
import { FILL_INPUTS, FILL_OBJC_STUBS, FILL_STUBS } from '../../components/outputs.ts'
import { ORDER_DESCENDING } from '../../components/sections.ts'
import { SYMBOL_ABSOLUTE, TARGET_IMPORT } from '../../components/symbols.ts'
import { addBranchTarget, addThunk, createBranchTargets, createThunks } from '../../components/thunks.ts'
import { R_BRANCH } from '../../src/arch/arch.ts'
import { alignUp } from '../../src/core/align.ts'
import { error } from '../../src/core/messages.ts'
import { spawnRange } from '../../src/ecs.ts'
import { isInReach, pairedAddend } from '../kernels/branches.ts'
import { isCodeFlags } from '../kernels/code.ts'
import { createSite, enterSection, type Site } from '../kernels/references.ts'
import { orderBlocks } from '../kernels/orderBlocks.ts'

/** Branches that wait for their targets: place of the instruction, branch target (0: done), file, in order of address. */
export interface Extension {
  site: Site
  place: Float64Array
  of: Uint32Array
  file: Uint32Array
  head: number
  tail: number
  /** By branch target: how many wait, and from which position of the queue on. */
  waiting: Uint32Array
  since: Uint32Array
  /** Targets that branches wait for and that have no thunk for them yet. */
  pending: number
  /** By output section: its addresses are final. */
  placed: Uint8Array
  output: number
  base: number
  size: number
  /** Code sections and stubs behind the one at hand. */
  rest: number[]
}

/** Null when every branch within the segment's code reaches. `list` is the segment's sections in order. */
export function extendBranches(link: Link, list: readonly number[]): Extension | null {
  const { arch } = link
  const { Extent, Section } = link.outputs
  if (!Number.isFinite(arch.branchReach) || link.thunks.count > 0) return null
  const code = list.filter((output) => isBranchTarget(link, output))
  let end = 0
  for (const output of code) end = alignUp(end, 2 ** Section.alignPow2[output]) + Extent.size[output]
  if (end <= arch.branchReach - 4) return null
  const branches = countBranches(link, code)
  const placed = new Uint8Array(link.outputs.count + 1)
  link.thunks = createThunks(branches, false)
  link.branchTargets = createBranchTargets(branches, false)
  for (const output of code)
    forEachBlock(link, output, (block) => (link.blocks.Placement.address[block] = Number.POSITIVE_INFINITY))
  return {
    site: createSite(),
    place: new Float64Array(branches),
    of: new Uint32Array(branches),
    file: new Uint32Array(branches),
    head: 0,
    tail: 0,
    waiting: new Uint32Array(branches + 1),
    since: new Uint32Array(branches + 1),
    pending: 0,
    placed,
    output: 0,
    base: 0,
    size: 0,
    rest: code,
  }
}

/** Input code, which thunks may stand in. */
export function hasBranches(link: Link, output: number): boolean {
  const { fill, flags } = link.outputs.Section
  return fill[output] === FILL_INPUTS && isCodeFlags(flags[output])
}

function isBranchTarget(link: Link, output: number): boolean {
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

function countBranches(link: Link, code: readonly number[]): number {
  const { attributes } = link.arch
  const { Relocations } = link.blocks
  const site = createSite()
  let count = 0
  for (const output of code)
    forEachBlock(link, output, (block) => {
      enterSection(site, link, link.blocks.Extent.section[block])
      const end = Relocations.first[block] + Relocations.count[block]
      for (let i = Relocations.first[block]; i < end; i++)
        if (attributes[site.words[site.records + i * 2 + 1] >>> 28] & R_BRANCH) count++
    })
  return count
}

/** Places the blocks of a code section, with thunks among them; their addresses are final. */
export function placeWithThunks(link: Link, ext: Extension, output: number): void {
  ext.output = output
  ext.base = link.outputs.Extent.address[output]
  ext.size = 0
  ext.head = ext.tail = ext.pending = 0
  ext.waiting.fill(0)
  ext.since.fill(0)
  ext.rest = ext.rest.filter((other) => other !== output)
  ext.placed[output] = 1
  const { Extent, Placement, Relocations } = link.blocks
  forEachBlock(link, output, (block) => {
    const align = 2 ** Extent.alignPow2[block]
    serveQueue(link, ext, align, Extent.size[block])
    const offset = alignUp(ext.size, align)
    Placement.address[block] = ext.base + offset
    ext.size = offset + Extent.size[block]
    if (Relocations.count[block] > 0) noteBranches(link, ext, block)
  })
  serveRest(link, ext)
  link.outputs.Extent.size[output] = ext.size
}

/** Makes entities of the rows. */
export function spawnThunks(link: Link): void {
  const { thunks, branchTargets } = link
  spawnRange(thunks.world, thunks.count, [thunks.Thunk])
  spawnRange(branchTargets.world, branchTargets.count, [branchTargets.Target])
}

/** Queues the branches of a block that see neither their target nor a thunk of it, by ascending address. */
function noteBranches(link: Link, ext: Extension, block: number): void {
  const { site } = ext
  const { Extent, Relocations, Placement } = link.blocks
  const { attributes } = link.arch
  enterSection(site, link, Extent.section[block])
  const first = Relocations.first[block]
  const count = Relocations.count[block]
  const descending = link.sections.Relocations.order[Extent.section[block]] === ORDER_DESCENDING
  const shift = Placement.address[block] - Extent.offset[block]
  for (let n = 0; n < count; n++) {
    const i = descending ? first + count - 1 - n : first + n
    const word = site.words[site.records + i * 2 + 1]
    if ((attributes[word >>> 28] & R_BRANCH) === 0 || (word & 0x08000000) === 0) continue
    const target = link.symbols.Reference.target[site.firstSymbol + (word & 0xffffff)]
    if (target !== 0)
      noteBranch(link, ext, shift + site.words[site.records + i * 2], target, pairedAddend(link, site, i))
  }
  link.visited.rows += count
}

function noteBranch(link: Link, ext: Extension, place: number, target: number, addend: number): void {
  if (isInReach(link.arch.branchReach, place, addressNow(link, ext, target) + addend)) return
  const of = addBranchTarget(link.branchTargets, target, addend)
  if (seesThunk(link, of, place)) return
  ext.place[ext.tail] = place
  ext.of[ext.tail] = of
  ext.file[ext.tail++] = ext.site.file
  if (ext.waiting[of]++ === 0) ext.pending++
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

function isDone(link: Link, ext: Extension, at: number): boolean {
  const { Target } = link.branchTargets
  const of = ext.of[at]
  return isInReach(link.arch.branchReach, ext.place[at], addressNow(link, ext, Target.target[of]) + Target.addend[of])
}

/** Only the newest thunk of a target counts: older ones lie further behind. */
function seesThunk(link: Link, of: number, place: number): boolean {
  const thunk = link.branchTargets.Target.last[of]
  return thunk !== 0 && isInReach(link.arch.branchReach, place, link.thunks.Thunk.address[thunk])
}

/** Makes thunks for the branches that would not reach past the next block, `size` bytes at `align`, and the thunks still to come. */
function serveQueue(link: Link, ext: Extension, align: number, size: number): void {
  const { branchReach, thunkSize } = link.arch
  for (; ext.head < ext.tail; ext.head++) {
    const of = ext.of[ext.head]
    if (isDone(link, ext, ext.head)) leave(ext, ext.head)
    else if (!seesThunk(link, of, ext.place[ext.head])) {
      const end = alignUp(ext.base + ext.size, align) + size
      if (end + ext.pending * thunkSize <= ext.place[ext.head] + branchReach - 4) return
      makeThunk(link, ext, ext.head)
    }
  }
}

function leave(ext: Extension, at: number): void {
  const of = ext.of[at]
  if (at < ext.since[of] || ext.waiting[of] === 0) return
  if (--ext.waiting[of] === 0) ext.pending--
}

function makeThunk(link: Link, ext: Extension, at: number): void {
  const of = ext.of[at]
  if (ext.waiting[of] > 0) ext.pending--
  ext.waiting[of] = 0
  ext.since[of] = ext.tail
  ext.size = alignUp(ext.size, 4)
  const address = ext.base + ext.size
  if (address > ext.place[at] + link.arch.branchReach - 4) {
    const text = 'a branch does not reach its target, and there is no room for a thunk within its reach'
    error(link.messages, 'thunk-out-of-reach', text, locate(link, ext.file[at]))
  }
  addThunk(link.thunks, link.branchTargets, of, ext.output, address)
  ext.size += link.arch.thunkSize
}

/** What still waits at the section's end gets a thunk there, but for stubs that will surely be within reach. */
function serveRest(link: Link, ext: Extension): void {
  const { Target } = link.branchTargets
  const { branchReach, thunkSize } = link.arch
  for (let at = ext.head; at < ext.tail; at++) {
    const done = isDone(link, ext, at)
    if (done || seesThunk(link, ext.of[at], ext.place[at])) leave(ext, at)
    if (done) ext.of[at] = 0
  }
  const stubsEnd = stubsEndAfter(link, ext, ext.base + ext.size + ext.pending * thunkSize)
  for (let at = ext.head; at < ext.tail; at++) {
    const of = ext.of[at]
    if (of === 0) continue
    leave(ext, at)
    if (isStub(link, Target.target[of]) && Target.addend[of] === 0 && stubsEnd <= ext.place[at] + branchReach - 4)
      continue
    if (!seesThunk(link, of, ext.place[at])) makeThunk(link, ext, at)
  }
}

function stubsEndAfter(link: Link, ext: Extension, codeEnd: number): number {
  const { Section, Extent } = link.outputs
  return ext.rest.reduce((end, output) => alignUp(end, 2 ** Section.alignPow2[output]) + Extent.size[output], codeEnd)
}

function isStub(link: Link, target: number): boolean {
  if (target & TARGET_IMPORT) return true
  const section = link.blocks.Extent.section[link.symbols.Definition.block[target]]
  return link.outputs.Section.fill[link.sections.Blocks.output[section]] === FILL_OBJC_STUBS
}
