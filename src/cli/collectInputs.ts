// Inputs in command-line order, and the warnings that ld64.lld gives while it walks them.
import { type Messages, error, warn } from '../core/messages.ts'
import type { Host } from '../host/host.ts'
import type { Input, InputFlags } from '../types.ts'
import type { Argument } from './parseArguments.ts'
import { fileError } from './fileError.ts'
import { readText, textLines } from './readText.ts'

type Kind = 'path' | 'library' | 'framework'

const INPUT_OPTIONS: Readonly<Record<string, readonly [Kind, InputFlags]>> = {
  '-l': ['library', {}],
  '-weak-l': ['library', { weak: true }],
  '-needed-l': ['library', { needed: true }],
  '-reexport-l': ['library', { reexport: true }],
  '-upward-l': ['library', { upward: true }],
  '-hidden-l': ['library', { hidden: true }],
  '-lazy-l': ['library', {}],
  '-framework': ['framework', {}],
  '-weak_framework': ['framework', { weak: true }],
  '-needed_framework': ['framework', { needed: true }],
  '-reexport_framework': ['framework', { reexport: true }],
  '-upward_framework': ['framework', { upward: true }],
  '-lazy_framework': ['framework', {}],
  '-weak_library': ['path', { weak: true }],
  '-needed_library': ['path', { needed: true }],
  '-reexport_library': ['path', { reexport: true }],
  '-upward_library': ['path', { upward: true }],
  '-lazy_library': ['path', {}],
  '-force_load': ['path', { forceLoad: true }],
  '-load_hidden': ['path', { hidden: true }],
}

interface Walk {
  inputs: Input[]
  roots: readonly string[]
  host: Host
  messages: Messages
  allLoad: boolean
  inLibrary: boolean
  lazy: boolean
}

/** `roots` are the `-syslibroot` directories; an absolute path that is no `.o` is looked for below them first. */
export function collectInputs(
  list: readonly Argument[],
  roots: readonly string[],
  allLoad: boolean,
  host: Host,
  messages: Messages,
): Input[] {
  const walk: Walk = { inputs: [], roots, host, messages, allLoad, inLibrary: false, lazy: false }
  for (const argument of list) {
    warnOfTreatment(argument, messages)
    addArgument(walk, argument)
  }
  return walk.inputs
}

function addArgument(walk: Walk, argument: Argument): void {
  const { name, values } = argument
  const value = values[0] ?? ''
  if (name === null) addPath(walk, value, {}, walk.lazy)
  else if (name === '-filelist') addFileList(walk, value)
  else if (name === '--start-lib') startLibrary(walk)
  else if (name === '--end-lib') endLibrary(walk)
  else {
    const row = INPUT_OPTIONS[name]
    if (row === undefined) return
    const [kind, flags] = row
    if (kind === 'path') addPath(walk, value, flags, false)
    else walk.inputs.push(kind === 'library' ? { library: value, ...flags } : { framework: value, ...flags })
  }
}

function addPath(walk: Walk, path: string, flags: InputFlags, lazy: boolean): void {
  const input: Input = { path: reroot(walk, path), ...flags }
  if (lazy) input.lazy = true
  walk.inputs.push(input)
}

function reroot(walk: Walk, path: string): string {
  if (!path.startsWith('/') || path.endsWith('.o')) return path
  for (const root of walk.roots) {
    const candidate = root.replace(/\/$/, '') + path
    if (walk.host.stat(candidate) !== null) return candidate
  }
  return path
}

/** `file` or, as ld64 has it, `file,directory`: the names are then below the directory. */
function addFileList(walk: Walk, value: string): void {
  const comma = walk.host.stat(value) === null ? value.lastIndexOf(',') : -1
  const path = comma < 0 ? value : value.slice(0, comma)
  const prefix = comma < 0 ? '' : `${value.slice(comma + 1)}/`
  try {
    for (const line of textLines(readText(walk.host, path))) addPath(walk, prefix + line, {}, walk.lazy)
  } catch (cause) {
    fileError(walk.messages, path, cause)
  }
}

function startLibrary(walk: Walk): void {
  if (walk.inLibrary) error(walk.messages, 'nested-start-lib', 'nested --start-lib')
  walk.inLibrary = true
  walk.lazy = !walk.allLoad
}

function endLibrary(walk: Walk): void {
  if (!walk.inLibrary) error(walk.messages, 'stray-end-lib', 'stray --end-lib')
  walk.inLibrary = false
  walk.lazy = false
}

function warnOfTreatment({ option, spelling }: Argument, messages: Messages): void {
  switch (option?.treatment) {
    case 'deprecated':
      return warn(
        messages,
        'deprecated-option',
        `Option \`${spelling}' is deprecated in ld64: ${whyDeprecated(spelling)}`,
      )
    case 'undocumented':
      return warn(messages, 'undocumented-option', `Option \`${spelling}' is undocumented; it has no effect`)
    case 'obsolete':
      return warn(messages, 'obsolete-option', `Option \`${spelling}' is obsolete. Please modernize your usage.`)
    case 'ignored':
      return warn(messages, 'ignored-option', `Option \`${spelling}' is ignored.`)
    case 'unimplemented':
      return warn(messages, 'unimplemented-option', `Option \`${spelling}' is not yet implemented`)
    case 'refused':
      return error(messages, 'unsupported-output', `${spelling} is not supported: the output would be of another kind`)
  }
}

function whyDeprecated(spelling: string): string {
  return spelling.startsWith('-lazy') ? 'the library is linked as any other' : 'it is the default'
}
