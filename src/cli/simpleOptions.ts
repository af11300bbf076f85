// Options that only set a field of LinkOptions.
import { type Messages, error } from '../core/messages.ts'
import type { LinkOptions } from '../types.ts'
import { type ArgumentList, last, toggle, values } from './argumentList.ts'
import type { Draft } from './draft.ts'
import { parseHex, parseSourceVersion } from './parseVersion.ts'

type FieldOf<T> = { [K in keyof LinkOptions]-?: T extends NonNullable<LinkOptions[K]> ? K : never }[keyof LinkOptions]

/** Given: the field is true. */
const FLAGS: Readonly<Record<string, FieldOf<boolean>>> = {
  '-Z': 'noStandardPaths',
  '-ObjC': 'loadObjC',
  '-force_load_swift_libs': 'forceLoadSwiftLibs',
  '-ignore_auto_link': 'ignoreAutoLink',
  '--strict-auto-link': 'strictAutoLink',
  '-no_implicit_dylibs': 'noImplicitDylibs',
  '-export_dynamic': 'exportDynamic',
  '-interposable': 'interposable',
  '-S': 'stripDebug',
  '-dead_strip': 'deadStrip',
  '-dead_strip_dylibs': 'deadStripDylibs',
  '--dead-strip-duplicates': 'deadStripDuplicates',
  '-headerpad_max_install_names': 'headerPadMaxInstallNames',
  '-init_offsets': 'initOffsets',
  '-bind_at_load': 'bindAtLoad',
  '--check-category-conflicts': 'checkCategoryConflicts',
  '-ignore_optimization_hints': 'ignoreOptimizationHints',
  '--keep-icf-stabs': 'keepIcfStabs',
  '-t': 'trace',
  '-demangle': 'demangle',
  '-why_load': 'whyLoad',
  '-arch_errors_fatal': 'archErrorsFatal',
  '-arch_multiple': 'archMultiple',
  '--print-dylib-search': 'printDylibSearch',
  '-fatal_warnings': 'fatalWarnings',
  '-reproducible': 'zeroArDate',
  '-map': 'map',
  '--metafile=': 'metafile',
  '--stats': 'stats',
}

/** The last of the two says true or false. */
const TOGGLES: readonly (readonly [string, string, FieldOf<boolean>])[] = [
  ['-search_dylibs_first', '-search_paths_first', 'searchDylibsFirst'],
  ['-all_load', '-noall_load', 'allLoad'],
  ['-flat_namespace', '-twolevel_namespace', 'flatNamespace'],
  ['-data_const', '-no_data_const', 'dataConst'],
  ['-fixup_chains', '-no_fixup_chains', 'fixupChains'],
  ['-adhoc_codesign', '-no_adhoc_codesign', 'adhocCodesign'],
  ['-encryptable', '-no_encryption', 'encryptable'],
  ['-function_starts', '-no_function_starts', 'functionStarts'],
  ['-data_in_code_info', '-no_data_in_code_info', 'dataInCode'],
  ['-add_source_version', '-no_source_version', 'sourceVersion'],
  ['-objc_relative_method_lists', '-no_objc_relative_method_lists', 'objcRelativeMethodLists'],
  ['-objc_category_merging', '-no_objc_category_merging', 'objcCategoryMerging'],
  ['-application_extension', '-no_application_extension', 'applicationExtension'],
  ['--deduplicate-strings', '--no-deduplicate-strings', 'deduplicateLiterals'],
  ['--deduplicate-symbol-strings', '-no-deduplicate-symbol-strings', 'deduplicateSymbolStrings'],
  ['--tail-merge-strings', '--no-tail-merge-strings', 'tailMergeStrings'],
  ['--separate-cstring-literal-sections', '--no-separate-cstring-literal-sections', 'separateCstringLiterals'],
  ['--call-graph-profile-sort', '--no-call-graph-profile-sort', 'callGraphProfileSort'],
  ['--embedded-stubs', '--no-embedded-stubs', 'embeddedStubs'],
  ['--warn-thin-archive-missing-members', '--no-warn-thin-archive-missing-members', 'warnThinArchiveMissingMembers'],
]

const STRINGS: Readonly<Record<string, FieldOf<string>>> = {
  '-e': 'entry',
  '-bundle_loader': 'bundleLoader',
  '-client_name': 'clientName',
  '-final_output': 'finalOutput',
  '-order_file': 'orderFile',
  '--print-symbol-order=': 'printSymbolOrder',
  '-umbrella': 'umbrella',
  '-executable_path': 'executablePath',
}

const LISTS: Readonly<Record<string, FieldOf<readonly string[]>>> = {
  '-L': 'libraryPaths',
  '-F': 'frameworkPaths',
  '-u': 'forceUndefined',
  '-U': 'dynamicLookup',
  '--ignore-auto-link-option': 'ignoreAutoLinkLibraries',
  '-why_live': 'whyLive',
  '-dyld_env': 'dyldEnvironment',
  '-sub_library': 'subLibraries',
  '-sub_umbrella': 'subUmbrellas',
  '-add_ast_path': 'astPaths',
}

const HEX: Readonly<Record<string, FieldOf<number>>> = {
  '-headerpad': 'headerPad',
  '-image_base': 'imageBase',
  '-stack_size': 'stackSize',
  '-pagezero_size': 'pagezeroSize',
}

export function simpleOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  for (const [on, off, field] of TOGGLES) {
    const value = toggle(args, on, off)
    if (value !== undefined) Object.assign(draft, { [field]: value })
  }
  setSourceVersion(draft, args, messages)
  for (const name of args.byName.keys()) {
    const flag = FLAGS[name]
    const text = STRINGS[name]
    const list = LISTS[name]
    const hex = HEX[name]
    if (flag !== undefined) Object.assign(draft, { [flag]: true })
    else if (text !== undefined) Object.assign(draft, { [text]: last(args, name)!.values[0] })
    else if (list !== undefined) Object.assign(draft, { [list]: values(args, name) })
    else if (hex !== undefined) setHex(draft, hex, args, name, messages)
  }
}

/** The version is written where it is given, unless -no_source_version says that none is. */
function setSourceVersion(draft: Draft, args: ArgumentList, messages: Messages): void {
  const given = last(args, '-source_version')
  if (given === undefined) return
  const version = parseSourceVersion(given.values[0] ?? '')
  if (version === null) error(messages, 'malformed-version', `malformed source version: ${given.values[0]}`)
  else if (draft.sourceVersion !== false) draft.sourceVersion = version
}

function setHex(draft: Draft, field: FieldOf<number>, args: ArgumentList, name: string, messages: Messages): void {
  const {
    spelling,
    values: [given = ''],
  } = last(args, name)!
  const value = parseHex(given)
  if (value === null) error(messages, 'bad-number', `${spelling}: number expected, but got '${given}'`)
  else Object.assign(draft, { [field]: value })
}
