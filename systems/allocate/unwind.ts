// Plans __unwind_info once the addresses of all code before it are final.
import { fileText, type Link } from '../../components/link.ts'
import { error } from '../../src/core/messages.ts'
import { fdeEncoding } from '../../src/formats/ehFrame.ts'
import { blameSection } from '../kernels/blame.ts'
import { planUnwindInfo, unwindPlanError } from '../../src/formats/unwind.ts'

type UnwindTable = NonNullable<Link['unwind']>

/** `frames` is where __eh_frame begins for the addresses of its blocks: 0 while they are offsets in it. */
export function planUnwind(link: Link, frames = 0): void {
  const table = link.unwind
  if (table === null) return
  keepText(link, table)
  const start = new Float64Array(table.count)
  const { leader, address } = link.blocks.Placement
  const encoding = table.encoding.slice()
  for (let i = 0; i < table.count; i++) {
    const home = leader[table.block[i]] || table.block[i]
    start[i] = address[home] + table.offset[i] - link.settings.imageBase
    // __eh_frame comes after and is not placed yet: its blocks' addresses are still offsets in it, which is what is wanted.
    const fde = link.unwinds.Entry.fde[table.row[i]]
    if (fde !== 0) encoding[i] = fdeEncoding(link.arch.name, address[fde] - frames)
  }
  const rows = {
    count: table.count,
    start,
    length: table.length,
    encoding,
    personality: table.personality,
    lsda: table.lsda,
  }
  table.plan = planUnwindInfo(rows, link.arch.name)
  const trouble = unwindPlanError(table.plan)
  if (trouble !== null) error(link.messages, 'too-many-personalities', trouble)
  link.outputs.Extent.size[table.output] = table.plan.size
}

/** Functions of __TEXT have their addresses by now; ld64.lld too refuses unwind entries for others. */
function keepText(link: Link, table: UnwindTable): void {
  const { Extent, Placement } = link.blocks
  const text = link.outputs.Section.segment[table.output]
  let kept = 0
  for (let i = 0; i < table.count; i++) {
    const home = Placement.leader[table.block[i]] || table.block[i]
    const section = Extent.section[home]
    if (link.outputs.Section.segment[link.sections.Blocks.output[section]] === text) moveRow(table, i, kept++)
    else if (table.row[i] !== 0) notText(link, section)
  }
  table.count = kept
}

function moveRow(table: UnwindTable, from: number, to: number): void {
  if (from === to) return
  for (const column of [
    table.block,
    table.offset,
    table.row,
    table.length,
    table.encoding,
    table.personality,
    table.lsda,
  ])
    column[to] = column[from]
}

function notText(link: Link, section: number): void {
  const place = blameSection(link, section)
  const name = link.sectionNames.sections[link.sections.Header.name[section]]
  const text = `${fileText(link, link.sections.Header.file[section])}: __compact_unwind references section ${name} which is not in segment __TEXT`
  error(link.messages, 'unwind-outside-text', text, place)
}
