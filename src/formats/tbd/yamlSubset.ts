// The part of YAML that tapi and LLVM write: block mappings and sequences, flow sequences, scalars on one line.
// Measured: the `yaml` package takes 460 ms for a stub of 1 MB, this reader 10 to 40 ms. What it does not
// know (anchors, flow mappings, escapes, text over several lines) it refuses, and the caller asks the package.
import { FormatError } from '../../core/bytes.ts'

/** Scalars stay text: `1.10` is a version, not a number. */
export type YamlValue = string | YamlValue[] | { [key: string]: YamlValue }

export interface YamlDocument {
  /** `!tapi-tbd-v3`, or '' without one. */
  tag: string
  offset: number
  value: YamlValue
}

interface Cursor {
  text: string
  at: number
  /** Column of the content at `at` after `nextLine`; -1 at the end of a document. */
  column: number
}

const MAX_DEPTH = 16
const NEWLINE = 0x0a
const SPACE = 0x20
const HASH = 0x23
const QUOTE = 0x27
const COMMA = 0x2c
const DASH = 0x2d
const COLON = 0x3a
const OPEN = 0x5b
const CLOSE = 0x5d
/** What may not start a plain scalar here. */
const INDICATORS = '&*!|>%@`"\'#{}[],?:-'

function refuse(cursor: Cursor, text: string): never {
  throw new FormatError('tbd-syntax', text, cursor.at)
}

function isLineEnd(code: number): boolean {
  return code === NEWLINE || code === 0x0d || Number.isNaN(code)
}

function skipSpaces(cursor: Cursor): void {
  while (cursor.text.charCodeAt(cursor.at) === SPACE) cursor.at++
}

/** Goes to the end of the line, over spaces and a comment. */
function endLine(cursor: Cursor): void {
  const start = cursor.at
  skipSpaces(cursor)
  const code = cursor.text.charCodeAt(cursor.at)
  if (code === HASH && cursor.at > start) {
    const end = cursor.text.indexOf('\n', cursor.at)
    cursor.at = end < 0 ? cursor.text.length : end
  } else if (!isLineEnd(code)) refuse(cursor, 'expected the end of the line')
}

function atMarker(cursor: Cursor): boolean {
  const { text, at } = cursor
  if (!text.startsWith('---', at) && !text.startsWith('...', at)) return false
  const after = text.charCodeAt(at + 3)
  return after === SPACE || isLineEnd(after)
}

/** From the end of a line to the next content; sets `column`. */
function nextLine(cursor: Cursor): void {
  const { text } = cursor
  for (;;) {
    while (cursor.at < text.length && isLineEnd(text.charCodeAt(cursor.at))) cursor.at++
    const start = cursor.at
    skipSpaces(cursor)
    cursor.column = cursor.at - start
    const code = text.charCodeAt(cursor.at)
    if (code === HASH) {
      const end = text.indexOf('\n', cursor.at)
      cursor.at = end < 0 ? text.length : end
    } else if (cursor.at >= text.length || (cursor.column === 0 && atMarker(cursor))) {
      cursor.column = -1
      return
    } else if (!isLineEnd(code)) return
  }
}

/** `'it''s'`: a doubled quote is one. */
function readSingleQuoted(cursor: Cursor): string {
  const { text } = cursor
  const start = cursor.at + 1
  let end = text.indexOf("'", start)
  let doubled = false
  while (end >= 0 && text.charCodeAt(end + 1) === QUOTE) {
    doubled = true
    end = text.indexOf("'", end + 2)
  }
  const value = end < 0 ? '\n' : text.slice(start, end)
  if (value.includes('\n')) refuse(cursor, 'quoted text over several lines')
  cursor.at = end + 1
  return doubled ? value.replaceAll("''", "'") : value
}

function readDoubleQuoted(cursor: Cursor): string {
  const start = cursor.at + 1
  const end = cursor.text.indexOf('"', start)
  const value = end < 0 ? '\n' : cursor.text.slice(start, end)
  if (value.includes('\n') || value.includes('\\')) refuse(cursor, 'quoted text with escapes')
  cursor.at = end + 1
  return value
}

/** A plain scalar up to the end of the line or, in a flow sequence, to `,` or `]`. */
function readPlain(cursor: Cursor, flow: boolean): string {
  const { text } = cursor
  const start = cursor.at
  if (INDICATORS.includes(text[start])) refuse(cursor, 'not a plain scalar')
  let at = start
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === NEWLINE || (flow && (code === COMMA || code === CLOSE))) break
    if (code > COLON || code < SPACE) {
      if (flow && (code === OPEN || code === 0x7b || code === 0x7d)) refuse(cursor, 'flow indicator in a plain scalar')
      if (code === 0x09) refuse(cursor, 'tab in a plain scalar')
      continue
    }
    const before = text.charCodeAt(at - 1)
    if (code === HASH && before === SPACE) break
    if (code !== COLON) continue
    const after = text.charCodeAt(at + 1)
    if (after === SPACE || isLineEnd(after) || (flow && (after === COMMA || after === CLOSE)))
      refuse(cursor, 'mapping in a plain scalar')
  }
  let end = at
  while (end > start && (text.charCodeAt(end - 1) === SPACE || text.charCodeAt(end - 1) === 0x0d)) end--
  cursor.at = end
  return text.slice(start, end)
}

function readScalar(cursor: Cursor, flow: boolean): string {
  const code = cursor.text.charCodeAt(cursor.at)
  if (code === QUOTE) return readSingleQuoted(cursor)
  if (code === 0x22) return readDoubleQuoted(cursor)
  return readPlain(cursor, flow)
}

/** Over white space, line ends and comments inside a flow sequence. */
function skipFlowSpace(cursor: Cursor): void {
  const { text } = cursor
  for (;;) {
    const code = text.charCodeAt(cursor.at)
    if (code === SPACE || code === NEWLINE || code === 0x0d) cursor.at++
    else if (code === HASH && text.charCodeAt(cursor.at - 1) <= SPACE) {
      const end = text.indexOf('\n', cursor.at)
      cursor.at = end < 0 ? text.length : end
    } else return
  }
}

function readFlow(cursor: Cursor, depth: number): YamlValue[] {
  if (depth > MAX_DEPTH) refuse(cursor, 'nested too deep')
  const { text } = cursor
  const items: YamlValue[] = []
  cursor.at++
  for (;;) {
    skipFlowSpace(cursor)
    const code = text.charCodeAt(cursor.at)
    if (code === CLOSE) break
    items.push(code === OPEN ? readFlow(cursor, depth + 1) : readScalar(cursor, true))
    skipFlowSpace(cursor)
    const after = text.charCodeAt(cursor.at)
    if (after === COMMA) cursor.at++
    else if (after !== CLOSE) refuse(cursor, 'expected "," or "]"')
  }
  cursor.at++
  return items
}

/** The value that starts on this line; leaves the cursor at the next content. */
function readInline(cursor: Cursor, depth: number): YamlValue {
  const isFlow = cursor.text.charCodeAt(cursor.at) === OPEN
  const value = isFlow ? readFlow(cursor, depth + 1) : readScalar(cursor, false)
  endLine(cursor)
  nextLine(cursor)
  return value
}

function atDash(cursor: Cursor): boolean {
  if (cursor.text.charCodeAt(cursor.at) !== DASH) return false
  const after = cursor.text.charCodeAt(cursor.at + 1)
  return after === SPACE || isLineEnd(after)
}

/** Length of the key at the cursor, or 0 when what stands there is not `key:`. */
function keyLength(cursor: Cursor): number {
  const { text, at } = cursor
  let end = at
  for (;;) {
    const code = text.charCodeAt(end)
    const isWord = (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === DASH || code === 0x5f
    if (!isWord) break
    end++
  }
  const after = text.charCodeAt(end + 1)
  return text.charCodeAt(end) === COLON && (after === SPACE || isLineEnd(after)) ? end - at : 0
}

/** What stands after `key:` or `-`: on the same line, or deeper in the next ones; '' when there is nothing. */
function readNested(cursor: Cursor, indent: number, depth: number, dashAllowed: boolean): YamlValue {
  const code = cursor.text.charCodeAt(cursor.at)
  if (!isLineEnd(code) && code !== HASH) return readInline(cursor, depth)
  endLine(cursor)
  nextLine(cursor)
  if (cursor.column > indent) return readBlock(cursor, depth + 1)
  if (cursor.column === indent && dashAllowed && atDash(cursor)) return readSequence(cursor, depth + 1)
  return ''
}

function readMapping(cursor: Cursor, depth: number): YamlValue {
  const indent = cursor.column
  const map: { [key: string]: YamlValue } = Object.create(null)
  while (cursor.column === indent) {
    const length = keyLength(cursor)
    if (length === 0) refuse(cursor, 'expected "key:"')
    const key = cursor.text.slice(cursor.at, cursor.at + length)
    if (key in map) refuse(cursor, `repeated key ${key}`)
    cursor.at += length + 1
    skipSpaces(cursor)
    map[key] = readNested(cursor, indent, depth, true)
  }
  if (cursor.column > indent) refuse(cursor, 'unexpected indentation')
  return map
}

function readSequence(cursor: Cursor, depth: number): YamlValue {
  const indent = cursor.column
  const items: YamlValue[] = []
  while (cursor.column === indent && atDash(cursor)) {
    const dash = cursor.at++
    skipSpaces(cursor)
    if (keyLength(cursor) > 0) {
      cursor.column = indent + cursor.at - dash
      items.push(readBlock(cursor, depth + 1))
    } else items.push(readNested(cursor, indent, depth, false))
  }
  if (cursor.column > indent) refuse(cursor, 'unexpected indentation')
  return items
}

function readBlock(cursor: Cursor, depth: number): YamlValue {
  if (depth > MAX_DEPTH) refuse(cursor, 'nested too deep')
  return atDash(cursor) ? readSequence(cursor, depth) : readMapping(cursor, depth)
}

/** `--- !tag` and the end of its line. */
function readStart(cursor: Cursor): string {
  if (!cursor.text.startsWith('---', cursor.at)) refuse(cursor, 'expected "---"')
  cursor.at += 3
  skipSpaces(cursor)
  const start = cursor.at
  if (cursor.text[start] === '!') while (cursor.text.charCodeAt(cursor.at) > SPACE) cursor.at++
  const tag = cursor.text.slice(start, cursor.at)
  endLine(cursor)
  nextLine(cursor)
  return tag
}

/**
 * The documents of a YAML stream, as far as it keeps to what linker stubs use.
 * Throws FormatError `tbd-syntax` at what it does not know.
 */
export function readYamlSubset(text: string): YamlDocument[] {
  const cursor: Cursor = { text, at: text.startsWith('\ufeff') ? 1 : 0, column: 0 }
  const documents: YamlDocument[] = []
  nextLine(cursor)
  while (cursor.at < text.length) {
    const offset = cursor.at
    const tag = readStart(cursor)
    const value = cursor.column < 0 ? '' : readBlock(cursor, 0)
    if (cursor.column >= 0) refuse(cursor, 'unexpected indentation')
    documents.push({ tag, offset, value })
    while (text.startsWith('...', cursor.at)) {
      cursor.at += 3
      endLine(cursor)
      nextLine(cursor)
    }
  }
  return documents
}
