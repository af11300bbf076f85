// Whether the objects fit the rows that they, or their versions before, have in the kept link: its columns are then taken as they are.
import { FILE_MISSING, FILE_OBJECT } from '../../components/files.ts'
import type { Kept } from '../../components/kept.ts'
import type { Survey } from './survey.ts'

/**
 * The same files in the same order, those that are loaded anew with as many sections, and with no more symbols and blocks than there are
 * rows; `names` rows free for names that they bring, and `others` rows of symbols and blocks behind those of the inputs.
 */
export function fitPlaces(found: Survey, kept: Kept, others: number, names: number): boolean {
  const { files, symbols, blocks, names: Names, internal } = kept.link
  const { rows } = found
  if (
    !found.spares ||
    found.settings.objcCategoryMerging ||
    tellsOrder(found) ||
    internal.file !== found.count + 1 ||
    symbols.Loaded.flags.length <= 1
  )
    return false
  let brought = names
  for (let file = 1; file <= found.count; file++) {
    if (rows.from[file] === file) continue
    if (rows.from[file] !== 0 || rows.kind[file] !== files.Source.kind[file]) return false
    if (rows.kind[file] !== FILE_OBJECT) continue
    if (firstOf(kept, 'section', file) + rows.sections[file] !== firstOf(kept, 'section', file + 1)) return false
    if (rows.symbols[file] > roomOf(kept, 'symbol', file) || rows.blocks[file] > roomOf(kept, 'block', file))
      return false
    brought += rows.symbols[file]
  }
  const { symbol, block } = files.Ranges
  return (
    symbol[internal.file] + others <= symbols.Definition.block.length &&
    block[internal.file] + others <= blocks.Extent.section.length &&
    Names.count + brought < Names.Text.hash.length
  )
}

/** Names are told in the order of their rows: which one has loaded a member, or what keeps something alive. */
function tellsOrder({ settings, rows }: Survey): boolean {
  return settings.whyLoad === true || settings.whyLive !== undefined || rows.kind.includes(FILE_MISSING)
}

type Rows = 'section' | 'symbol' | 'block'

function firstOf({ link }: Kept, rows: Rows, file: number): number {
  return link.files.Ranges[rows][file]
}

/** Rows of a file in the kept link, with those that it has to spare. */
export function roomOf(kept: Kept, rows: Rows, file: number): number {
  return firstOf(kept, rows, file + 1) - firstOf(kept, rows, file)
}
