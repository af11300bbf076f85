// Which input lies at a place of the output: for messages about what only the whole image shows. Cold: a pass over all blocks.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { type Link, locate } from '../../components/link.ts'
import type { Location } from '../../src/types.ts'
import { tablesOf } from './symbolTables.ts'

/** The file, section and offset in the file of what lies at `address`; null when the linker made it. */
export function blameAddress(link: Link, address: number): Location | null {
  const { Extent, Placement } = link.blocks
  for (let block = 1; block <= link.blocks.count; block++) {
    const within = address - Placement.address[block]
    if ((Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE || within < 0) continue
    if (within >= Extent.size[block]) continue
    const section = Extent.section[block]
    const file = link.sections.Header.file[section]
    if (file === link.internal.file) continue
    const offset = link.sections.Bytes.position[section] - link.files.Source.position[file]
    return { ...blameSection(link, section), offset: offset + Extent.offset[block] + within }
  }
  return null
}

/** File and name of an input section; for the linker's own tentative definitions the file of the largest. */
export function blameSection(link: Link, section: number): Location {
  const own = link.sections.Header.file[section] === link.internal.file ? blameTentative(link) : null
  if (own !== null) return own
  const name = link.sections.Header.name[section]
  const text = `${link.sectionNames.segments[name]},${link.sectionNames.sections[name]}`
  return locate(link, link.sections.Header.file[section], { section: text })
}

/** The section that asks for most by `measure` among those of a segment. */
export function blameLargest(link: Link, segment: number, measure: Float64Array | Uint8Array): Location | null {
  let worst = 0
  for (let section = 1; section <= link.sections.count; section++) {
    const output = link.sections.Blocks.output[section]
    if (output === 0 || link.outputs.Section.segment[output] !== segment) continue
    if (worst === 0 || measure[section] > measure[worst]) worst = section
  }
  return worst === 0 ? null : blameSection(link, worst)
}

/** The file of the largest tentative definition. */
function blameTentative(link: Link): Location | null {
  const { files } = link
  let worst: Location | null = null
  let most = 0
  for (const file of link.order) {
    const { words } = tablesOf(link, file)
    for (let i = 0; i < files.Ranges.symbols[file]; i++) {
      const at = files.Tables.nlist[file] / 4 + i * 4
      if ((words[at + 1] & 0xef) !== 1 || words[at + 2] <= most) continue
      most = words[at + 2]
      worst = locate(link, file, { section: '__DATA,__common', offset: at * 4 - files.Source.position[file] + 8 })
    }
  }
  return worst
}
