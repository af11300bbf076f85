// An object with more or fewer symbols and blocks, or others: whether its rows can take the place of those it had, as far as that
// can be told without the whole link.
import type { Link } from '../../../components/link.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL } from '../../../components/sections.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_COMMON } from '../../../components/symbols.ts'
import type { Alone } from './loadAlone.ts'
import { isKept, otherKind, otherSection } from './sameShape.ts'

/** Both as of `loadAlone`, of the object that is `file` of `whole`. Returns what is in the way, in words. */
export function whyNoOther(whole: Link, file: number, before: Alone, after: Alone): string {
  if (before.options !== after.options) return 'asks for other libraries'
  return (
    otherKind(before.link, after.link) ||
    otherContents(whole, file, before.link, after.link) ||
    otherDefinitions(before.link, after.link) ||
    tooMany(whole, file, after.link)
  )
}

/** Literals and records stay as they are, but for strings with room. */
function otherContents(whole: Link, file: number, before: Link, after: Link): string {
  const { name, content } = before.sections.Header
  for (let section = 1; section <= before.files.Ranges.sections[1]; section++) {
    const other = otherSection(before, after, section)
    if (other !== '') return other
    const output = whole.sections.Blocks.output[whole.files.Ranges.section[file] + section - 1]
    const roomy = content[section] === CONTENT_CSTRING && whole.outputs.Section.room[output] !== 0
    if (roomy || isKept(before, after, section)) continue
    const kind = [CONTENT_CSTRING, CONTENT_LITERAL].includes(content[section]) ? 'contents' : 'records'
    return `has other ${kind} in ${before.sectionNames.segments[name[section]]},${before.sectionNames.sections[name[section]]}`
  }
  return ''
}

/** Tentative definitions, absolute symbols and other names of symbols lead out of the object's own blocks. */
function otherDefinitions(...versions: readonly Link[]): string {
  for (const { symbols, files } of versions)
    for (let symbol = 1; symbol <= files.Ranges.symbols[1]; symbol++)
      if (symbols.Definition.flags[symbol] & (SYMBOL_ABSOLUTE | SYMBOL_COMMON))
        return 'has other symbols, and some that are tentative, absolute or aliases'
  return ''
}

/** Ranges of rows, which are those of files side by side, are never moved. */
function tooMany(whole: Link, file: number, after: Link): string {
  const { symbol, block } = whole.files.Ranges
  const { symbols, blocks } = after.files.Ranges
  const fits = symbol[file] + symbols[1] <= symbol[file + 1] && block[file] + blocks[1] <= block[file + 1]
  return fits ? '' : 'has more symbols than rows are kept free for it'
}
