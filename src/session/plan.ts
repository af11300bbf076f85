// What a rebuild has to do: applies what the caller says to the options, and finds what has changed by itself.
import type { Host } from '../host/host.ts'
import type { Changes, Input, LinkOptions } from '../types.ts'
import { changeOf, digestOf, type FileRecords, isSameDigest } from './fileRecords.ts'

/** The paths, and what became of the first, in words. */
export interface Found {
  paths: string[]
  reason: string
}

/** Everything in memory that goes into a link, by name. */
export type MemoryDigests = Map<string, Uint8Array>

/** The options after `changes`. @throws TypeError for an input that is not among them. */
export function applyChanges(options: LinkOptions, changes: Changes): LinkOptions {
  const after = { ...options, ...changes.options }
  let inputs = [...after.inputs]
  for (const name of changes.removed ?? []) {
    const kept = inputs.filter((input) => nameOf(input) !== name)
    if (kept.length === inputs.length) throw new TypeError(`rebuild: removed ${name} is not an input`)
    inputs = kept
  }
  for (const given of changes.changed ?? []) {
    if (typeof given === 'string' || given.contents === undefined) continue
    const at = inputs.findIndex((input) => nameOf(input) === given.path)
    if (at < 0) throw new TypeError(`rebuild: changed ${given.path} is not an input`)
    inputs[at] = { ...toInput(inputs[at]!), contents: given.contents }
  }
  return { ...after, inputs: [...inputs, ...(changes.added ?? [])] }
}

/** What the caller says has changed; null where that is to be found out. */
export function namedChanges(changes: Changes): Found | null {
  const { changed, added, removed } = changes
  if (changed === undefined && added === undefined && removed === undefined) return null
  const lists = [
    [(changed ?? []).map(nameOf), 'changed'],
    [(added ?? []).map(nameOf), 'was added'],
    [removed ?? [], 'was removed'],
  ] as const
  const paths = [...new Set(lists.flatMap(([names]) => names))]
  const [names, what] = lists.find(([each]) => each.length > 0) ?? [[], '']
  return { paths, reason: paths.length === 0 ? '' : reasonFor(names[0]!, what, paths.length) }
}

/** The inputs of these names. Two of one name are one path. */
export function namedInputs(options: LinkOptions, names: readonly string[]): Input[] {
  const inputs = new Map(options.inputs.map((input) => [nameOf(input), toInput(input)]))
  return names.map((name) => inputs.get(name) ?? { path: name })
}

/** Looks at every file of the last link, and at what is in memory. */
export function findChanges(host: Host, records: FileRecords, before: MemoryDigests, now: MemoryDigests): Found {
  const paths: string[] = []
  let reason = ''
  const add = (path: string, what: string) => {
    if (paths.push(path) === 1) reason = what
  }
  for (const [path, record] of records) {
    const what = changeOf(host, path, record)
    if (what !== null) add(path, what)
  }
  for (const [name, digest] of now) {
    const known = before.get(name)
    if (known === undefined || !isSameDigest(known, digest)) add(name, 'has other contents')
  }
  for (const name of before.keys()) if (!now.has(name)) add(name, 'is not in memory any more')
  return { paths, reason: paths.length === 0 ? '' : reasonFor(paths[0]!, reason, paths.length) }
}

/** Names that several inputs have: which of them is which does not tell by the name. */
export function repeatedInputs({ inputs }: LinkOptions): string[] {
  const names = inputs.map(nameOf)
  const seen = new Set<string>()
  return names.length === new Set(names).size ? [] : names.filter((name) => seen.size === seen.add(name).size)
}

function reasonFor(path: string, what: string, count: number): string {
  return count === 1 ? `${path} ${what}` : `${path} ${what}, and ${count - 1} more`
}

export function digestMemory(host: Host, options: LinkOptions): MemoryDigests {
  const digests: MemoryDigests = new Map()
  options.inputs.forEach((input, i) => {
    if (typeof input === 'string' || input.contents === undefined) return
    digests.set(
      digests.has(nameOf(input)) ? `${nameOf(input)} (input ${i + 1})` : nameOf(input),
      digestOf(host, input.contents),
    )
  })
  for (const { segment, section, contents } of options.sectCreate ?? [])
    if (contents !== undefined) digests.set(`${segment},${section}`, digestOf(host, contents))
  return digests
}

/** These do not change what is written. */
const PASSING: readonly string[] = [
  'host',
  'signal',
  'onProgress',
  'timeTrace',
  'timeTraceGranularity',
  'stats',
  'cache',
  'threads',
  'threadsFrom',
  'asideFrom',
  'checkPatches',
]

/** The first option that is not as it was; contents of inputs are compared elsewhere. */
export function changedOption(before: LinkOptions, after: LinkOptions): string | null {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof LinkOptions>
  for (const name of names) {
    if (PASSING.includes(name) || before[name] === after[name]) continue
    if (!isSameList(before[name], after[name]) && textOf(before[name]) !== textOf(after[name])) return name
  }
  return null
}

/** The text of 1,000 inputs takes 2 ms. */
function isSameList(a: unknown, b: unknown): boolean {
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => item === b[i])
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part) => (ArrayBuffer.isView(part) ? '' : part)) ?? ''
}

function toInput(input: string | Input): Input {
  return typeof input === 'string' ? { path: input } : input
}

function nameOf(input: string | Input): string {
  const { path, library, framework } = toInput(input)
  return path ?? library ?? framework ?? ''
}
