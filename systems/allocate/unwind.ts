// Plans __unwind_info once the addresses of all code before it are final.
import type { Link } from '../../components/link.ts'
import { error } from '../../src/core/messages.ts'
import { fdeEncoding } from '../../src/formats/ehFrame.ts'
import { planUnwindInfo, unwindPlanError } from '../../src/formats/unwind.ts'

export function planUnwind(link: Link): void {
  const table = link.unwind
  if (table === null) return
  const start = new Float64Array(table.count)
  const { leader, address } = link.blocks.Placement
  const encoding = table.encoding.slice()
  for (let i = 0; i < table.count; i++) {
    const home = leader[table.block[i]] || table.block[i]
    start[i] = address[home] + table.offset[i] - link.settings.imageBase
    // __eh_frame comes after and is not placed yet: its blocks' addresses are still offsets in it, which is what is wanted.
    const fde = link.unwinds.Entry.fde[table.row[i]]
    if (fde !== 0) encoding[i] = fdeEncoding(link.arch.name, address[fde])
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
