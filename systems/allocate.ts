// allocate: makes output sections and segments, orders them, and gives every live block and every symbol its address.
// Reads: live blocks, table sizes from scan, unwind rows. Writes: outputs, segments, Placement.address, Reference.address.
// After scan (all sizes are known), before anything that needs an address. Cost: one pass over blocks, one over symbols.

import { nameText } from '../components/internal.ts'
import type { Link } from '../components/link.ts'
import { SYMBOL_ABSOLUTE } from '../components/symbols.ts'
import { runKernel } from '../components/mirror.ts'
import { addSegment } from '../components/outputs.ts'
import { alignUp } from '../src/core/align.ts'
import { error } from '../src/core/messages.ts'
import * as macho from '../src/formats/macho/constants.ts'
import type { Location } from '../src/types.ts'
import { addressChunks, type AddressJob } from './allocate/addressChunks.ts'
import { addTables, gatherInputs, sectionRenames } from './allocate/outputs.ts'
import { orderOutputs } from './allocate/order.ts'
import { placeBlocks, sizeSection } from './allocate/place.ts'
import { extendBranches, hasBranches, placeWithThunks, spawnThunks } from './allocate/thunks.ts'
import { giveRoom, roomOf } from './allocate/rooms.ts'
import { planUnwind } from './allocate/unwind.ts'
import { blameLargest, blameSection } from './kernels/blame.ts'
import { assignOrdinals } from './kernels/ordinals.ts'
import { commandsSize, isEncryptable } from './kernels/commands.ts'
import { isHidden, isZeroFillType } from './kernels/outputKinds.ts'

/** PATH_MAX of macOS: the longest install name that install_name_tool may write. */
const MAXPATHLEN = 1024

const FILES_A_CHUNK = 64
const ADDRESS_PARTS = ['files', 'symbols', 'blocks', 'imports'] as const

export async function allocate(link: Link): Promise<void> {
  const renames = sectionRenames(link)
  assignOrdinals(link)
  if (link.settings.outputType === 'execute' && link.settings.pagezeroSize > 0) addSegment(link.segments, '__PAGEZERO')
  addSegment(link.segments, '__TEXT')
  if (!gatherInputs(link, renames)) return
  addTables(link, renames)
  for (const boundary of link.boundaries) if (boundary.section === null) addSegment(link.segments, boundary.segment)
  addSegment(link.segments, '__LINKEDIT')
  if (link.settings.layout === 'padded') giveRoom(link, boundedOutputs(link))
  if (!areCountable(link)) return
  const order = orderOutputs(link)
  await placeSegments(link, order)
  if (link.messages.errors > 0) return
  await addressSymbols(link, false)
  addressBoundaries(link)
  await addressSymbols(link, true)
  checkEntry(link)
}

/** The kernel maps segments with their protections: an entry point in one that is not executable crashes at once. */
function checkEntry(link: Link): void {
  const symbol = link.entry > 0 ? link.names.Resolution.symbol[link.entry] : 0
  const block = link.symbols.Definition.block[symbol]
  if (link.symbols.Definition.flags[symbol] & SYMBOL_ABSOLUTE)
    error(link.messages, 'bad-entry', `entry point ${nameText(link, link.entry)} is absolute, not code`)
  if (block === 0) return
  const section = link.blocks.Extent.section[link.blocks.Placement.leader[block] || block]
  const segment = link.outputs.Section.segment[link.sections.Blocks.output[section]]
  if (segment === 0 || link.segments.Segment.protection[segment] & macho.VM_PROT_EXECUTE) return
  const text = `entry point ${nameText(link, link.entry)} is in segment ${link.segments.names[segment]}, which is not executable`
  error(link.messages, 'bad-entry', text, blameSection(link, section))
}

/** n_sect is a byte, 0 for none; the header is no section of its own. */
function areCountable(link: Link): boolean {
  let sections = 0
  for (let output = 1; output <= link.outputs.count; output++) if (!isHidden(link, output)) sections++
  if (sections > macho.MAX_SECT) {
    const text = `the output has ${sections} sections, at most ${macho.MAX_SECT} are possible`
    const last = blameLastSection(link)
    const notes = last === null ? [] : [`the last is ${last.section} of ${last.file}`]
    error(link.messages, 'too-many-sections', text, last, notes)
  }
  return sections <= macho.MAX_SECT
}

/** Who brings the newest section. */
function blameLastSection(link: Link): Location | null {
  const { file } = link.sections.Header
  for (let output = link.outputs.count; output > 0; output--) {
    const [section] = link.inputs[output]
    if (section !== undefined && file[section] !== link.internal.file) return blameSection(link, section)
  }
  return null
}

async function placeSegments(link: Link, order: number[][]): Promise<void> {
  const { segments, settings } = link
  for (const list of order) for (const output of list) sizeSection(link, output)
  alignThreadLocals(link, order)
  let address = settings.imageBase
  let fileOffset = 0
  for (let place = 0; place < order.length; place++) {
    const segment = link.segmentOrder[place]
    const { Extent } = segments
    if (segments.names[segment] === '__PAGEZERO') {
      Extent.size[segment] = settings.imageBase
      continue
    }
    const given = (settings.segmentAddresses ?? []).find(([name]) => name === segments.names[segment])
    if (given !== undefined) address = given[1]
    Extent.address[segment] = address
    Extent.fileOffset[segment] = fileOffset
    if (segments.names[segment] === '__LINKEDIT') break
    const end = await placeSections(link, order[place], address, fileOffset)
    if (end.fileOffset > mostBytes(link)) return imageTooLarge(link, segment, end.fileOffset)
    Extent.size[segment] = alignUp(end.address, settings.pageSize) - address
    Extent.fileSize[segment] = alignUp(end.fileOffset, settings.pageSize) - fileOffset
    address += Extent.size[segment]
    fileOffset += Extent.fileSize[segment]
    if (Extent.size[segment] > 0xffffffff)
      error(
        link.messages,
        'segment-too-large',
        `segment ${segments.names[segment]} has ${Extent.size[segment]} bytes, at most 4 GiB are possible`,
        blameLargest(link, segment, link.sections.Header.size),
      )
  }
}

/** What is in the file comes from inputs; an alignment may add to it, but not without bound. */
const PADDING_LIMIT = 0x4000000

function mostBytes(link: Link): number {
  let most = PADDING_LIMIT + link.settings.headerPad
  for (const arena of link.arenas.list) most += arena.used * 4
  return Math.min(most, 0x7fffffff)
}

function imageTooLarge(link: Link, segment: number, bytes: number): void {
  const text = `segment ${link.segments.names[segment]} makes a file of ${bytes} bytes, at most ${mostBytes(link)} are possible with these inputs`
  error(link.messages, 'image-too-large', text, blameLargest(link, segment, link.sections.Header.alignPow2))
}

/** Sections one after the other; file offsets run beside addresses until zero-fill. */
async function placeSections(
  link: Link,
  list: readonly number[],
  address: number,
  fileOffset: number,
): Promise<{ address: number; fileOffset: number }> {
  const { Section, Extent } = link.outputs
  const start = address
  let fileEnd = fileOffset
  const extension = await extendBranches(link, list)
  for (const output of list) {
    if (output === link.tables.header) Extent.size[output] = headerSize(link)
    if (output === link.tables.unwindInfo) planUnwind(link)
    address = alignUp(address, 2 ** Section.alignPow2[output])
    Extent.address[output] = address
    const isZeroFill = isZeroFillType(Section.flags[output])
    Extent.fileOffset[output] = isZeroFill ? 0 : fileOffset + address - start
    if (extension !== null && hasBranches(link, output)) placeWithThunks(link, extension, output)
    else placeBlocks(link, output)
    if (!isZeroFill) fileEnd = fileOffset + address + Extent.size[output] - start
    address += roomOf(link, output)
  }
  if (extension !== null) spawnThunks(link)
  return { address, fileOffset: fileEnd }
}

/** What segments, sections and some libraries of block-level edits take (src/blocks/linked). */
const EDIT_COMMANDS = 2048

/** The kernel decrypts whole pages, so header and commands of an encryptable image have pages of their own. */
function headerSize(link: Link): number {
  const size = macho.HEADER_SIZE + commandsSize(link) + headerPadding(link)
  return isEncryptable(link) ? alignUp(size, link.settings.pageSize) : size
}

function headerPadding(link: Link): number {
  const { settings, linkedDylibs } = link
  const names = linkedDylibs.length + (settings.outputType === 'dylib' ? 1 : 0)
  const maximum = settings.headerPadMaxInstallNames ? names * MAXPATHLEN : 0
  // Edits of what was linked bring load commands of their own.
  const room = settings.layout === 'padded' ? EDIT_COMMANDS : 0
  return Math.max(settings.headerPad, maximum, room)
}

/** Descriptors hold offsets from the first thread-local section: all of them take the largest alignment. */
function alignThreadLocals(link: Link, order: readonly number[][]): void {
  const { Section } = link.outputs
  const isThreadLocal = (output: number): boolean => {
    const type = Section.flags[output] & macho.SECTION_TYPE
    return type === macho.S_THREAD_LOCAL_REGULAR || type === macho.S_THREAD_LOCAL_ZEROFILL
  }
  const all = order.flat().filter(isThreadLocal)
  const largest = all.reduce((most, output) => Math.max(most, Section.alignPow2[output]), 0)
  for (const output of all) Section.alignPow2[output] = largest
  link.firstThreadLocal = all[0] ?? 0
}

async function addressSymbols(link: Link, references: boolean): Promise<void> {
  const files = new Uint32Array(link.order.length + (references ? 0 : 1)).fill(link.internal.file)
  files.set(link.order)
  const job: AddressJob = { files, step: FILES_A_CHUNK, references }
  await runKernel(link, 'addressChunks', ADDRESS_PARTS, addressChunks, job, Math.ceil(files.length / job.step))
}

/** Sections of which `section$start$` or `section$end$` tells where they begin and end. */
function boundedOutputs(link: Link): Set<number> {
  const bounded = new Set<number>()
  for (const { symbol, section } of link.boundaries) if (section !== null) bounded.add(boundedOutput(link, symbol))
  return bounded
}

/** The output section that the placeholder of a boundary has made exist; 0 where neither lives. */
function boundedOutput({ symbols, blocks, sections }: Link, symbol: number): number {
  return sections.Blocks.output[blocks.Extent.section[symbols.Definition.block[symbol]]]
}

function addressBoundaries(link: Link): void {
  for (const { symbol, segment, section, end } of link.boundaries) {
    const { Extent } = section === null ? link.segments : link.outputs
    const id = section === null ? addSegment(link.segments, segment) : boundedOutput(link, symbol)
    link.symbols.Reference.address[symbol] = Extent.address[id] + (end ? Extent.size[id] : 0)
  }
}
