// Brings up to date what else depends on the contents of an object: the debug map, ranges of data in code, initializer offsets.
import { dataViewOf } from '../../core/pages.ts'
import type { Link, LinkeditName } from '../../../components/link.ts'
import { CONTENT_INIT_POINTERS } from '../../../components/sections.ts'
import { fillRoom, tableRoom } from '../../../systems/kernels/linkeditRooms.ts'
import { createSizing, measureFile } from '../../../systems/numberSymbols/symbolSizes.ts'
import { writeInitOffsets } from '../../../systems/writeIndirect/initOffsets.ts'
import { dataInCode } from '../../../systems/writeSymtab/dataInCode.ts'
import { writeU32 } from '../../core/bytes.ts'
import * as macho from '../../formats/macho/constants.ts'
import { type DirtyPages, markChanges, markDirty } from './dirtyPages.ts'

/** Offset of n_value in nlist_64. */
const VALUE = 8

/** The time of the object, and the places and sizes of its symbols. */
export function patchStabs(link: Link, file: number, dirty: DirtyPages): void {
  const { stabs } = link.table
  const start = firstStab(link, file)
  if (start < 0) return
  const sizing = createSizing()
  measureFile(link, file, sizing)
  setValue(link, dirty, start, link.settings.zeroArDate ? 0 : link.files.Source.modified[file])
  for (let i = start + 1; i < stabs.count && stabs.type[i] !== macho.N_SO; i++) {
    if (stabs.row[i] === 0) continue
    const row = stabs.row[i] - 1
    const { locals, externals, localCount, thunks } = link.table
    const symbol = row < localCount ? locals[row] : externals[row - localCount - thunks.length]
    setValue(link, dirty, i, link.symbols.Reference.address[symbol])
    if (stabs.type[i] === macho.N_FUN) setValue(link, dirty, i + 1, sizing.sizes[symbol - sizing.first])
  }
}

function firstStab(link: Link, file: number): number {
  const { files } = link.table.stabs
  for (let i = 0; i < files.length; i += 2) if (files[i] === file) return files[i + 1]
  return -1
}

/** Stabs stand first in the symbol table. */
function setValue(link: Link, dirty: DirtyPages, stab: number, value: number): void {
  const { stabs } = link.table
  if (stabs.value[stab] === value) return
  stabs.value[stab] = value
  const at = link.linkedit.symbols!.offset + (link.table.room + stab) * macho.NLIST_SIZE + VALUE
  writeU32(link.tail, at - link.image.length, value % 4294967296)
  writeU32(link.tail, at - link.image.length + 4, Math.floor(value / 4294967296))
  markDirty(link, dirty, at, at + 8)
}

/** Lists all ranges of data in code anew; false when they are more or fewer. */
export function patchDataInCode(link: Link, dirty: DirtyPages): boolean {
  const table = link.linkedit.dataInCode
  if (table === undefined) return true
  return replaceTable(link, dirty, 'dataInCode', dataInCode(link))
}

/** Writes a table of __LINKEDIT that was made anew, from the first byte that changes to the last; false when it leaves its room. */
export function replaceTable(link: Link, dirty: DirtyPages, name: LinkeditName, made: Uint8Array): boolean {
  const { bytes, offset } = link.linkedit[name]!
  if (tableRoom(link, name, made.length) !== bytes.length) return false
  const now = new Uint8Array(bytes.length)
  now.set(made)
  fillRoom(name, now, made.length)
  const at = offset - link.image.length
  const before = link.tail.subarray(at, at + now.length)
  let [from, to] = [0, now.length]
  while (from < to && before[from] === now[from]) from++
  while (to > from && before[to - 1] === now[to - 1]) to--
  before.set(now.subarray(from, to), from)
  markDirty(link, dirty, offset + from, offset + to)
  return true
}

/** Writes all initializer offsets anew if the object has some, or something moved (`file` 0). */
export function patchInitOffsets(link: Link, file: number, dirty: DirtyPages): void {
  const output = link.tables.initOffsets
  if (output === 0 || (file !== 0 && !hasInitializers(link, file))) return
  const at = link.outputs.Extent.fileOffset[output]
  const before = link.image.slice(at, at + link.outputs.Extent.size[output])
  writeInitOffsets(link, dataViewOf(link.image))
  markChanges(link, dirty, at, before)
}

function hasInitializers(link: Link, file: number): boolean {
  const { section, sections } = link.files.Ranges
  for (let at = section[file]; at < section[file] + sections[file]; at++)
    if (link.sections.Header.content[at] === CONTENT_INIT_POINTERS) return true
  return false
}
