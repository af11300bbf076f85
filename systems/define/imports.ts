// Imports: what stays undefined and a dylib has, and the image's own weak exports, which dyld may bind elsewhere.
import {
  createImports,
  IMPORT_DYNAMIC_LOOKUP,
  IMPORT_INTERPOSABLE,
  IMPORT_OWN,
  IMPORT_THREAD_LOCAL,
  IMPORT_WEAK,
  IMPORT_WEAK_DEF,
} from '../../components/imports.ts'
import { nameOf, nameText } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import {
  NAME_EXPORTED,
  NAME_LIVE,
  NAME_REPORTED,
  NAME_STRONG_REF,
  NAME_WANTED,
  NAME_WEAK_REF,
  WHERE_GLOBAL,
  WHERE_IMPORT,
  WHERE_UNDEFINED,
} from '../../components/names.ts'
import { SYMBOL_THREAD_LOCAL, SYMBOL_WEAK_DEF } from '../../components/symbols.ts'
import { spawnRange } from '../../src/ecs.ts'
import { EXPORT_THREAD_LOCAL, EXPORT_WEAK } from '../../src/formats/exportTable.ts'
import { BIND_SPECIAL_DYLIB_FLAT_LOOKUP } from '../../src/formats/macho/constants.ts'
import { addImport, findInDylibs } from '../kernels/imports.ts'

/** Columns for `candidates` imports and the few that nothing in an object mentions. */
export function reserveImports(link: Link, candidates: number): void {
  link.imports = createImports(candidates + wantedNames(link).length + 8, link.arenas.shared)
}

/** Imports that no object mentions, behind those that one does. */
export function defineOtherImports(link: Link): void {
  const dynamic = dynamicNames(link)
  if (link.messenger.name !== 0) considerImport(link, link.messenger.name, dynamic)
  for (const name of wantedNames(link)) considerImport(link, name, dynamic)
  referToStubBinder(link)
  spawnRange(link.imports.world, link.imports.count, [link.imports.Library, link.imports.Use])
}

function wantedNames(link: Link): number[] {
  const { flags } = link.names.Resolution
  const found: number[] = []
  for (let name = 1; name <= link.names.count; name++) if (flags[name] & NAME_WANTED) found.push(name)
  return found
}

export function dynamicNames(link: Link): ReadonlySet<string> {
  return new Set(link.settings.dynamicLookup ?? [])
}

/** Exports of strong definitions are bound too. */
export function isInterposable(link: Link): boolean {
  return (
    (link.settings.flatNamespace === true && link.settings.outputType !== 'execute') ||
    link.settings.interposable === true
  )
}

/** Once a name; the order of first mention on the command line is the order of imports. */
export function considerImport(link: Link, name: number, dynamic: ReadonlySet<string>): void {
  const { where, import: imported } = link.names.Resolution
  if (imported[name] !== 0) return
  if (where[name] === WHERE_GLOBAL) considerOwn(link, name)
  else if (where[name] === WHERE_UNDEFINED) considerUndefined(link, name, dynamic)
}

function considerOwn(link: Link, name: number): void {
  const { symbol, flags } = link.names.Resolution
  const is = link.symbols.Definition.flags[symbol[name]]
  if ((flags[name] & NAME_EXPORTED) === 0) return
  const kind =
    is & SYMBOL_WEAK_DEF ? IMPORT_OWN | IMPORT_WEAK_DEF : isInterposable(link) ? IMPORT_OWN | IMPORT_INTERPOSABLE : 0
  if (kind === 0) return
  const made = addImport(link, name, kind | (is & SYMBOL_THREAD_LOCAL ? IMPORT_THREAD_LOCAL : 0))
  link.imports.Library.symbol[made] = symbol[name]
  if (kind & IMPORT_INTERPOSABLE) link.imports.Library.ordinal[made] = BIND_SPECIAL_DYLIB_FLAT_LOOKUP
}

function considerUndefined(link: Link, name: number, dynamic: ReadonlySet<string>): void {
  const { Resolution, Offer } = link.names
  const { Library } = link.imports
  const weakly = (Resolution.flags[name] & (NAME_WEAK_REF | NAME_STRONG_REF)) === NAME_WEAK_REF ? IMPORT_WEAK : 0
  if (Offer.dylib[name] !== 0) return importFromDylib(link, name, weakly)
  const treatment = link.settings.undefined ?? 'error'
  const lookUp =
    treatment === 'dynamic_lookup' ||
    treatment === 'suppress' ||
    treatment === 'warning' ||
    (dynamic.size > 0 && dynamic.has(nameText(link, name)))
  if (!lookUp || isLinkerName(link, name)) return
  if (treatment === 'warning' && !dynamic.has(nameText(link, name))) link.names.Resolution.flags[name] |= NAME_REPORTED
  const made = addImport(link, name, IMPORT_DYNAMIC_LOOKUP | weakly)
  Library.ordinal[made] = BIND_SPECIAL_DYLIB_FLAT_LOOKUP
  Resolution.where[name] = WHERE_IMPORT
}

/** A dylib that has dyld_stub_binder gets a reference to it, needed or not, so that `nm` never finds an image without symbols (ld64.lld). */
function referToStubBinder(link: Link): void {
  const name = nameOf(link, 'dyld_stub_binder')
  const { where, flags } = link.names.Resolution
  if (where[name] === WHERE_GLOBAL || where[name] === WHERE_IMPORT) return
  if (link.names.Offer.dylib[name] === 0) findInDylibs(link, name)
  if (link.names.Offer.dylib[name] === 0) return
  flags[name] |= NAME_LIVE
  importFromDylib(link, name, 0)
}

/** Names that the linker resolves itself when it meets them. */
function isLinkerName(link: Link, name: number): boolean {
  const text = nameText(link, name)
  return text.startsWith('_objc_msgSend$') || text.startsWith('___dtrace_')
}

/** The name becomes an import of what `findInDylibs` has found. */
export function importFromDylib(link: Link, name: number, weakly: number): void {
  const { Resolution, Offer } = link.names
  const exporter = link.dylibs[Offer.dylib[name] - 1].exporter
  const dylib = link.dylibs[exporter]
  const flags = Offer.exportFlags[name]
  const kind = (flags & EXPORT_WEAK ? IMPORT_WEAK_DEF : 0) | (flags & EXPORT_THREAD_LOCAL ? IMPORT_THREAD_LOCAL : 0)
  const made = addImport(
    link,
    name,
    kind | weakly | (dylib.weak || link.dylibs[Offer.dylib[name] - 1].weakNames ? IMPORT_WEAK : 0),
  )
  link.imports.Library.dylib[made] = exporter + 1
  dylib.referenced = Math.max(dylib.referenced, weakly ? 1 : 2)
  Resolution.where[name] = WHERE_IMPORT
}
