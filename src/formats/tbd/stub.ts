// One document of a stub, of any version, into a DylibFile for the wanted target.
// Source for versions 1 to 4: LLVM's TextAPI/TextStub.cpp; for version 5 (JSON): TextStubV5.cpp.
import { FormatError } from '../../core/bytes.ts'
import type { PackedVersion } from '../../types.ts'
import { createDylibFile, type DylibFile } from '../dylib.ts'
import {
  addExportText,
  createExportTable,
  createExportTableBuilder,
  EXPORT_REEXPORT,
  EXPORT_THREAD_LOCAL,
  EXPORT_WEAK,
  type ExportTableBuilder,
} from '../exportTable.ts'
import { field, sectionsField, type TbdSource, textField, textsField } from './fields.ts'
import { crossTargets, matchesTarget, parseTarget, sameFamily, type TbdTarget, type TbdWanted } from './targets.ts'
import { parseVersion } from './versions.ts'

/** One library of a stub. `dylib` is there even when `compatible` is false: then it is what any platform would see. */
export interface TbdDocument {
  installName: string
  compatible: boolean
  /** What the stub is for, `arm64-macos` and so on; unknown ones are left out. */
  targets: string[]
  dylib: DylibFile
}

/** `_OBJC_CLASS_$` and the like, without the underscore that the name itself brings in versions 1 and 2. */
const CLASS_PREFIXES = ['_OBJC_CLASS_$', '_OBJC_METACLASS_$']
const EHTYPE_PREFIXES = ['_OBJC_EHTYPE_$']
const IVAR_PREFIXES = ['_OBJC_IVAR_$']
const PLAIN: readonly string[] = []

/** A list of names: its key, its EXPORT_* flags, and for Objective-C the prefixes of the symbols each name makes. */
interface NameList {
  key: string
  flags: number
  prefixes: readonly string[]
}

const OBJC_LISTS: readonly NameList[] = [
  { key: 'objc-classes', flags: 0, prefixes: CLASS_PREFIXES },
  { key: 'objc-eh-types', flags: 0, prefixes: EHTYPE_PREFIXES },
  { key: 'objc-ivars', flags: 0, prefixes: IVAR_PREFIXES },
]
const OLD_LISTS: readonly NameList[] = [
  { key: 'symbols', flags: 0, prefixes: PLAIN },
  { key: 'weak-def-symbols', flags: EXPORT_WEAK, prefixes: PLAIN },
  { key: 'thread-local-symbols', flags: EXPORT_THREAD_LOCAL, prefixes: PLAIN },
  ...OBJC_LISTS,
]
const V4_LISTS: readonly NameList[] = [
  { key: 'symbols', flags: 0, prefixes: PLAIN },
  { key: 'weak-symbols', flags: EXPORT_WEAK, prefixes: PLAIN },
  { key: 'thread-local-symbols', flags: EXPORT_THREAD_LOCAL, prefixes: PLAIN },
  ...OBJC_LISTS,
]
const V5_LISTS: readonly NameList[] = [
  { key: 'global', flags: 0, prefixes: PLAIN },
  { key: 'weak', flags: EXPORT_WEAK, prefixes: PLAIN },
  { key: 'thread_local', flags: EXPORT_THREAD_LOCAL, prefixes: PLAIN },
  { key: 'objc_class', flags: 0, prefixes: CLASS_PREFIXES },
  { key: 'objc_eh_type', flags: 0, prefixes: EHTYPE_PREFIXES },
  { key: 'objc_ivar', flags: 0, prefixes: IVAR_PREFIXES },
]

/** ld64.lld: some Xcodes ship these with the wrong platforms, so their targets are not asked. */
export const UNCHECKED_PLATFORMS: ReadonlySet<string> = new Set([
  '/usr/lib/system/libsystem_kernel.dylib',
  '/usr/lib/system/libsystem_platform.dylib',
  '/usr/lib/system/libsystem_pthread.dylib',
])

/** The names of one list into the builder; `$ld$` names apart. `separator` is '_' unless the names bring their own. */
function addList(
  dylib: DylibFile,
  builder: ExportTableBuilder,
  names: readonly string[],
  list: NameList,
  flags: number,
  separator: string,
): void {
  if (list.prefixes.length === 0) {
    for (const name of names) {
      if (name.startsWith('$ld$')) dylib.directives.push(name)
      else addExportText(builder, name, list.flags | flags)
    }
    return
  }
  for (const prefix of list.prefixes) {
    for (const name of names) addExportText(builder, name, list.flags | flags, prefix + separator)
  }
}

function addLists(
  dylib: DylibFile,
  builder: ExportTableBuilder,
  section: TbdSource,
  lists: readonly NameList[],
  flags: number,
  separator: string,
): void {
  for (const list of lists) addList(dylib, builder, textsField(section, list.key), list, flags, separator)
}

function versionField(source: TbdSource, key: string): PackedVersion {
  const text = textField(source, key)
  const version = text === null ? 0x10000 : parseVersion(text)
  if (version === null)
    throw new FormatError('tbd-shape', `malformed stub: "${key}" is not a version: ${text}`, source.offset)
  return version
}

function setFlags(dylib: DylibFile, flags: readonly string[]): void {
  if (flags.includes('not_app_extension_safe')) dylib.appExtensionSafe = false
}

function installNameField(source: TbdSource, key: string): string {
  const name = textField(source, key)
  if (name === null) throw new FormatError('tbd-shape', `malformed stub: no "${key}"`, source.offset)
  return name
}

/** What all versions share once the targets are known. */
interface Opened {
  wanted: TbdWanted
  compatible: boolean
  targets: TbdTarget[]
  dylib: DylibFile
  builder: ExportTableBuilder
}

function open(wanted: TbdWanted, targets: TbdTarget[]): Opened {
  const dylib = createDylibFile()
  for (const { arch, platform } of targets) {
    if (!sameFamily(wanted.arch, arch) || dylib.platforms.some((known) => known.name === platform)) continue
    dylib.platforms.push({ name: platform, minVersion: 0, sdkVersion: 0 })
  }
  const compatible = targets.some((target) => matchesTarget(wanted, target))
  return {
    wanted: compatible ? wanted : { arch: wanted.arch, platform: null },
    compatible,
    targets,
    dylib,
    builder: createExportTableBuilder(),
  }
}

function finish(opened: Opened): TbdDocument {
  const { dylib, builder, compatible, targets } = opened
  dylib.exports = createExportTable(builder)
  return {
    installName: dylib.installName ?? '',
    compatible,
    targets: targets.map(({ arch, platform }) => `${arch}-${platform}`),
    dylib,
  }
}

/** Whether a section's `targets` hold the wanted one; a section without any is for all (version 5). */
function isWanted(opened: Opened, section: TbdSource): boolean {
  if (field(section, 'targets') === undefined) return true
  for (const text of textsField(section, 'targets')) {
    const target = parseTarget(text)
    if (target !== null && matchesTarget(opened.wanted, target)) return true
  }
  return false
}

function wantedSections(opened: Opened, source: TbdSource, key: string): TbdSource[] {
  return sectionsField(source, key).filter((section) => isWanted(opened, section))
}

function addReexports(opened: Opened, source: TbdSource, key: string, namesKey: string): void {
  for (const section of sectionsField(source, key)) {
    const isSectionWanted = isWanted(opened, section)
    for (const name of textsField(section, namesKey)) {
      if (isSectionWanted || UNCHECKED_PLATFORMS.has(name)) opened.dylib.reexports.push(name)
    }
  }
}

/** Versions 1 to 3: `archs:` and one `platform:`; Objective-C names begin with an underscore in 1 and 2. */
export function readOldDocument(source: TbdSource, version: number, wanted: TbdWanted): TbdDocument {
  const opened = open(wanted, crossTargets(textsField(source, 'archs'), textField(source, 'platform') ?? ''))
  const { dylib, builder } = opened
  dylib.installName = installNameField(source, 'install-name')
  dylib.currentVersion = versionField(source, 'current-version')
  dylib.compatibilityVersion = versionField(source, 'compatibility-version')
  dylib.umbrella = textField(source, 'parent-umbrella')
  setFlags(dylib, textsField(source, 'flags'))
  for (const section of sectionsField(source, 'exports')) {
    if (!textsField(section, 'archs').some((arch) => sameFamily(wanted.arch, arch))) continue
    addLists(dylib, builder, section, OLD_LISTS, 0, version < 3 ? '' : '_')
    dylib.reexports.push(...textsField(section, 're-exports'))
    dylib.allowableClients.push(...textsField(section, version === 1 ? 'allowed-clients' : 'allowable-clients'))
  }
  return finish(opened)
}

/** Version 4: every section has its `targets:`. */
export function readV4Document(source: TbdSource, wanted: TbdWanted): TbdDocument {
  const targets = textsField(source, 'targets').map(parseTarget)
  const opened = open(
    wanted,
    targets.filter((target) => target !== null),
  )
  const { dylib, builder } = opened
  dylib.installName = installNameField(source, 'install-name')
  dylib.currentVersion = versionField(source, 'current-version')
  dylib.compatibilityVersion = versionField(source, 'compatibility-version')
  setFlags(dylib, textsField(source, 'flags'))
  for (const section of wantedSections(opened, source, 'parent-umbrella'))
    dylib.umbrella = textField(section, 'umbrella')
  for (const section of wantedSections(opened, source, 'allowable-clients'))
    dylib.allowableClients.push(...textsField(section, 'clients'))
  addReexports(opened, source, 'reexported-libraries', 'libraries')
  for (const section of wantedSections(opened, source, 'exports')) addLists(dylib, builder, section, V4_LISTS, 0, '_')
  for (const section of wantedSections(opened, source, 'reexports'))
    addLists(dylib, builder, section, V4_LISTS, EXPORT_REEXPORT, '_')
  return finish(opened)
}

function addV5Symbols(opened: Opened, source: TbdSource, key: string, flags: number): void {
  for (const section of wantedSections(opened, source, key)) {
    for (const kind of ['data', 'text']) {
      const value = field(section, kind)
      if (value === undefined) continue
      addLists(opened.dylib, opened.builder, { value, offset: source.offset }, V5_LISTS, flags, '_')
    }
  }
}

function openV5(source: TbdSource, inherited: readonly TbdSource[], wanted: TbdWanted): Opened {
  const own = sectionsField(source, 'target_info')
  const infos = own.length > 0 ? own : inherited
  const targets: TbdTarget[] = []
  const minimums = new Map<string, PackedVersion>()
  for (const info of infos) {
    const target = parseTarget(textField(info, 'target') ?? '')
    if (target === null) continue
    targets.push(target)
    const minimum = parseVersion(textField(info, 'min_deployment') ?? '')
    if (minimum !== null && sameFamily(wanted.arch, target.arch)) minimums.set(target.platform, minimum)
  }
  const opened = open(wanted, targets)
  for (const platform of opened.dylib.platforms) platform.minVersion = minimums.get(platform.name) ?? 0
  return opened
}

/** Version 5: one object of `main_library` or `libraries`; `inherited` is the main library's `target_info`. */
export function readV5Library(source: TbdSource, inherited: readonly TbdSource[], wanted: TbdWanted): TbdDocument {
  const opened = openV5(source, inherited, wanted)
  const { dylib } = opened
  const names = sectionsField(source, 'install_names')
  dylib.installName = installNameField(names.find((name) => isWanted(opened, name)) ?? names[0] ?? source, 'name')
  for (const section of wantedSections(opened, source, 'current_versions'))
    dylib.currentVersion = versionField(section, 'version')
  for (const section of wantedSections(opened, source, 'compatibility_versions'))
    dylib.compatibilityVersion = versionField(section, 'version')
  for (const section of wantedSections(opened, source, 'flags')) setFlags(dylib, textsField(section, 'attributes'))
  for (const section of wantedSections(opened, source, 'parent_umbrellas'))
    dylib.umbrella = textField(section, 'umbrella')
  for (const section of wantedSections(opened, source, 'allowable_clients'))
    dylib.allowableClients.push(...textsField(section, 'clients'))
  for (const section of wantedSections(opened, source, 'rpaths')) dylib.rpaths.push(...textsField(section, 'paths'))
  addReexports(opened, source, 'reexported_libraries', 'names')
  addV5Symbols(opened, source, 'exported_symbols', 0)
  addV5Symbols(opened, source, 'reexported_symbols', EXPORT_REEXPORT)
  return finish(opened)
}
