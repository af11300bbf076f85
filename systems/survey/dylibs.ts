// Dylibs and stubs: read, their re-exports found and read in turn, each with the dylib whose ordinal its symbols carry.
import { FILE_DYLIB } from '../../components/files.ts'
import type { Dylib } from '../../components/link.ts'
import { FormatError, toText } from '../../src/core/bytes.ts'
import { error, warn } from '../../src/core/messages.ts'
import { createDylibFile, type DylibFile, readDylib } from '../../src/formats/dylib.ts'
import {
  addExportText,
  createExportTable,
  createExportTableBuilder,
  EXPORT_THREAD_LOCAL,
  EXPORT_WEAK,
} from '../../src/formats/exportTable.ts'
import { applyLdDirectives, readTbd, type TbdDocument, UNCHECKED_PLATFORMS } from '../../src/formats/tbd.ts'
import { type EmbeddedStub, findEmbeddedStub, stubNames } from '../../src/stubs/index.ts'
import type { Input } from '../../src/types.ts'
import { classify, pickArchitecture, readInput } from './inputs.ts'
import { firstFile, isAbsolute, isFile } from './search.ts'
import { addFile, type Place, type Survey } from './survey.ts'

/** One dylib and the documents inlined behind it in its stub, which its re-exports are looked for in. */
interface Read {
  file: DylibFile
  inlined: TbdDocument[]
}

/** Adds a dylib (place null: read before) and returns its file row; its options add to those it was named with before. */
export async function addDylib(
  found: Survey,
  path: string,
  place: Place | null,
  input: Input,
  rank: number,
  explicit: boolean,
): Promise<number> {
  const known = found.dylibsByPath.get(path)
  if (known !== undefined) {
    merge(found.dylibs[known], input, explicit)
    return found.dylibs[known].fileId
  }
  if (place === null) return 0
  const read = await readLibrary(found, path, place)
  if (read === null) return 0
  const fileId = addFile(found, FILE_DYLIB, path, place, rank)
  const dylib = registerDylib(found, path, read.file, fileId, rank, explicit)
  found.rows.dylib[fileId] = dylib + 1
  merge(found.dylibs[dylib], input, explicit)
  found.inlined.set(dylib, read.inlined)
  return fileId
}

function merge(dylib: Dylib, input: Input, explicit: boolean): void {
  dylib.weak ||= input.weak === true
  dylib.needed ||= input.needed === true
  dylib.reexport ||= input.reexport === true
  dylib.upward ||= input.upward === true
  if (explicit) {
    dylib.explicit = true
    dylib.active = true
  }
}

/** A dylib row; `$ld$` names may split it into several libraries, each with its own install name. */
function registerDylib(
  found: Survey,
  path: string,
  file: DylibFile,
  fileId: number,
  rank: number,
  explicit: boolean,
): number {
  const { platform } = found.settings
  const directed = applyLdDirectives(file, platform.name, platform.minVersion)
  for (const text of directed.warnings) warn(found.messages, 'bad-ld-directive', `${path}: ${text}`, { file: path })
  const index = pushDylib(found, path, directed.dylib, fileId, rank, explicit)
  found.dylibsByPath.set(path, index)
  for (const previous of directed.previous)
    found.dylibs[index].children.push(pushDylib(found, path, previous, fileId, rank, false))
  return index
}

function pushDylib(
  found: Survey,
  path: string,
  file: DylibFile,
  fileId: number,
  rank: number,
  explicit: boolean,
): number {
  const index = found.dylibs.length
  found.dylibs.push({
    path,
    file,
    fileId,
    exporter: index,
    rank,
    explicit,
    weak: false,
    needed: false,
    reexport: false,
    upward: false,
    bundleLoader: false,
    deadStrippable: file.deadStrippable,
    active: explicit,
    children: [],
    referenced: 0,
    ordinal: 0,
  })
  return index
}

async function readLibrary(found: Survey, path: string, place: Place): Promise<Read | null> {
  const { bytes } = found.arenas.list[place.arena]
  if (classify(found, place) === 'dylib') {
    const file = readDylib(bytes, place.position, place.position + place.size)
    return isCompatible(found, path, file) ? { file, inlined: [] } : null
  }
  const wanted = { arch: found.arch.name, platform: found.settings.platform.name }
  const documents = await readTbd(toText(bytes, place.position, place.position + place.size), wanted)
  if (documents.length === 0) throw new FormatError('empty-stub', 'stub has no document', 0)
  const [main, ...inlined] = documents
  if (main.compatible || UNCHECKED_PLATFORMS.has(main.installName)) return { file: main.dylib, inlined }
  incompatible(found, path, `${found.arch.name} (${platformText(found)})`)
  return null
}

function platformText(found: Survey): string {
  return PLATFORM_TEXTS[found.settings.platform.name] ?? found.settings.platform.name
}

const PLATFORM_TEXTS: Record<string, string> = {
  macos: 'macOS',
  ios: 'iOS',
  tvos: 'tvOS',
  watchos: 'watchOS',
  bridgeos: 'bridgeOS',
  driverkit: 'DriverKit',
  xros: 'xrOS',
}

function isCompatible(found: Survey, path: string, file: DylibFile): boolean {
  if (file.platforms.length === 0) return true
  const wanted = found.settings.platform.name
  if (file.platforms.some((platform) => platform.name === wanted)) return true
  const has = file.platforms.map((platform) => PLATFORM_TEXTS[platform.name] ?? platform.name).join('/')
  error(
    found.messages,
    'incompatible-platform',
    `${path} has platform ${has}, which is different from target platform ${platformText(found)}`,
    { file: path },
  )
  return false
}

function incompatible(found: Survey, path: string, wanted: string): void {
  error(found.messages, 'incompatible-stub', `${path} is incompatible with ${wanted}`, { file: path })
}

/** -lSystem and the like without an SDK: the project's own list of names. Returns the file row, 0 when there is none. */
export function addStubLibrary(found: Survey, input: Input, rank: number, explicit: boolean): number {
  if (found.settings.embeddedStubs === false || input.library === undefined) return 0
  const stub = findEmbeddedStub(input.library)
  return stub === null ? 0 : found.dylibs[addStub(found, stub, input, rank, explicit)].fileId
}

function addStub(found: Survey, stub: EmbeddedStub, input: Input, rank: number, explicit: boolean): number {
  const path = `<embedded>${stub.installName}`
  let index = found.dylibsByPath.get(path)
  if (index === undefined) {
    const fileId = addFile(found, FILE_DYLIB, path, { arena: 0, position: 0, size: 0, modified: 0 }, rank)
    index = registerDylib(found, path, stubFile(found, stub), fileId, rank, explicit)
    found.rows.dylib[fileId] = index + 1
  }
  merge(found.dylibs[index], input, explicit)
  return index
}

function stubFile(found: Survey, stub: EmbeddedStub): DylibFile {
  const weak = new Set(stub.weakSymbols.split(/\s+/))
  const threadLocal = new Set(stub.threadLocalSymbols.split(/\s+/))
  const builder = createExportTableBuilder(8192)
  for (const name of stubNames(stub, found.settings.arch).split(/\s+/))
    if (name !== '')
      addExportText(
        builder,
        name,
        (weak.has(name) ? EXPORT_WEAK : 0) | (threadLocal.has(name) ? EXPORT_THREAD_LOCAL : 0),
      )
  return {
    ...createDylibFile(),
    installName: stub.installName,
    currentVersion: stub.currentVersion,
    compatibilityVersion: stub.compatibilityVersion,
    exports: createExportTable(builder),
    reexports: [...stub.reexports],
    appExtensionSafe: true,
  }
}

/** Reads what the dylibs re-export, and what those re-export, each once; a cycle ends where it meets itself. */
export async function addReexports(found: Survey): Promise<void> {
  for (let index = 0; index < found.dylibs.length; index++) {
    const parent = found.dylibs[index]
    if (parent.bundleLoader) continue
    for (const name of parent.file.reexports) {
      const child = await findReexport(found, index, name)
      if (child === -1) {
        const note = `unable to locate re-export with install name ${name}`
        error(found.messages, 'missing-reexport', `${parent.path}: ${note}`, { file: parent.path })
      } else if (child !== index) parent.children.push(child)
    }
  }
}

/** A library that is re-exported and public gets an ordinal of its own; else its symbols carry its parent's. */
function isImplicitlyLinked(found: Survey, installName: string): boolean {
  if (found.settings.noImplicitDylibs) return false
  if (/^\/usr\/lib\/[^/]+$/.test(installName)) return true
  const framework = /^\/System\/Library\/Frameworks\/([^./]+)\.framework\/(?:.*\/)?([^/]+)$/.exec(installName)
  return framework !== null && framework[1] === framework[2]
}

async function findReexport(found: Survey, parent: number, installName: string): Promise<number> {
  const inlined = inlinedChild(found, parent, installName)
  if (inlined !== -1) return inlined
  const stub = found.dylibs[parent].path.startsWith('<embedded>') ? findEmbeddedStub(installName) : null
  const child =
    stub !== null
      ? addStub(found, stub, {}, found.dylibs[parent].rank, false)
      : await readReexport(found, parent, installName)
  // libc++ gives out libc++abi's names as its own (its stub in the SDK lists them), so the embedded one does too.
  if (child !== -1 && !found.dylibs[child].explicit && (stub !== null || !isImplicitlyLinked(found, installName)))
    found.dylibs[child].exporter = found.dylibs[parent].exporter
  return child
}

/** Children in the same stub file as their umbrella are found by install name. */
function inlinedChild(found: Survey, parent: number, installName: string): number {
  for (const document of found.inlined.get(parent) ?? []) {
    if (document.installName !== installName) continue
    if (!document.compatible && !UNCHECKED_PLATFORMS.has(installName)) continue
    const key = `${found.dylibs[parent].path}\0${installName}`
    const known = found.dylibsByPath.get(key)
    if (known !== undefined) return known
    const { rank, fileId } = found.dylibs[parent]
    const child = registerDylib(found, key, document.dylib, fileId, rank, false)
    found.dylibs[child].path = found.dylibs[parent].path
    found.inlined.set(child, found.inlined.get(parent) ?? [])
    if (!isImplicitlyLinked(found, installName)) found.dylibs[child].exporter = found.dylibs[parent].exporter
    return child
  }
  return -1
}

async function readReexport(found: Survey, parent: number, installName: string): Promise<number> {
  const path = findByInstallName(found, found.dylibs[parent].path, installName)
  if (path === null) {
    const stub = found.settings.embeddedStubs === false ? null : findEmbeddedStub(installName)
    return stub === null ? -1 : addStub(found, stub, {}, found.dylibs[parent].rank, false)
  }
  const known = found.dylibsByPath.get(path)
  if (known !== undefined) return known
  const whole = readInput(found, path, undefined)
  const place = whole === null ? null : pickArchitecture(found, whole, path)
  if (place === null) return -1
  await addDylib(found, path, place, {}, found.dylibs[parent].rank, false)
  return found.dylibsByPath.get(path) ?? -1
}

const EXTENSIONS = ['.tbd', '.dylib', '']

/** Where ld64.lld looks for a re-exported library: -F and -L by base name, then below -syslibroot, then relative to its parent. */
function findByInstallName(found: Survey, parentPath: string, installName: string): string | null {
  const stem = installName.replace(/\.(tbd|dylib)$/, '')
  const at = (base: string): string | null =>
    firstFile(found, base, EXTENSIONS) ?? (isFile(found.host, base) ? base : null)
  if (isAbsolute(installName)) {
    const base = stem.replace(/^.*\//, '')
    const isFramework = installName.includes('.framework/')
    for (const directory of isFramework ? found.frameworkDirectories : found.libraryDirectories) {
      const path = at(isFramework ? `${directory}/${base}.framework/${base}` : `${directory}/${base}`)
      if (path !== null) return path
    }
    for (const root of found.settings.syslibroots ?? []) {
      const path = at(root + stem)
      if (path !== null) return path
    }
    return at(stem)
  }
  return findRelative(found, parentPath, stem, at)
}

function findRelative(
  found: Survey,
  parentPath: string,
  stem: string,
  at: (base: string) => string | null,
): string | null {
  const parentDirectory = parentPath.replace(/[^/\\]*$/, '')
  if (stem.startsWith('@executable_path/')) {
    const executable = found.settings.executablePath ?? found.settings.output
    return at(`${executable.replace(/[^/\\]*$/, '')}${stem.slice('@executable_path/'.length)}`)
  }
  if (stem.startsWith('@loader_path/')) return at(`${parentDirectory}${stem.slice('@loader_path/'.length)}`)
  if (!stem.startsWith('@rpath/')) return null
  const parent = found.dylibs[found.dylibsByPath.get(parentPath) ?? -1]
  for (const rpath of parent?.file.rpaths ?? []) {
    const directory = rpath.replace('@loader_path/', parentDirectory).replace('@executable_path/', parentDirectory)
    const path = at(`${directory.replace(/\/$/, '')}/${stem.slice('@rpath/'.length)}`)
    if (path !== null) return path
  }
  return null
}
