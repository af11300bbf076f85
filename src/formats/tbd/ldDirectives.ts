// `$ld$` names: orders to the linker that depend on what the output may run on (ld64's generic_dylib_file.hpp; lld).
//   $ld$previous$<install name>$<compatibility version>$<platform number>$<start>$<end>$<symbol>$
//   $ld$install_name$os<version>$<install name>       $ld$compatibility_version$os<version>$<version>
//   $ld$hide$os<version>$<symbol>, $ld$hide$<symbol>   $ld$add$os<version>$<symbol>
//   $ld$weak$os<version>$<symbol>: the symbol is missing there; no effect but under `-no_weak_imports`
import type { PackedVersion, PlatformName } from '../../types.ts'
import { createDylibFile, type DylibFile } from '../dylib.ts'
import { amendExports } from '../exportTable.ts'
import { PLATFORM_NUMBERS } from './platforms.ts'
import { parseVersion } from './versions.ts'

export interface DirectedDylib {
  /** The dylib as the output sees it; the same object when no directive applies. */
  dylib: DylibFile
  /** Libraries that some of its symbols lived in at that version: to bind to them, load these. */
  previous: DylibFile[]
  /** Hidden names, already taken out of `dylib`; an umbrella's hold for what it re-exports too. */
  hidden: string[]
  /** Texts of directives that could not be read. */
  warnings: string[]
}

interface Applying {
  result: DirectedDylib
  platform: PlatformName
  minVersion: PackedVersion
  removed: string[]
  added: string[]
  moved: Map<string, { dylib: DylibFile; names: string[] }>
}

function ignore(applying: Applying, what: string, directive: string): void {
  applying.result.warnings.push(`failed to parse ${what}, symbol '${directive}' ignored`)
}

/** Splits off the text before the next `$`. */
function cut(text: string): [string, string] {
  const at = text.indexOf('$')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function change(applying: Applying, changes: Partial<DylibFile>): void {
  applying.result.dylib = { ...applying.result.dylib, ...changes }
}

/** A symbol that another library defined: it is bound there, and no longer here. */
function moveSymbol(applying: Applying, name: string, installName: string, compatibility: PackedVersion | null): void {
  const { dylib } = applying.result
  let moved = applying.moved.get(installName)
  if (moved === undefined) {
    const library = createDylibFile()
    library.installName = installName
    library.compatibilityVersion = compatibility ?? dylib.compatibilityVersion
    library.currentVersion = compatibility ?? dylib.currentVersion
    library.platforms = dylib.platforms
    moved = { dylib: library, names: [] }
    applying.moved.set(installName, moved)
  }
  moved.names.push(name)
  applying.removed.push(name)
}

function applyPrevious(applying: Applying, rest: string, directive: string): void {
  const [installName, afterName] = cut(rest)
  const [compatibilityText, afterCompatibility] = cut(afterName)
  const [platform, afterPlatform] = cut(afterCompatibility)
  const [startText, afterStart] = cut(afterPlatform)
  const [endText, symbolAndEnd] = cut(afterStart)
  if (!/^\d+$/.test(platform) || Number(platform) !== PLATFORM_NUMBERS[applying.platform]) return
  const start = parseVersion(startText)
  const end = parseVersion(endText)
  if (start === null) return ignore(applying, 'start version', directive)
  if (end === null) return ignore(applying, 'end version', directive)
  if (applying.minVersion < start || applying.minVersion >= end) return
  const compatibility = compatibilityText === '' ? null : parseVersion(compatibilityText)
  if (compatibilityText !== '' && compatibility === null) return ignore(applying, 'compatibility version', directive)
  const last = symbolAndEnd.lastIndexOf('$')
  const symbol = last < 0 ? symbolAndEnd : symbolAndEnd.slice(0, last)
  if (symbol !== '') return moveSymbol(applying, symbol, installName, compatibility)
  change(applying, { installName })
  if (compatibility !== null) change(applying, { compatibilityVersion: compatibility })
}

/** The actions with a condition `os<version>`, which holds for exactly that version. */
function applyConditional(applying: Applying, action: string, rest: string, directive: string): void {
  const [condition, operand] = cut(rest)
  const version = condition.startsWith('os') ? parseVersion(condition.slice(2)) : null
  if (version === null) return ignore(applying, 'os version', directive)
  if (version !== applying.minVersion) return
  if (action === 'install_name') change(applying, { installName: operand })
  else if (action === 'add') applying.added.push(operand)
  else if (action === 'hide') applying.result.hidden.push(operand)
  else {
    const compatibilityVersion = parseVersion(operand)
    if (compatibilityVersion === null) ignore(applying, 'compatibility version', directive)
    else change(applying, { compatibilityVersion })
  }
}

function applyDirective(applying: Applying, directive: string): void {
  const [action, rest] = cut(directive.slice(4))
  switch (action) {
    case 'previous':
      return applyPrevious(applying, rest, directive)
    case 'hide':
      if (rest.startsWith('os')) return applyConditional(applying, action, rest, directive)
      applying.result.hidden.push(rest)
      return
    case 'install_name':
    case 'add':
    case 'compatibility_version':
      return applyConditional(applying, action, rest, directive)
  }
}

/**
 * What the `$ld$` names of `dylib` (a stub or a binary) make of it for an output of that platform and minimum version.
 * Pure: `dylib` is left as it is. Unknown actions have no effect.
 */
export function applyLdDirectives(dylib: DylibFile, platform: PlatformName, minVersion: PackedVersion): DirectedDylib {
  const result: DirectedDylib = { dylib, previous: [], hidden: [], warnings: [] }
  if (dylib.directives.length === 0) return result
  const applying: Applying = { result, platform, minVersion, removed: [], added: [], moved: new Map() }
  for (const directive of dylib.directives) applyDirective(applying, directive)
  for (const { dylib: library, names } of applying.moved.values()) {
    library.exports = amendExports(library.exports, [], names)
    result.previous.push(library)
  }
  const removed = applying.removed.concat(result.hidden)
  const hidden = new Set(result.hidden)
  const added = applying.added.filter((name) => !hidden.has(name))
  if (removed.length > 0 || added.length > 0) change(applying, { exports: amendExports(dylib.exports, removed, added) })
  return result
}
