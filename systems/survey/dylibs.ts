// Dylibs and stubs: read, their re-exports found and read in turn, each with the dylib whose ordinal its symbols carry.
import { FILE_DYLIB } from '../../components/files.ts'
import type { Dylib } from '../../components/link.ts'
import { FormatError, toText } from '../../src/core/bytes.ts'
import { error, warn } from '../../src/core/messages.ts'
import { createDylibFile, type DylibFile, readDylib } from '../../src/formats/dylib.ts'
import {
  addExportText,
  amendExports,
  createExportTableBuilder,
  createTextExports,
  EXPORT_THREAD_LOCAL,
  EXPORT_WEAK,
  type ExportTableBuilder,
} from '../../src/formats/exportTable.ts'
import { platformText } from '../../src/formats/macho/platformText.ts'
import { applyLdDirectives, readTbd, type TbdDocument, UNCHECKED_PLATFORMS } from '../../src/formats/tbd.ts'
import { PLATFORM_NUMBERS } from '../../src/formats/tbd/platforms.ts'
import { fullVersionText, versionText } from '../../src/settings.ts'
import { type EmbeddedStub, findEmbeddedStub, stubTexts } from '../../src/stubs/index.ts'
import type { Input } from '../../src/types.ts'
import { dylibText } from '../kernels/dylibText.ts'
import { classify, pickArchitecture, readInput } from './inputs.ts'
import { keepLibrary, keptStub, type Library, recallLibrary } from './keptLibraries.ts'
import { firstFile, isAbsolute } from './search.ts'
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
  if (file.installName !== null && !/^[^\0]+$/.test(file.installName))
    throw new FormatError('bad-install-name', 'install name is empty or holds a NUL', 0)
  const directed = applyLdDirectives(file, platform.name, platform.minVersion)
  for (const text of directed.warnings)
    warn(found.messages, 'bad-ld-directive', `${dylibText({ path, file })}: ${text}`, { file: path })
  const index = pushDylib(found, path, directed.dylib, fileId, rank, explicit)
  found.dylibsByPath.set(path, index)
  if (directed.hidden.length > 0) found.hidden.set(index, directed.hidden)
  for (const previous of directed.previous) {
    const moved = pushDylib(found, path, previous, fileId, rank, false)
    found.dylibs[moved].previous = true
    found.dylibs[index].children.push(moved)
  }
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
    weakNames: false,
    needed: false,
    reexport: false,
    upward: false,
    bundleLoader: false,
    deadStrippable: file.deadStrippable,
    previous: false,
    active: explicit,
    children: [],
    referenced: 0,
    ordinal: 0,
  })
  return index
}

async function readLibrary(found: Survey, path: string, place: Place): Promise<Read | null> {
  const { dylib, documents } = found.recalled.get(path) ?? (await parseLibrary(found, path, place))
  if (dylib !== null) return isCompatible(found, path, dylib) ? { file: dylib, inlined: [] } : null
  const [main, ...inlined] = documents
  if (main.compatible || UNCHECKED_PLATFORMS.has(main.installName)) return { file: main.dylib, inlined }
  const { name, minVersion } = found.settings.platform
  const text = `${dylibText({ path, file: main.dylib })} is incompatible with ${found.arch.name} (${platformText(PLATFORM_NUMBERS[name])}${versionText(minVersion)})`
  error(found.messages, 'incompatible-stub', text, { file: path })
  return null
}

async function parseLibrary(found: Survey, path: string, place: Place): Promise<Library> {
  const { bytes } = found.arenas.list[place.arena]
  const end = place.position + place.size
  const kind = classify(found, place)
  const library: Library = { dylib: null, documents: [] }
  if (kind === 'dylib' || kind === 'image') library.dylib = readDylib(bytes, place.position, end)
  else {
    const { settings } = found
    const exact = settings.cpuSubtypesMustMatch === true
    const wanted = { arch: found.arch.name, platform: settings.platform.name, exact }
    library.documents = await readTbd(toText(bytes, place.position, end), wanted)
    if (library.documents.length === 0) throw new FormatError('empty-stub', 'stub has no document', 0)
  }
  // An executable is a library to -bundle_loader alone.
  if (kind !== 'image') keepLibrary(found, path, library)
  return library
}

/** One of a dylib's platforms must be the output's, and not newer. */
function isCompatible(found: Survey, path: string, file: DylibFile): boolean {
  if (file.platforms.length === 0) return true
  const { name, minVersion } = found.settings.platform
  const same = file.platforms.find(
    (platform) => platform.name.replace(/-simulator$/, '') === name.replace(/-simulator$/, ''),
  )
  if (same === undefined) {
    const has = file.platforms.map((platform) => platformText(PLATFORM_NUMBERS[platform.name])).join('/')
    const text = `${path} has platform ${has}, which is different from target platform ${platformText(PLATFORM_NUMBERS[name])}`
    error(found.messages, 'incompatible-platform', text, { file: path })
    return false
  }
  if (same.minVersion > minVersion) {
    const text = `has version ${fullVersionText(same.minVersion)}, which is newer than target minimum of ${versionText(minVersion)}`
    warn(found.messages, 'newer-dylib', `${path} ${text}`, { file: path })
  }
  return true
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
    const file = keptStub(found, path, () => stubFile(found, stub))
    const fileId = addFile(found, FILE_DYLIB, path, { arena: 0, position: 0, size: 0, modified: 0 }, rank)
    index = registerDylib(found, path, file, fileId, rank, explicit)
  }
  merge(found.dylibs[index], input, explicit)
  return index
}

function stubFile(found: Survey, stub: EmbeddedStub): DylibFile {
  const flagged = createExportTableBuilder()
  addWords(flagged, stub.weakSymbols(), EXPORT_WEAK)
  addWords(flagged, stub.threadLocalSymbols(), EXPORT_THREAD_LOCAL)
  return {
    ...createDylibFile(),
    installName: stub.installName,
    currentVersion: stub.currentVersion,
    compatibilityVersion: stub.compatibilityVersion,
    exports: createTextExports(stubTexts(stub, found.settings.arch), flagged),
    reexports: [...stub.reexports],
    appExtensionSafe: true,
  }
}

function addWords(builder: ExportTableBuilder, text: string, flags: number): void {
  for (const name of text.split(/\s+/)) if (name !== '') addExportText(builder, name, flags)
}

/** Reads what the dylibs re-export, and what those re-export, each once; a cycle ends where it meets itself. */
export async function addReexports(found: Survey): Promise<void> {
  for (let index = 0; index < found.dylibs.length; index++) {
    const parent = found.dylibs[index]
    if (parent.bundleLoader) continue
    for (const name of parent.file.reexports) {
      const missing = `${parent.path}: unable to locate re-export with install name ${name}`
      await addChild(found, index, name, missing)
    }
    if (!found.settings.flatNamespace) continue
    for (const name of parent.file.dependents) {
      const missing = `unable to locate library '${name}' loaded from '${parent.path}' for -flat_namespace`
      await addChild(found, index, name, missing)
    }
  }
  hideForUmbrellas(found)
  weakenChildren(found)
}

/** Names that are had through weakly linked libraries alone may be missing, though the library that has them may not (ld64.lld). */
function weakenChildren(found: Survey): void {
  if (!found.dylibs.some((dylib) => dylib.weak)) return
  const strong = new Set(found.dylibs.filter((dylib) => dylib.explicit && !dylib.weak))
  for (const dylib of strong) for (const child of dylib.children) strong.add(found.dylibs[child])
  const weak = new Set(found.dylibs.filter((dylib) => dylib.weak))
  for (const dylib of weak) for (const child of dylib.children) weak.add(found.dylibs[child])
  for (const dylib of weak) if (!strong.has(dylib)) dylib.weakNames = true
}

async function addChild(found: Survey, index: number, name: string, missing: string): Promise<void> {
  const parent = found.dylibs[index]
  if (name === parent.file.installName) return
  const child = await findReexport(found, index, name)
  if (child === -1) error(found.messages, 'missing-reexport', missing, { file: parent.path })
  else if (child !== index) parent.children.push(child)
}

/** What an umbrella hides is not to be had through it from its children either. */
function hideForUmbrellas(found: Survey): void {
  if (found.hidden.size === 0) return
  found.dylibs.forEach((dylib, index) => {
    const hidden = found.hidden.get(dylib.exporter)
    if (dylib.exporter === index || hidden === undefined) return
    dylib.file = { ...dylib.file, exports: amendExports(dylib.file.exports, hidden, []) }
  })
}

/** A library that is re-exported and public gets an ordinal of its own; else its symbols carry its parent's, as where only some may link it. */
function isImplicitlyLinked(found: Survey, installName: string, { allowableClients }: DylibFile): boolean {
  if (found.settings.noImplicitDylibs || allowableClients.length > 0) return false
  if (/^\/usr\/lib\/[^/]+$/.test(installName)) return true
  const framework = /^\/System\/Library\/Frameworks\/([^./]+)\.framework\/(?:.*\/)?([^/]+)$/.exec(installName)
  return framework !== null && framework[1] === framework[2]
}

async function findReexport(found: Survey, parent: number, installName: string): Promise<number> {
  const stub = found.dylibs[parent].path.startsWith('<embedded>') ? findEmbeddedStub(installName) : null
  const child =
    stub !== null
      ? addStub(found, stub, {}, found.dylibs[parent].rank, false)
      : await searchReexport(found, parent, installName)
  // libc++ gives out libc++abi's names as its own (its stub in the SDK lists them), so the embedded one does too.
  if (
    child !== -1 &&
    child !== parent &&
    !found.dylibs[child].explicit &&
    (stub !== null || !isImplicitlyLinked(found, installName, found.dylibs[child].file))
  )
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
    if (!isImplicitlyLinked(found, installName, document.dylib))
      found.dylibs[child].exporter = found.dylibs[parent].exporter
    return child
  }
  return -1
}

/** Files in search directories come before what the stub holds itself, and that before the install name as a path (ld64.lld). */
async function searchReexport(found: Survey, parent: number, installName: string): Promise<number> {
  const path = findByInstallName(found, found.dylibs[parent].path, installName)
  const inlined = path === null ? inlinedChild(found, parent, installName) : -1
  return inlined !== -1
    ? inlined
    : readReexport(found, parent, installName, path ?? findAtInstallName(found, installName))
}

async function readReexport(found: Survey, parent: number, installName: string, path: string | null): Promise<number> {
  if (path === null) {
    const stub = found.settings.embeddedStubs === false ? null : findEmbeddedStub(installName)
    return stub === null ? -1 : addStub(found, stub, {}, found.dylibs[parent].rank, false)
  }
  const known = found.dylibsByPath.get(path)
  if (known !== undefined) return known
  const kept = recallLibrary(found, path)
  const whole = kept ?? readInput(found, path, undefined)
  if (whole === null) return -1
  try {
    const place = kept ?? pickArchitecture(found, whole, path)
    if (place !== null) await addDylib(found, path, place, {}, found.dylibs[parent].rank, false)
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    error(found.messages, trouble.id, `${path}: ${trouble.message}`, { file: path, offset: trouble.offset })
    return parent
  }
  return found.dylibsByPath.get(path) ?? -1
}

const EXTENSIONS = ['.tbd', '.dylib', '']

/** Where ld64.lld looks for a re-exported library: -F and -L by base name, then below -syslibroot, then relative to its parent. */
function findByInstallName(found: Survey, parentPath: string, installName: string): string | null {
  const stem = installName.replace(/\.(tbd|dylib)$/, '')
  const at = (base: string): string | null => firstFile(found, base, EXTENSIONS)
  const base = stem.replace(/^.*\//, '')
  const isFramework = installName.includes('.framework/')
  for (const directory of isFramework ? found.frameworkDirectories : found.libraryDirectories) {
    const path = at(isFramework ? `${directory}/${base}.framework/${base}` : `${directory}/${base}`)
    if (path !== null) return path
  }
  if (isAbsolute(installName)) {
    for (const root of found.settings.syslibroots ?? []) {
      const path = at(root + stem)
      if (path !== null) return path
    }
    return null
  }
  return findRelative(found, parentPath, stem, at)
}

function findAtInstallName(found: Survey, installName: string): string | null {
  return isAbsolute(installName) ? firstFile(found, installName.replace(/\.(tbd|dylib)$/, ''), EXTENSIONS) : null
}

function findRelative(
  found: Survey,
  parentPath: string,
  stem: string,
  at: (base: string) => string | null,
): string | null {
  const parentDirectory = parentPath.replace(/[^/\\]*$/, '')
  if (stem.startsWith('@executable_path/')) {
    if (found.settings.outputType !== 'execute') return null
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
