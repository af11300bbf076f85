// The companion file of an image, as dsymutil makes it: a Mach-O of type MH_DSYM with the image's UUID, its segments without their
// contents, its symbols, and DWARF. It lies in a bundle beside the image.
import { isHidden } from '../../systems/kernels/outputKinds.ts'
import { alignUp } from '../core/align.ts'
import { ByteSink, fromText, writeU32 } from '../core/bytes.ts'
import { type Messages, warn } from '../core/messages.ts'
import { encodeAbbreviations, encodeStrings, UNIT_AT } from '../formats/dwarf/encodeUnit.ts'
import * as macho from '../formats/macho/constants.ts'
import { PLATFORM_NUMBERS } from '../formats/tbd/platforms.ts'
import { type FilePart, type Host, HostError } from '../host/host.ts'
import { isSameFile } from '../session/fileRecords.ts'
import { type Debug, PRODUCER, unitsOf } from './debug.ts'
import { signatureName } from './linkedit.ts'
import { UUID_SIZE } from './sign.ts'
import type { State } from './state.ts'

const PAGE = 4096
const MODE = 0o644

interface Section {
  name: string
  bytes: Uint8Array
  offset: number
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
  const linkedit = alignUp(commands(state, sections, 0, 0, 0).length, PAGE)
  const linkeditEnd = linkedit + symbols.length + strings.length
  const end = place(sections, alignUp(linkeditEnd, PAGE))
  const file = new Uint8Array(end)
  file.set(commands(state, sections, linkedit, rows, strings.length))
  file.set(symbols, linkedit)
  file.set(strings, linkedit + symbols.length)
  for (const { bytes, offset } of sections) file.set(bytes, offset)
  return file
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
  const units = unitsOf(state, debug)
  let [info, lines, ranges] = [0, 0, 0]
  for (const unit of units) {
    writeU32(unit.addresses, UNIT_AT, info)
    writeU32(unit.info, unit.linesAt, lines)
    writeU32(unit.info, unit.rangesAt, ranges)
    info += unit.info.length
    lines += unit.lines.length
    ranges += unit.ranges.length
  }
  const paths = debug.files.slice(1).map(({ path }) => path)
  return [
    { name: '__debug_line', bytes: join(units.map((unit) => unit.lines)), offset: 0 },
    { name: '__debug_info', bytes: join(units.map((unit) => unit.info)), offset: 0 },
    { name: '__debug_ranges', bytes: join(units.map((unit) => unit.ranges)), offset: 0 },
    { name: '__debug_aranges', bytes: join(units.map((unit) => unit.addresses)), offset: 0 },
    { name: '__debug_abbrev', bytes: encodeAbbreviations(), offset: 0 },
    { name: '__debug_str', bytes: encodeStrings([PRODUCER, ...paths]), offset: 0 },
  ]
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
function commands(state: State, sections: Section[], linkedit: number, symbols: number, strings: number): Uint8Array {
  const { arch, settings, uuidAt, bytes } = state
  const sink = new ByteSink()
  const segments = state.segmentOrder
  for (const word of [macho.MH_MAGIC_64, arch.cputype, arch.cpusubtype, macho.MH_DSYM]) sink.u32(word)
  for (const word of [segments.length + 4, 0, 0, 0]) sink.u32(word)
  for (const word of [macho.LC_UUID, 8 + UUID_SIZE]) sink.u32(word)
  sink.append(bytes.subarray(uuidAt, uuidAt + UUID_SIZE))
  const { name, minVersion, sdkVersion } = settings.platform
  for (const word of [macho.LC_BUILD_VERSION, 24, PLATFORM_NUMBERS[name], minVersion, sdkVersion, 0]) sink.u32(word)
  const symbolsEnd = linkedit + symbols * macho.NLIST_SIZE
  for (const word of [macho.LC_SYMTAB, 24, linkedit, symbols, symbolsEnd, strings]) sink.u32(word)
  for (const segment of segments) imageSegment(state, sink, segment, linkedit, symbolsEnd + strings - linkedit)
  dwarfSegment(state, sink, sections)
  const made = sink.finish()
  writeU32(made, 20, made.length - macho.HEADER_SIZE)
  return made
}

function name16(sink: ByteSink, text: string): void {
  const bytes = fromText(text)
  for (let i = 0; i < 16; i++) sink.u8(bytes[i] ?? 0)
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
  name16(sink, names[segment])
  for (const value of [Extent.address[segment], Extent.size[segment], own ? at : 0, own ? size : 0]) sink.u64(value)
  for (const word of [Segment.maxProtection[segment], Segment.protection[segment], outputs.length, 0]) sink.u32(word)
  for (const output of outputs) {
    const { address, size: sizes } = state.outputs.Extent
    name16(sink, state.outputs.names[output])
    name16(sink, names[segment])
    sink.u64(address[output])
    sink.u64(sizes[output])
    for (const word of [0, Section.alignPow2[output], 0, 0, Section.flags[output]]) sink.u32(word)
    for (const word of [Section.reserved1[output], Section.reserved2[output], 0]) sink.u32(word)
  }
}

/** Behind all that the image maps. */
function dwarfSegment(state: State, sink: ByteSink, sections: readonly Section[]): void {
  const { Extent } = state.segments
  const last = state.segmentOrder[state.segmentOrder.length - 1]
  const address = alignUp(Extent.address[last] + Extent.size[last], state.settings.pageSize)
  const start = sections[0].offset
  const size = sections.reduce((sum, { bytes }) => sum + bytes.length, 0)
  sink.u32(macho.LC_SEGMENT_64)
  sink.u32(macho.SEGMENT_COMMAND_SIZE + sections.length * macho.SECTION_SIZE)
  name16(sink, '__DWARF')
  for (const value of [address, alignUp(size, PAGE), start, size]) sink.u64(value)
  const protection = macho.VM_PROT_READ | macho.VM_PROT_WRITE
  for (const word of [protection | macho.VM_PROT_EXECUTE, protection, sections.length, 0]) sink.u32(word)
  for (const { name, bytes, offset } of sections) {
    name16(sink, name)
    name16(sink, '__DWARF')
    sink.u64(address + offset - start)
    sink.u64(bytes.length)
    for (const word of [offset, 0, 0, 0, macho.S_ATTR_DEBUG, 0, 0, 0]) sink.u32(word)
  }
}

/** Brings the bundle beside the image into step; what cannot be written is a warning, for the image is there. */
export function writeDsym(state: State, host: Host, messages: Messages): void {
  const { debug, settings } = state
  const bytes = encodeDsym(state)
  if (debug === null || bytes === null) return
  const folder = `${settings.output}.dSYM/Contents`
  const name = settings.output.replace(/^.*[\\/]/, '')
  const path = `${folder}/Resources/DWARF/${name}`
  try {
    const parts = changedParts(host, debug, path, bytes)
    if (parts !== null) host.updateFile?.(path, parts)
    else {
      host.makeFolder?.(`${folder}/Resources/DWARF`)
      host.writeFile(`${folder}/Info.plist`, [fromText(propertyList(signatureName(state)))], MODE)
      host.writeFile(path, [bytes], MODE)
    }
    debug.bytes = bytes
    debug.stat = host.stat(path)
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    debug.bytes = debug.stat = null
    warn(messages, 'cannot-write', `failed to open ${path}: ${trouble.message}`, { file: path })
  }
}

/** Null where the file is to be written whole: it has another size, or somebody else has written it. */
function changedParts(host: Host, debug: Debug, path: string, bytes: Uint8Array): FilePart[] | null {
  const { bytes: old, stat } = debug
  if (old === null || old.length !== bytes.length || stat === null || host.updateFile === undefined) return null
  const now = host.stat(path)
  if (now === null || !isSameFile(now, stat)) return null
  const parts: FilePart[] = []
  for (let at = 0; at < bytes.length; at += PAGE) {
    const end = Math.min(bytes.length, at + PAGE)
    let same = at
    while (same < end && bytes[same] === old[same]) same++
    if (same < end) parts.push({ at, bytes: bytes.subarray(at, end) })
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
