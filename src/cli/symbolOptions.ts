// Options that name symbols, one by one or in files.
import { type Messages, error } from '../core/messages.ts'
import { isPattern } from '../core/patterns.ts'
import type { Host } from '../host/host.ts'
import { type ArgumentList, all, has, values } from './argumentList.ts'
import type { Draft } from './draft.ts'
import { fileError } from './fileError.ts'
import { readText, uncommentedLines } from './readText.ts'

export function symbolOptions(draft: Draft, args: ArgumentList, host: Host, messages: Messages): void {
  exportOptions(draft, args, host, messages)
  stripOptions(draft, args, host, messages)
  const aliases = all(args, '-alias').map(({ values: [real = '', name = ''] }) => [real, name] as const)
  for (const path of values(args, '-alias_list')) aliases.push(...readAliases(path, host, messages))
  if (aliases.length > 0) draft.aliases = aliases
}

function exportOptions(draft: Draft, args: ArgumentList, host: Host, messages: Messages): void {
  const exported = patterns(args, '-exported_symbol', '-exported_symbols_list', host, messages)
  const unexported = patterns(args, '-unexported_symbol', '-unexported_symbols_list', host, messages)
  const none = has(args, '-no_exported_symbols')
  if ((exported !== null || none) && unexported !== null && unexported.length > 0)
    error(messages, 'export-conflict', 'cannot use both -exported_symbol* and -unexported_symbol* options')
  if (none && exported !== null && exported.length > 0)
    error(messages, 'export-conflict', 'cannot use both -exported_symbol* and -no_exported_symbols options')
  if (exported !== null) draft.exportedSymbols = exported
  if (unexported !== null) draft.unexportedSymbols = unexported
  if (none) draft.noExportedSymbols = true
}

/** null where neither option was given; an empty list file is an empty list. */
function patterns(args: ArgumentList, single: string, list: string, host: Host, messages: Messages): string[] | null {
  if (!has(args, single) && !has(args, list)) return null
  const found = values(args, single)
  for (const path of values(args, list)) found.push(...readPatterns(path, host, messages))
  for (const text of found) if (!isPattern(text)) error(messages, 'bad-pattern', `invalid symbol-name pattern: ${text}`)
  return found
}

function readPatterns(path: string, host: Host, messages: Messages): string[] {
  try {
    return uncommentedLines(readText(host, path))
  } catch (cause) {
    fileError(messages, path, cause)
    error(messages, 'unreadable-symbol-file', `Could not read symbol file: ${path}`, { file: path })
    return []
  }
}

/** Lines `REAL ALIAS` (ld(1), -alias_list). */
function readAliases(path: string, host: Host, messages: Messages): (readonly [string, string])[] {
  return readPatterns(path, host, messages).flatMap((line) => {
    const [real = '', name, rest] = line.split(/\s+/)
    if (name !== undefined && rest === undefined) return [[real, name] as const]
    error(messages, 'malformed-alias', `-alias_list: expected two symbols in '${line}'`, { file: path })
    return []
  })
}

/** The last of -x and the two lists holds, but the lists exclude each other. */
function stripOptions(draft: Draft, args: ArgumentList, host: Host, messages: Messages): void {
  const keep = '-non_global_symbols_no_strip_list'
  const strip = '-non_global_symbols_strip_list'
  if (has(args, keep) && has(args, strip))
    error(messages, 'strip-list-conflict', `cannot use both ${keep} and ${strip}`)
  const named: string[] = []
  for (const { name, values: given } of args.list) {
    if (name === '-x') draft.stripLocals = 'all'
    if (name !== keep && name !== strip) continue
    named.push(...readPatterns(given[0]!, host, messages))
    draft.stripLocals = name === keep ? { except: named } : { only: named }
  }
}
