// The mach header and load commands. allocate asks for their size, writeHeader for their bytes: one encoder, so they agree.
import type { Dylib, Link, LinkeditName } from '../../components/link.ts'
import { alignUp } from '../../src/core/align.ts'
import { ByteSink, fromText, writeU32 } from '../../src/core/bytes.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { PLATFORM_NUMBERS } from '../../src/formats/tbd/platforms.ts'
import { version } from '../../src/settings.ts'
import type { Platform, PlatformName } from '../../src/types.ts'
import { isHidden } from './outputKinds.ts'
import { stubAddress } from './addresses.ts'

/** This linker's version, as LC_BUILD_VERSION names the tool. */
const LINKER_VERSION = version(0, 1, 0)

const FILE_TYPES = { execute: macho.MH_EXECUTE, dylib: macho.MH_DYLIB, bundle: macho.MH_BUNDLE } as const

/** What header and commands are made from: a link, or an image that is edited block by block. */
export type HeaderSource = Pick<
  Link,
  | 'settings'
  | 'arch'
  | 'weakFlags'
  | 'linkedDylibs'
  | 'outputs'
  | 'segments'
  | 'segmentOrder'
  | 'linkedit'
  | 'symtab'
  | 'uuidAt'
  | 'signatureAt'
  | 'signatureSize'
> & {
  tables: { header: number }
  dylibs: readonly LoadedDylib[]
  /** Bytes of __LINKEDIT that are nobody's but their owner's. */
  note?: { owner: string; offset: number; size: number } | null
}

export type LoadedDylib = Pick<Dylib, 'path' | 'reexport' | 'upward' | 'weak' | 'referenced'> & {
  file: Pick<Dylib['file'], 'installName' | 'currentVersion' | 'compatibilityVersion'>
}

export function commandsSize(link: Link): number {
  return encodeHeader(link, 0).length - macho.HEADER_SIZE
}

/** Header and commands, `entry` the address of the entry point. Order as ld64.lld writes them. */
export function encodeHeader(link: HeaderSource, entry: number): Uint8Array {
  const sink = new ByteSink(4096)
  for (let i = 0; i < macho.HEADER_SIZE; i++) sink.u8(0)
  let count = 0
  for (const encode of COMMANDS) count += encode(link, sink, entry)
  const bytes = sink.finish()
  writeHeader(link, bytes, count)
  return bytes
}

type Encoder = (link: HeaderSource, sink: ByteSink, entry: number) => number

const COMMANDS: readonly Encoder[] = [
  segments,
  dyldInfo,
  symtab,
  dysymtab,
  umbrella,
  encryption,
  rpaths,
  dylinker,
  identity,
  clients,
  uuid,
  buildVersion,
  sourceVersion,
  main,
  dylibs,
  dyldEnvironment,
  functionStarts,
  dataInCode,
  note,
  codeSignature,
]

function writeHeader(link: HeaderSource, bytes: Uint8Array, commands: number): void {
  const { settings, arch } = link
  const words = [
    macho.MH_MAGIC_64,
    arch.cputype,
    // The kernel wants CPU_SUBTYPE_LIB64 on executables of x86_64 from 10.5 on.
    arch.cpusubtype |
      (settings.outputType === 'execute' &&
      arch.name === 'x86_64' &&
      settings.platform.name === 'macos' &&
      settings.platform.minVersion >= version(10, 5)
        ? macho.CPU_SUBTYPE_LIB64
        : 0),
    FILE_TYPES[settings.outputType],
    commands,
    bytes.length - macho.HEADER_SIZE,
    headerFlags(link),
    0,
  ]
  words.forEach((word, index) => {
    writeU32(bytes, index * 4, word)
  })
}

function headerFlags(link: HeaderSource): number {
  const { settings } = link
  let flags = macho.MH_DYLDLINK | link.weakFlags
  if (!settings.flatNamespace) flags |= macho.MH_NOUNDEFS | macho.MH_TWOLEVEL
  if (settings.bindAtLoad) flags |= macho.MH_BINDATLOAD
  if (settings.outputType === 'execute' && settings.pie) flags |= macho.MH_PIE
  const reexports = link.linkedDylibs.some((index) => link.dylibs[index].reexport)
  if (settings.outputType === 'dylib' && !reexports) flags |= macho.MH_NO_REEXPORTED_DYLIBS
  if (settings.markDeadStrippableDylib) flags |= macho.MH_DEAD_STRIPPABLE_DYLIB
  if (settings.outputType === 'dylib' && settings.applicationExtension) flags |= macho.MH_APP_EXTENSION_SAFE
  for (let output = 1; output <= link.outputs.count; output++)
    if ((link.outputs.Section.flags[output] & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_VARIABLES)
      flags |= macho.MH_HAS_TLV_DESCRIPTORS
  return flags
}

export function name16(sink: ByteSink, text: string): void {
  const bytes = fromText(text)
  for (let i = 0; i < 16; i++) sink.u8(bytes[i] ?? 0)
}

function segments(link: HeaderSource, sink: ByteSink): number {
  for (const segment of link.segmentOrder) encodeSegment(link, sink, segment)
  return link.segmentOrder.length
}

export function encodeSegment(link: HeaderSource, sink: ByteSink, segment: number): void {
  const { Segment, Extent } = link.segments
  const outputs: number[] = []
  for (let output = 1; output <= link.outputs.count; output++)
    if (link.outputs.Section.segment[output] === segment && !isHidden(link, output)) outputs.push(output)
  outputs.sort((a, b) => link.outputs.Section.index[a] - link.outputs.Section.index[b])
  sink.u32(macho.LC_SEGMENT_64)
  sink.u32(macho.SEGMENT_COMMAND_SIZE + outputs.length * macho.SECTION_SIZE)
  name16(sink, link.segments.names[segment])
  sink.u64(Extent.address[segment])
  sink.u64(Extent.size[segment])
  sink.u64(Extent.fileOffset[segment])
  sink.u64(Extent.fileSize[segment])
  sink.u32(Segment.maxProtection[segment])
  sink.u32(Segment.protection[segment])
  sink.u32(outputs.length)
  sink.u32(Segment.flags[segment])
  for (const output of outputs) encodeSection(link, sink, output, link.segments.names[segment])
}

function encodeSection(link: HeaderSource, sink: ByteSink, output: number, segment: string): void {
  const { Section, Extent } = link.outputs
  name16(sink, link.outputs.names[output])
  name16(sink, segment)
  sink.u64(Extent.address[output])
  sink.u64(Extent.size[output])
  sink.u32(Extent.fileOffset[output])
  sink.u32(Section.alignPow2[output])
  sink.u32(0)
  sink.u32(0)
  sink.u32(Section.flags[output])
  sink.u32(Section.reserved1[output])
  sink.u32(Section.reserved2[output])
  sink.u32(0)
}

export function table(link: HeaderSource, name: LinkeditName): [number, number] {
  const made = link.linkedit[name]
  return made === undefined || made.bytes.length === 0 ? [0, 0] : [made.offset, paddedSize(made.bytes.length)]
}

/** What follows a table begins 8-aligned; the bytes between belong to it, so that commands count all of __LINKEDIT. */
function paddedSize(size: number): number {
  return alignUp(size, 8)
}

function pair(sink: ByteSink, [offset, size]: [number, number]): void {
  sink.u32(offset)
  sink.u32(size)
}

export function linkeditData(sink: ByteSink, command: number, place: [number, number]): number {
  sink.u32(command)
  sink.u32(16)
  pair(sink, place)
  return 1
}

function dyldInfo(link: HeaderSource, sink: ByteSink): number {
  if (link.settings.fixupChains) {
    linkeditData(sink, macho.LC_DYLD_CHAINED_FIXUPS, table(link, 'chainedFixups'))
    return 1 + linkeditData(sink, macho.LC_DYLD_EXPORTS_TRIE, table(link, 'exports'))
  }
  sink.u32(macho.LC_DYLD_INFO_ONLY)
  sink.u32(48)
  for (const name of ['rebase', 'bind', 'weakBind', 'lazyBind', 'exports'] as const) pair(sink, table(link, name))
  return 1
}

export function symtab(link: HeaderSource, sink: ByteSink): number {
  const { locals, externals, undefineds } = link.symtab
  sink.u32(macho.LC_SYMTAB)
  sink.u32(24)
  sink.u32(link.linkedit.symbols?.offset ?? 0)
  sink.u32(locals + externals + undefineds)
  pair(sink, table(link, 'strings'))
  return 1
}

export function dysymtab(link: HeaderSource, sink: ByteSink): number {
  const { locals, externals, undefineds } = link.symtab
  const indirect = link.linkedit.indirect
  const words = [macho.LC_DYSYMTAB, 80, 0, locals, locals, externals, locals + externals, undefineds, 0, 0, 0, 0, 0, 0]
  words.push(
    indirect === undefined || indirect.bytes.length === 0 ? 0 : indirect.offset,
    (indirect?.bytes.length ?? 0) / 4,
    0,
    0,
    0,
    0,
  )
  for (const word of words) sink.u32(word)
  return 1
}

/** A command that ends in a string at `offset`, padded to 8. */
function withText(sink: ByteSink, command: number, fields: readonly number[], text: string): number {
  const offset = 12 + fields.length * 4
  const bytes = fromText(text)
  const size = alignUp(offset + bytes.length + 1, 8)
  sink.u32(command)
  sink.u32(size)
  sink.u32(offset)
  for (const field of fields) sink.u32(field)
  sink.append(bytes)
  for (let i = offset + bytes.length; i < size; i++) sink.u8(0)
  return 1
}

function umbrella(link: HeaderSource, sink: ByteSink): number {
  return link.settings.umbrella === undefined ? 0 : withText(sink, macho.LC_SUB_FRAMEWORK, [], link.settings.umbrella)
}

function clients(link: HeaderSource, sink: ByteSink): number {
  const names = link.settings.allowableClients ?? []
  for (const name of names) withText(sink, macho.LC_SUB_CLIENT, [], name)
  return names.length
}

const ENCRYPTED: readonly PlatformName[] = ['ios', 'watchos', 'tvos', 'xros']

export function isEncryptable(link: HeaderSource): boolean {
  return link.settings.encryptable ?? ENCRYPTED.includes(link.settings.platform.name)
}

function encryption(link: HeaderSource, sink: ByteSink): number {
  if (!isEncryptable(link)) return 0
  const header = link.outputs.Extent.size[link.tables.header]
  const text = link.segments.byName.get('__TEXT') ?? 0
  sink.u32(macho.LC_ENCRYPTION_INFO_64)
  sink.u32(24)
  sink.u32(header)
  sink.u32(Math.max(0, link.segments.Extent.fileSize[text] - header))
  sink.u32(0)
  sink.u32(0)
  return 1
}

function rpaths(link: HeaderSource, sink: ByteSink): number {
  const paths = link.settings.rpaths ?? []
  for (const path of paths) withText(sink, macho.LC_RPATH, [], path)
  return paths.length
}

function dylinker(link: HeaderSource, sink: ByteSink): number {
  return link.settings.outputType === 'execute' ? withText(sink, macho.LC_LOAD_DYLINKER, [], '/usr/lib/dyld') : 0
}

function dyldEnvironment(link: HeaderSource, sink: ByteSink): number {
  const texts = link.settings.outputType === 'execute' ? (link.settings.dyldEnvironment ?? []) : []
  for (const text of texts) withText(sink, macho.LC_DYLD_ENVIRONMENT, [], text)
  return texts.length
}

function identity(link: HeaderSource, sink: ByteSink): number {
  const { settings } = link
  if (settings.outputType !== 'dylib') return 0
  return withText(
    sink,
    macho.LC_ID_DYLIB,
    [0, settings.currentVersion ?? 0, settings.compatibilityVersion ?? 0],
    settings.installName,
  )
}

/** All zero here; sign puts the hash of the finished image in. */
function uuid(link: HeaderSource, sink: ByteSink): number {
  if (link.settings.uuid === 'none') return 0
  sink.u32(macho.LC_UUID)
  sink.u32(24)
  link.uuidAt = sink.length
  for (let i = 0; i < 16; i++) sink.u8(0)
  return 1
}

const BUILD_VERSION_SINCE: Partial<Record<PlatformName, number>> = {
  macos: version(10, 14),
  ios: version(12),
  'ios-simulator': version(13),
  tvos: version(12),
  'tvos-simulator': version(13),
  watchos: version(5),
  'watchos-simulator': version(6),
}

const VERSION_MIN: Partial<Record<PlatformName, number>> = {
  macos: macho.LC_VERSION_MIN_MACOSX,
  ios: macho.LC_VERSION_MIN_IPHONEOS,
  'ios-simulator': macho.LC_VERSION_MIN_IPHONEOS,
  tvos: macho.LC_VERSION_MIN_TVOS,
  'tvos-simulator': macho.LC_VERSION_MIN_TVOS,
  watchos: macho.LC_VERSION_MIN_WATCHOS,
  'watchos-simulator': macho.LC_VERSION_MIN_WATCHOS,
}

function buildVersion(link: HeaderSource, sink: ByteSink): number {
  const { platform, secondaryPlatform } = link.settings
  const since = BUILD_VERSION_SINCE[platform.name]
  if (since !== undefined && platform.minVersion < since) {
    for (const word of [VERSION_MIN[platform.name]!, 16, platform.minVersion, platform.sdkVersion]) sink.u32(word)
  } else encodeBuildVersion(sink, platform)
  if (secondaryPlatform === undefined) return 1
  encodeBuildVersion(sink, secondaryPlatform)
  return 2
}

export function encodeBuildVersion(sink: ByteSink, platform: Platform): void {
  const words = [
    macho.LC_BUILD_VERSION,
    32,
    PLATFORM_NUMBERS[platform.name],
    platform.minVersion,
    platform.sdkVersion,
    1,
    macho.TOOL_LD,
    LINKER_VERSION,
  ]
  for (const word of words) sink.u32(word)
}

function sourceVersion(link: HeaderSource, sink: ByteSink): number {
  const version = link.settings.sourceVersion
  if (!version) return 0
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = version === true ? [] : version
  sink.u32(macho.LC_SOURCE_VERSION)
  sink.u32(16)
  // a24.b10.c10.d10.e10, as <mach-o/loader.h> packs it
  sink.u32((b << 30) | (c << 20) | (d << 10) | e)
  sink.u32((a << 8) | (b >>> 2))
  return 1
}

function main(link: HeaderSource, sink: ByteSink, entry: number): number {
  if (link.settings.outputType !== 'execute') return 0
  sink.u32(macho.LC_MAIN)
  sink.u32(24)
  sink.u64(Math.max(0, entry - link.settings.imageBase))
  sink.u64(link.settings.stackSize ?? 0)
  return 1
}

/** The entry point, or its stub when a dylib has it. */
export function entryAddress(link: Link): number {
  if (link.entry <= 0) return 0
  const { import: imported, symbol } = link.names.Resolution
  const made = imported[link.entry]
  if (made !== 0 && symbol[link.entry] === 0) return stubAddress(link, made)
  return link.symbols.Reference.address[symbol[link.entry]]
}

function dylibs(link: HeaderSource, sink: ByteSink): number {
  for (const index of link.linkedDylibs) encodeDylib(link, sink, index)
  return link.linkedDylibs.length
}

export function encodeDylib(link: HeaderSource, sink: ByteSink, index: number): void {
  const dylib = link.dylibs[index]
  const { file } = dylib
  const fields = [DYLIB_TIMESTAMP, file.currentVersion, file.compatibilityVersion]
  withText(sink, dylibCommand(dylib), fields, file.installName ?? dylib.path)
}

const DYLIB_TIMESTAMP = 0

function dylibCommand(dylib: LoadedDylib): number {
  if (dylib.reexport) return macho.LC_REEXPORT_DYLIB
  if (dylib.upward) return macho.LC_LOAD_UPWARD_DYLIB
  return dylib.weak || dylib.referenced === 1 ? macho.LC_LOAD_WEAK_DYLIB : macho.LC_LOAD_DYLIB
}

function functionStarts(link: HeaderSource, sink: ByteSink): number {
  return link.settings.functionStarts ? linkeditData(sink, macho.LC_FUNCTION_STARTS, place(link, 'functionStarts')) : 0
}

function dataInCode(link: HeaderSource, sink: ByteSink): number {
  return link.settings.dataInCode ? linkeditData(sink, macho.LC_DATA_IN_CODE, place(link, 'dataInCode')) : 0
}

/** Empty tables keep their place here. */
export function place(link: HeaderSource, name: LinkeditName): [number, number] {
  const made = link.linkedit[name]
  return made === undefined ? [0, 0] : [made.offset, paddedSize(made.bytes.length)]
}

/** struct note_command. */
export function note(link: HeaderSource, sink: ByteSink): number {
  if (link.note === undefined || link.note === null) return 0
  sink.u32(macho.LC_NOTE)
  sink.u32(40)
  name16(sink, link.note.owner)
  sink.u64(link.note.offset)
  sink.u64(link.note.size)
  return 1
}

function codeSignature(link: HeaderSource, sink: ByteSink): number {
  if (!link.settings.adhocCodesign) return 0
  return linkeditData(sink, macho.LC_CODE_SIGNATURE, [link.signatureAt, link.signatureSize])
}
