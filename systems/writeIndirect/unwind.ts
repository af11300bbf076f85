// Writes __unwind_info, now that LSDA and GOT addresses are known.
import { findGot, KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { writeUnwindInfo } from '../../src/formats/unwind.ts'
import { gotAddress } from '../kernels/addresses.ts'

export function writeUnwind(link: Link): void {
  const table = link.unwind
  if (table === null || table.plan === null) return
  const base = link.settings.imageBase
  const slots = Float64Array.from(link.personalities, (target) => {
    const got =
      target & TARGET_IMPORT
        ? findGot(link.gots, KEY_IMPORT, target & 0x7fffffff)
        : findGot(link.gots, KEY_LOCAL, target)
    return got === 0 ? 0 : gotAddress(link, got) - base
  })
  const lsda = new Float64Array(table.count)
  const { Entry } = link.unwinds
  const { leader, address } = link.blocks.Placement
  for (let i = 0; i < table.count; i++) {
    if (table.lsda[i] === 0) continue
    lsda[i] = address[leader[table.lsda[i]] || table.lsda[i]] + Entry.lsdaOffset[table.row[i]] - base
  }
  writeUnwindInfo(table.plan, link.image, link.outputs.Extent.fileOffset[table.output], slots, lsda)
}
