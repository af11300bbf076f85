// Access to parsed YAML and JSON, whose shape is not trusted: what is missing is empty, what is of another kind an error.
import { FormatError } from '../../core/bytes.ts'

/** Where in the file the document starts: errors about its shape point there. */
export interface TbdSource {
  value: unknown
  offset: number
}

function fail(source: TbdSource, key: string, expected: string): never {
  throw new FormatError('tbd-shape', `malformed stub: expected ${expected} for "${key}"`, source.offset)
}

/** The value of `key`, undefined when there is none. */
export function field(source: TbdSource, key: string): unknown {
  const { value } = source
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(source, key, 'a mapping')
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
}

export function textField(source: TbdSource, key: string): string | null {
  const value = field(source, key)
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' ? value : fail(source, key, 'text')
}

function listField(source: TbdSource, key: string): unknown[] {
  const value = field(source, key)
  if (value === undefined || value === null || value === '') return []
  return Array.isArray(value) ? value : fail(source, key, 'a list')
}

export function textsField(source: TbdSource, key: string): string[] {
  const list = listField(source, key)
  for (const item of list) if (typeof item !== 'string') fail(source, key, 'a list of text')
  return list as string[]
}

export function sectionsField(source: TbdSource, key: string): TbdSource[] {
  return listField(source, key).map((value) => ({ value, offset: source.offset }))
}
