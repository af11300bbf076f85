// Text stubs of dylibs (`.tbd`): YAML in versions 1 to 4, JSON in version 5.
import { FormatError } from '../core/bytes.ts'
import type { TbdSource } from './tbd/fields.ts'
import { field, sectionsField, textField } from './tbd/fields.ts'
import { readOldDocument, readV4Document, readV5Library, type TbdDocument } from './tbd/stub.ts'
import type { TbdWanted } from './tbd/targets.ts'
import { readYaml } from './tbd/yaml.ts'
import type { YamlDocument } from './tbd/yamlSubset.ts'

export { applyLdDirectives, type DirectedDylib } from './tbd/ldDirectives.ts'
export { type TbdDocument, UNCHECKED_PLATFORMS } from './tbd/stub.ts'
export type { TbdWanted } from './tbd/targets.ts'

const STARTS = ['--- !tapi', '---\narchs:', '---\r\narchs:', '{']

function startsWith(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  if (end - at < text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

/** Whether bytes[at, end) starts like a stub: `--- !tapi`, `---` and `archs:`, or, as no other input does, `{`. */
export function isTbd(bytes: Uint8Array, at = 0, end = bytes.length): boolean {
  return STARTS.some((start) => startsWith(bytes, at, end, start))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    // V8 names the position in some of its messages only.
    const position = Number(/position (\d+)/.exec(reason)?.[1] ?? 0)
    const offset = reason.includes('end of JSON') ? text.length : position
    throw new FormatError('tbd-syntax', `malformed JSON: ${reason}`, offset)
  }
}

function readJson(text: string, wanted: TbdWanted): TbdDocument[] {
  const source: TbdSource = { value: parseJson(text), offset: 0 }
  const version = field(source, 'tapi_tbd_version')
  if (version !== 5) throw new FormatError('tbd-version', `stub has version ${JSON.stringify(version)}, expected 5`, 0)
  const main: TbdSource = { value: field(source, 'main_library'), offset: 0 }
  const targets = sectionsField(main, 'target_info')
  const libraries = sectionsField(source, 'libraries')
  return [main, ...libraries].map((library) => readV5Library(library, targets, wanted))
}

function readYamlDocument(document: YamlDocument, wanted: TbdWanted): TbdDocument {
  const { tag, offset } = document
  switch (tag) {
    case '':
    case '!tapi-tbd-v1':
      return readOldDocument(document, 1, wanted)
    case '!tapi-tbd-v2':
      return readOldDocument(document, 2, wanted)
    case '!tapi-tbd-v3':
      return readOldDocument(document, 3, wanted)
    case '!tapi-tbd': {
      const version = textField(document, 'tbd-version')
      if (version === '4') return readV4Document(document, wanted)
      throw new FormatError('tbd-version', `stub has version ${version}, expected 4`, offset)
    }
  }
  throw new FormatError('tbd-version', `stub has tag ${tag}, expected !tapi-tbd`, offset)
}

/**
 * The libraries of a stub, the one it is about first and those it inlines after it, as the wanted target sees them:
 * exports of the same processor type (arm64e serves arm64, as in ld64.lld) and platform. Architectures and platforms
 * that are not known are skipped. A library that is not for the wanted target has `compatible: false`.
 * Throws FormatError `tbd-syntax`, `tbd-shape`, `tbd-version`; the offset counts UTF-16 units.
 */
export async function readTbd(text: string, wanted: TbdWanted): Promise<TbdDocument[]> {
  if (/^\s*\{/.test(text)) return readJson(text, wanted)
  const documents = await readYaml(text)
  if (documents.length === 0) throw new FormatError('tbd-syntax', 'stub holds no document', 0)
  return documents.map((document) => readYamlDocument(document, wanted))
}
