// Arguments to LinkOptions. Checks come in ld64.lld's order (lld/MachO/Driver.cpp), so that messages do too.
import { alignUp } from '../core/align.ts'
import { type Messages, error, warn } from '../core/messages.ts'
import type { Host } from '../host/host.ts'
import type { LinkOptions } from '../types.ts'
import { type ArgumentList, all, asGiven, has, last, lastOf, lastValue, toggle, values } from './argumentList.ts'
import { collectInputs } from './collectInputs.ts'
import type { Draft } from './draft.ts'
import { layoutOptions } from './layoutOptions.ts'
import { parseVersion } from './parseVersion.ts'
import { simpleOptions } from './simpleOptions.ts'
import { symbolOptions } from './symbolOptions.ts'
import { targetOptions } from './targetOptions.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Complete only when `messages` holds no error afterwards. Files that options name (lists of symbols, of inputs) are read here. */
export function linkOptions(args: ArgumentList, env: Environment, host: Host, messages: Messages): LinkOptions {
  const draft: Draft = { inputs: [], outputType: outputType(args) }
  Object.assign(draft, targetOptions(args, draft.outputType!, messages))
  if (messages.errors > 0) return draft
  draft.output = outputPath(args)
  simpleOptions(draft, args, messages)
  numberOptions(draft, args, messages)
  imageOptions(draft, args, messages)
  dylibOptions(draft, args, messages)
  resolutionOptions(draft, args, messages)
  layoutOptions(draft, args, messages)
  symbolOptions(draft, args, host, messages)
  environmentOptions(draft, env)
  osoPrefix(draft, args, env, host)
  reportOptions(args, messages)
  draft.syslibroots = syslibroots(args)
  draft.inputs = collectInputs(args.list, draft.syslibroots, draft.allLoad === true, host, messages)
  return draft
}

function outputType(args: ArgumentList): 'execute' | 'dylib' | 'bundle' {
  const name = lastOf(args, '-bundle', '-dylib', '-execute')?.name
  return name === '-dylib' ? 'dylib' : name === '-bundle' ? 'bundle' : 'execute'
}

function outputPath(args: ArgumentList): string {
  const given = lastValue(args, '-o') ?? 'a.out'
  return given === '-' ? '/dev/stdout' : given
}

/** A last root of `/` takes all roots back (ld64.lld). */
export function syslibroots(args: ArgumentList): string[] {
  const roots = values(args, '-syslibroot')
  return roots.at(-1) === '/' ? [] : roots
}

function numberOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  const level = last(args, '-O')
  if (level !== undefined && !/^\d+$/.test(level.values[0]!))
    error(messages, 'bad-number', `${level.spelling}: number expected, but got '${level.values[0]}'`)
  else if (level !== undefined) draft.optimize = Number(level.values[0])
  traceOptions(draft, args, messages)
  const threads = lastValue(args, '--threads=')
  if (threads === undefined) return
  if (/^0*[1-9]\d*$/.test(threads)) draft.threads = Number(threads)
  else error(messages, 'bad-number', `--threads=: expected a positive integer, but got '${threads}'`)
}

function traceOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  if (lastOf(args, '--time-trace', '--time-trace=') !== undefined) draft.timeTrace = true
  const granularity = lastValue(args, '--time-trace-granularity=')
  if (granularity === undefined) return
  if (/^\d+$/.test(granularity)) draft.timeTraceGranularity = Number(granularity)
  else error(messages, 'bad-number', `--time-trace-granularity=: number expected, but got '${granularity}'`)
}

function imageOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  roundPagezero(draft, messages)
  roundImageBase(draft, messages)
  const pie = toggle(args, '-pie', '-no_pie')
  if (pie === false && draft.arch === 'arm64') warn(messages, 'no-pie-ignored', '-no_pie ignored for arm64')
  else if (pie === false) draft.pie = false
  if (draft.pie === false && draft.outputType === 'execute' && draft.fixupChains === true)
    error(messages, 'fixup-chains-no-pie', '-fixup_chains is incompatible with -no_pie')
  if (has(args, '-no_uuid')) draft.uuid = 'none'
  else if (has(args, '-random_uuid')) draft.uuid = 'random'
  foldingOptions(draft, args, messages)
  roomOptions(draft, args, messages)
  if (lastOf(args, '-objc_stubs_fast', '-objc_stubs_small')?.name !== '-objc_stubs_small') return
  if (draft.arch === 'arm64') draft.objcStubsSmall = true
  else warn(messages, 'no-small-stubs', '-objc_stubs_small is not yet implemented, defaulting to -objc_stubs_fast')
}

// The kernel maps whole pages, so a page zero that ends within one cannot be had.
function roundPagezero(draft: Draft, messages: Messages): void {
  const size = draft.pagezeroSize
  const page = draft.arch === 'arm64' ? 0x4000 : 0x1000
  if (size === undefined || size % page === 0) return
  draft.pagezeroSize = size - (size % page)
  const hex = draft.pagezeroSize.toString(16).toUpperCase()
  warn(messages, 'pagezero-rounded', `__PAGEZERO size is not page aligned, rounding down to 0x${hex}`)
}

function roundImageBase(draft: Draft, messages: Messages): void {
  const base = draft.imageBase
  const page = draft.arch === 'arm64' ? 0x4000 : 0x1000
  if (base === undefined || base % page === 0) return
  draft.imageBase = alignUp(base, page)
  const hex = draft.imageBase.toString(16).toUpperCase()
  warn(messages, 'image-base-rounded', `image base is not page aligned, rounding up to 0x${hex}`)
}

function foldingOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  const given = lastOf(args, '--icf=', '-no_deduplicate')
  if (given === undefined) return
  const level = given.name === '-no_deduplicate' ? 'none' : given.values[0]!
  if (level === 'none' || level === 'safe' || level === 'all') draft.icf = level
  else if (level !== 'safe_thunks')
    warn(messages, 'unknown-icf', `unknown --icf=OPTION \`${level}', defaulting to \`none'`)
  else if (draft.arch !== 'arm64')
    error(messages, 'safe-thunks-arch', '--icf=safe_thunks is only supported on arm64 targets')
  else {
    draft.icf = 'safe'
    warn(messages, 'no-safe-thunks', '--icf=safe_thunks is not offered, using --icf=safe')
  }
}

function roomOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  const layout = lastValue(args, '--layout=')
  if (layout === 'tight' || layout === 'padded') draft.layout = layout
  else if (layout === undefined && lastOf(args, '--incremental', '--server') !== undefined) draft.layout = 'padded'
  else if (layout !== undefined)
    error(messages, 'bad-layout', `--layout=: expected tight or padded, but got '${layout}'`)
}

function dylibOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  const isDylib = draft.outputType === 'dylib'
  dyldEnvironment(draft, messages)
  if (has(args, '-umbrella') && !isDylib) warn(messages, 'umbrella-output', '-umbrella used, but not creating dylib')
  rpaths(draft, args, messages)
  const clients = values(args, '-allowable_client')
  if (clients.length > 0) draft.allowableClients = [...new Set(clients)]
  const name = last(args, '-install_name')
  if (name !== undefined && !isDylib && toggle(args, '--warn-dylib-install-name', '--no-warn-dylib-install-name')) {
    const text = `${asGiven(name)}: ignored, only has effect with -dylib [--warn-dylib-install-name]`
    warn(messages, 'install-name-output', text)
  } else if (name !== undefined) draft.installName = name.values[0]!
  if (has(args, '-mark_dead_strippable_dylib')) {
    if (isDylib) draft.markDeadStrippableDylib = true
    else warn(messages, 'dead-strippable-output', '-mark_dead_strippable_dylib: ignored, only has effect with -dylib')
  }
}

function dyldEnvironment(draft: Draft, messages: Messages): void {
  for (const pair of draft.dyldEnvironment ?? []) {
    if (pair.includes('=')) continue
    const expected = '-dyld_env <ENV_VAR>=<VALUE>'
    error(messages, 'malformed-dyld-env', `-dyld_env's argument is  malformed. Expected ${expected}, got \`${pair}\``)
  }
  if (draft.dyldEnvironment !== undefined && draft.outputType !== 'execute')
    error(messages, 'dyld-env-output', '-dyld_env can only be used when creating executable output')
}

function rpaths(draft: Draft, args: ArgumentList, messages: Messages): void {
  const seen = new Set<string>()
  const quiet = toggle(args, '--warn-duplicate-rpath', '--no-warn-duplicate-rpath') === false
  for (const path of values(args, '-rpath')) {
    if (seen.has(path) && !quiet)
      warn(messages, 'duplicate-rpath', `duplicate -rpath '${path}' ignored [--warn-duplicate-rpath]`)
    seen.add(path)
  }
  if (seen.size > 0) draft.rpaths = [...seen]
}

function resolutionOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  const treatment = lastValue(args, '-undefined') ?? 'error'
  if (treatment === 'error' || treatment === 'dynamic_lookup') draft.undefined = treatment
  else if (treatment !== 'warning' && treatment !== 'suppress')
    warn(messages, 'unknown-undefined', `unknown -undefined TREATMENT '${treatment}', defaulting to 'error'`)
  else if (draft.flatNamespace === true) draft.undefined = treatment
  else error(messages, 'undefined-twolevel', `'-undefined ${treatment}' only valid with '-flat_namespace'`)
  const compatibility = dylibVersion(draft, args, '-compatibility_version', messages)
  const current = dylibVersion(draft, args, '-current_version', messages)
  if (compatibility !== null) draft.compatibilityVersion = compatibility
  if (current !== null) draft.currentVersion = current
}

function dylibVersion(draft: Draft, args: ArgumentList, name: string, messages: Messages): number | null {
  const given = last(args, name)
  if (given === undefined) return null
  const version = parseVersion(given.values[0]!)
  if (draft.outputType !== 'dylib') error(messages, 'version-output', `${asGiven(given)}: only valid with -dylib`)
  else if (version === null) error(messages, 'malformed-version', `${asGiven(given)}: malformed version`)
  else return version
  return null
}

function environmentOptions(draft: Draft, env: Environment): void {
  if (env.ZERO_AR_DATE !== '0') draft.zeroArDate = true
  if (env.RC_TRACE_DYLIB_SEARCHING !== undefined) draft.printDylibSearch = true
  if (env.LD_DYLIB_CPU_SUBTYPES_MUST_MATCH !== undefined) draft.cpuSubtypesMustMatch = true
}

/** The real path of what is named, a slash at its end kept; `.` is the working directory with a slash behind it (ld64). Other text stays. */
function osoPrefix(draft: Draft, args: ArgumentList, env: Environment, host: Host): void {
  const prefix = lastValue(args, '-oso_prefix')
  if (prefix === undefined) return
  const path = env.HOME !== undefined && /^~(\/|$)/.test(prefix) ? env.HOME + prefix.slice(1) : prefix
  const slash = path === '.' || path.endsWith('/') ? '/' : ''
  if (path === '.') draft.osoPrefix = `${host.cwd()}/`
  else draft.osoPrefix = host.stat(path) === null ? prefix : host.realPath(path) + slash
}

function reportOptions(args: ArgumentList, messages: Messages): void {
  if (has(args, '-why_live') && !has(args, '-dead_strip'))
    warn(messages, 'why-live-alone', '-why_live has no effect without -dead_strip, ignoring')
  if (has(args, '--slop_scale=')) warn(messages, 'slop-scale', '--slop_scale= has no effect and is deprecated')
  if (all(args, '--reproduce').length > 0) warn(messages, 'no-reproduce', '--reproduce is not offered, ignoring')
}
