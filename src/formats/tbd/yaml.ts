import { FormatError } from '../../core/bytes.ts'
import { readYamlSubset, type YamlDocument, type YamlValue } from './yamlSubset.ts'

const MAX_ALIASES = 100

function syntaxError(text: string, offset: number): FormatError {
  return new FormatError('tbd-syntax', `malformed YAML: ${text}`, offset)
}

async function readWithLibrary(text: string): Promise<YamlDocument[]> {
  const { parseAllDocuments } = await import('yaml')
  const parsed = parseAllDocuments(text, { schema: 'failsafe', logLevel: 'silent', prettyErrors: false })
  const documents: YamlDocument[] = []
  if (!Array.isArray(parsed)) return documents
  for (const document of parsed) {
    const [error] = document.errors
    if (error !== undefined) throw syntaxError(error.message, error.pos[0])
    const value = document.toJS({ maxAliasCount: MAX_ALIASES }) as YamlValue
    documents.push({ tag: document.contents?.tag ?? '', offset: document.range[0], value })
  }
  return documents
}

/**
 * The documents of a YAML stream, scalars as text. The `yaml` package is loaded only for what `readYamlSubset` refuses.
 * Throws FormatError `tbd-syntax`.
 */
export async function readYaml(text: string): Promise<YamlDocument[]> {
  try {
    return readYamlSubset(text)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
  }
  try {
    return await readWithLibrary(text)
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw syntaxError(error instanceof Error ? error.message : String(error), 0)
  }
}
