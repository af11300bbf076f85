// The companion file of an image, as dsymutil makes it: a Mach-O of type MH_DSYM with the image's UUID, its segments without their
// contents, its symbols, and DWARF. It lies in a bundle beside the image.
import { name16 } from '../../systems/kernels/commands.ts'
import { isHidden } from '../../systems/kernels/outputKinds.ts'
import { alignUp } from '../core/align.ts'
import { ByteSink, fromText, readU32, writeU32 } from '../core/bytes.ts'
import { sameBytes } from '../core/hash.ts'
import { type Messages, warn } from '../core/messages.ts'
import { type EncodedUnit, encodeAbbreviations, encodeStrings, UNIT_AT } from '../formats/dwarf/encodeUnit.ts'
import * as macho from '../formats/macho/constants.ts'
import { PLATFORM_NUMBERS } from '../formats/tbd/platforms.ts'
import { type FilePart, type Host, HostError } from '../host/host.ts'
import { isSameFile } from '../session/fileRecords.ts'
import { type Debug, type DwarfSection, filesWithUnits, newUnit, PRODUCER, type UnitPlaces } from './debug.ts'
import type { Base } from './linked/base.ts'
import { linkedSegment, segmentName } from './linked/header.ts'
import { signatureName } from './linkedit.ts'
import { UUID_SIZE } from './sign.ts'
import type { State } from './state.ts'
import type { Table } from './table.ts'

const PAGE = 4096
const MODE = 0o644
/** LC_UUID stands in front. */
const UUID_AT = macho.HEADER_SIZE + 8
const SYMTAB_AT = macho.HEADER_SIZE + 24 + 24
const SEGMENT_FILE_OFFSET = 40
const SECTION_FILE_OFFSET = 48

const PARTS = ['lines', 'info', 'ranges', 'addresses'] as const
const NAMES = {
  lines: '__debug_line',
  info: '__debug_info',
  ranges: '__debug_ranges',
  addresses: '__debug_aranges',
}

interface Section {
  name: string
  bytes: Uint8Array
  offset: number
}

/** What the last flush wrote, or would have. */
export function companionOf(state: State): Uint8Array | null {
  if (state.debug === null) return null
  return state.file !== null && state.debug.bytes !== null ? state.debug.bytes.slice() : encodeDsym(state)
}

/** The file; null where no block has brought lines. */
export function encodeDsym(state: State): Uint8Array | null {
  const { debug } = state
  if (debug === null) return null
  const sections = dwarfSections(state, debug)
  const rows = state.symtab.locals + state.symtab.externals
  const symbols = state.tables.symbols.bytes.subarray(0, rows * macho.NLIST_SIZE)
  const { bytes: text, length } = state.tables.strings
  const strings = text.subarray(0, length)
  const linkedit = alignUp(commands(state, 0, 0, 0, sections.map(noPlace)).length, PAGE)
  const linkeditEnd = linkedit + symbols.length + strings.length
  const end = place(sections, alignUp(linkeditEnd, PAGE))
  debug.sections = sections.map(({ name, bytes, offset }) => ({ name, size: bytes.length, offset }))
  const file = new Uint8Array(end)
  debug.symbolsAt = linkedit
  file.set(commands(state, linkedit, rows, strings.length, debug.sections))
  file.set(symbols, linkedit)
  file.set(strings, linkedit + symbols.length)
  for (const { bytes, offset } of sections) file.set(bytes, offset)
  return file
}

function noPlace({ name }: Section): DwarfSection {
  return { name, size: 0, offset: 0 }
}

/** Gives each its offset in the file; returns where the last one ends. */
function place(sections: readonly Section[], start: number): number {
  let at = start
  for (const section of sections) {
    section.offset = at
    at += section.bytes.length
  }
  return at
}

function dwarfSections(state: State, debug: Debug): Section[] {
  const files = filesWithUnits(state, debug)
  const next: UnitPlaces = { info: 0, lines: 0, ranges: 0, addresses: 0 }
  for (const file of files) {
    file.places = { ...next }
    connect(file.unit!, next)
    for (const part of PARTS) next[part] += file.unit![part].length
  }
  const paths = debug.files.slice(1).map(({ path }) => path)
  return [
    ...PARTS.map((part) => ({ name: NAMES[part], bytes: join(files.map(({ unit }) => unit![part])), offset: 0 })),
    { name: '__debug_abbrev', bytes: encodeAbbreviations(), offset: 0 },
    { name: '__debug_str', bytes: encodeStrings([PRODUCER, ...paths]), offset: 0 },
  ]
}

/** Tells each part of a unit where in their sections the others are. */
function connect(unit: EncodedUnit, places: UnitPlaces): void {
  writeU32(unit.info, unit.linesAt, places.lines)
  writeU32(unit.info, unit.rangesAt, places.ranges)
  writeU32(unit.addresses, UNIT_AT, places.info)
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** Header and load commands. */
function commands(
  state: State,
  linkedit: number,
  symbols: number,
  strings: number,
  sections: readonly DwarfSection[],
): Uint8Array {
  const { arch, settings, uuidAt, bytes } = state
  const sink = new ByteSink()
  const segments = state.segmentOrder
  for (const word of [macho.MH_MAGIC_64, arch.cputype, arch.cpusubtype, macho.MH_DSYM]) sink.u32(word)
  for (const word of [segments.length + (state.base?.segments ?? 0) + 4, 0, 0, 0]) sink.u32(word)
  for (const word of [macho.LC_UUID, 8 + UUID_SIZE]) sink.u32(word)
  sink.append(bytes.subarray(uuidAt, uuidAt + UUID_SIZE))
  const { name, minVersion, sdkVersion } = settings.platform
  for (const word of [macho.LC_BUILD_VERSION, 24, PLATFORM_NUMBERS[name], minVersion, sdkVersion, 0]) sink.u32(word)
  const symbolsEnd = linkedit + symbols * macho.NLIST_SIZE
  for (const word of [macho.LC_SYMTAB, 24, linkedit, symbols, symbolsEnd, strings]) sink.u32(word)
  if (state.base !== null) appendLinkedSegments(state, state.base, sink)
  for (const segment of segments) imageSegment(state, sink, segment, linkedit, symbolsEnd + strings - linkedit)
  dwarfSegment(state, sink, sections)
  const made = sink.finish()
  writeU32(made, 20, made.length - macho.HEADER_SIZE)
  return made
}

/** Those of a linked file, whose symbols number their sections. */
function appendLinkedSegments(state: State, base: Base, sink: ByteSink): void {
  for (const { at, size } of base.image.commands
    .filter(({ cmd }) => cmd === macho.LC_SEGMENT_64)
    .slice(0, base.segments)) {
    const command = linkedSegment(state, base, at, size)
    command.fill(0, SEGMENT_FILE_OFFSET, SEGMENT_FILE_OFFSET + 16)
    for (let section = macho.SEGMENT_COMMAND_SIZE; section < size; section += macho.SECTION_SIZE)
      command.fill(0, section + SECTION_FILE_OFFSET, section + SECTION_FILE_OFFSET + 4)
    sink.append(command)
  }
}

/** Only __LINKEDIT has something in this file. */
function imageSegment(state: State, sink: ByteSink, segment: number, at: number, size: number): void {
  const { Segment, Extent, names } = state.segments
  const own = names[segment] === '__LINKEDIT'
  const { Section } = state.outputs
  const outputs: number[] = []
  for (let output = 1; output <= state.outputs.count; output++)
    if (Section.segment[output] === segment && !isHidden(state, output)) outputs.push(output)
  outputs.sort((a, b) => Section.index[a] - Section.index[b])
  sink.u32(macho.LC_SEGMENT_64)
  sink.u32(macho.SEGMENT_COMMAND_SIZE + outputs.length * macho.SECTION_SIZE)
  const name = segmentName(state, segment)
  name16(sink, name)
  for (const value of [Extent.address[segment], Extent.size[segment], own ? at : 0, own ? size : 0]) sink.u64(value)
  for (const word of [Segment.maxProtection[segment], Segment.protection[segment], outputs.length, 0]) sink.u32(word)
  for (const output of outputs) {
    const { address, size: sizes } = state.outputs.Extent
    name16(sink, state.outputs.names[output])
    name16(sink, name)
    sink.u64(address[output])
    sink.u64(sizes[output])
    for (const word of [0, Section.alignPow2[output], 0, 0, Section.flags[output]]) sink.u32(word)
    for (const word of [Section.reserved1[output], Section.reserved2[output], 0]) sink.u32(word)
  }
}

/** Behind all that the image maps. */
function dwarfSegment(state: State, sink: ByteSink, sections: readonly DwarfSection[]): void {
  const { Extent } = state.segments
  const last = state.segmentOrder[state.segmentOrder.length - 1]
  const address = alignUp(Extent.address[last] + Extent.size[last], state.settings.pageSize)
  const start = sections[0].offset
  const size = sections.reduce((sum, { size: one }) => sum + one, 0)
  sink.u32(macho.LC_SEGMENT_64)
  sink.u32(macho.SEGMENT_COMMAND_SIZE + sections.length * macho.SECTION_SIZE)
  name16(sink, '__DWARF')
  for (const value of [address, alignUp(size, PAGE), start, size]) sink.u64(value)
  const protection = macho.VM_PROT_READ | macho.VM_PROT_WRITE
  for (const word of [protection | macho.VM_PROT_EXECUTE, protection, sections.length, 0]) sink.u32(word)
  for (const { name, size: one, offset } of sections) {
    name16(sink, name)
    name16(sink, '__DWARF')
    sink.u64(address + offset - start)
    sink.u64(one)
    for (const word of [offset, 0, 0, 0, macho.S_ATTR_DEBUG, 0, 0, 0]) sink.u32(word)
  }
}

/** Brings the bundle beside the image into step; what cannot be written is a warning, for the image is there. */
export function writeDsym(state: State, host: Host, messages: Messages): void {
  const { debug, settings } = state
  if (debug === null) return
  const folder = `${settings.output}.dSYM/Contents`
  const name = settings.output.replace(/^.*[\\/]/, '')
  const path = `${folder}/Resources/DWARF/${name}`
  try {
    const parts = isOurs(host, debug, path) ? patchDsym(state, debug) : null
    if (parts !== null) host.updateFile!(path, withUuidLast(debug.bytes!, parts))
    else {
      debug.bytes = encodeDsym(state)!
      host.makeFolder?.(`${folder}/Resources/DWARF`)
      host.writeFile(`${folder}/Info.plist`, [fromText(propertyList(signatureName(state)))], MODE)
      host.writeFile(path, [debug.bytes], MODE)
    }
    debug.stat = host.stat(path)
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    debug.bytes = debug.stat = null
    warn(messages, 'cannot-write', `failed to open ${path}: ${trouble.message}`, { file: path })
  }
}

/** `parts` of the file that `bytes` are, in an order that leaves it without a UUID until all is written: nobody takes half of it for the image's. */
export function withUuidLast(bytes: Uint8Array, parts: readonly FilePart[]): FilePart[] {
  const end = UUID_AT + UUID_SIZE
  const others = parts.map(({ at, bytes: part }) => {
    if (at >= end || at + part.length <= UUID_AT) return { at, bytes: part }
    return { at, bytes: part.slice().fill(0, Math.max(0, UUID_AT - at), Math.min(part.length, end - at)) }
  })
  const uuid = bytes.subarray(UUID_AT, end)
  return [{ at: UUID_AT, bytes: new Uint8Array(UUID_SIZE) }, ...others, { at: UUID_AT, bytes: uuid }]
}

/** Nobody else has written it, or taken it away. */
function isOurs(host: Host, { stat }: Debug, path: string): boolean {
  if (stat === null || host.updateFile === undefined) return false
  const now = host.stat(path)
  return now !== null && isSameFile(now, stat)
}

/** Puts what is new into the file's bytes, where nothing has another size; returns the pages that differ, or null. */
function patchDsym(state: State, debug: Debug): FilePart[] | null {
  const { bytes, symbolsAt } = debug
  const { symbols, strings } = state.tables
  if (bytes === null) return null
  const rows = state.symtab.locals + state.symtab.externals
  const [count, room] = [readU32(bytes, SYMTAB_AT + 12), readU32(bytes, SYMTAB_AT + 20)]
  if (count !== rows || room !== strings.length) return null
  const stale = debug.files.filter((file) => file.stale)
  const units = stale.map((file) => (file.first === 0 ? null : newUnit(state, debug, file)))
  if (!stale.every((file, i) => isSameSize(file.unit, units[i]))) return null
  const pages = new Uint8Array(Math.ceil(bytes.length / PAGE))
  put(bytes, 0, commands(state, symbolsAt, rows, strings.length, debug.sections), pages)
  putTable(state, bytes, symbolsAt, symbols, rows * macho.NLIST_SIZE, pages)
  putTable(state, bytes, symbolsAt + rows * macho.NLIST_SIZE, strings, strings.length, pages)
  for (const [i, file] of stale.entries()) {
    file.stale = false
    file.unit = units[i]
    if (units[i] === null) continue
    connect(units[i], file.places)
    for (const part of PARTS)
      put(bytes, debug.sections[PARTS.indexOf(part)].offset + file.places[part], units[i][part], pages)
  }
  return runs(bytes, pages)
}

function isSameSize(a: EncodedUnit | null, b: EncodedUnit | null): boolean {
  if (a === null || b === null) return a === b
  return PARTS.every((part) => a[part].length === b[part].length)
}

/** By pages of the file, which are marked where they differ. */
function put(bytes: Uint8Array, at: number, part: Uint8Array, pages: Uint8Array): void {
  const end = at + part.length
  for (let from = at; from < end; ) {
    const to = Math.min(end, from - (from % PAGE) + PAGE)
    if (!sameBytes(bytes, from, part, from - at, to - from)) {
      bytes.set(part.subarray(from - at, to - at), from)
      pages[Math.floor(from / PAGE)] = 1
    }
    from = to
  }
}

/** Looks only where the image differs from that of the last flush: 5 MB took 24 ms. */
function putTable(state: State, bytes: Uint8Array, at: number, table: Table, length: number, pages: Uint8Array): void {
  for (let page = table.offset >>> state.shift; page << state.shift < table.offset + length; page++) {
    if (state.pages[page] === 0) continue
    const from = Math.max(0, (page << state.shift) - table.offset)
    const to = Math.min(length, ((page + 1) << state.shift) - table.offset)
    put(bytes, at + from, table.bytes.subarray(from, to), pages)
  }
}

function runs(bytes: Uint8Array, pages: Uint8Array): FilePart[] {
  const parts: FilePart[] = []
  for (let page = 0; page < pages.length; page++) {
    if (pages[page] === 0) continue
    const at = page * PAGE
    while (page + 1 < pages.length && pages[page + 1] !== 0) page++
    parts.push({ at, bytes: bytes.subarray(at, Math.min(bytes.length, (page + 1) * PAGE)) })
  }
  return parts
}

function propertyList(name: string): string {
  const escaped = name.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
  const entries = {
    CFBundleDevelopmentRegion: 'English',
    CFBundleIdentifier: `com.apple.xcode.dsym.${escaped}`,
    CFBundleInfoDictionaryVersion: '6.0',
    CFBundlePackageType: 'dSYM',
    CFBundleSignature: '????',
    CFBundleShortVersionString: '1.0',
    CFBundleVersion: '1',
  }
  const lines = Object.entries(entries).map(([key, value]) => `\t<key>${key}</key>\n\t<string>${value}</string>`)
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
${lines.join('\n')}
</dict>
</plist>
`
}
