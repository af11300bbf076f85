import type { Arch } from '../../types.ts'
import {
  UNWIND_COMPRESSED_OFFSET_MASK,
  UNWIND_COMPRESSED_WORDS,
  UNWIND_HEADER_SIZE,
  UNWIND_INDEX_ENTRY_SIZE,
  UNWIND_LSDA_ENTRY_SIZE,
  UNWIND_PAGE_ENCODINGS_MAX,
  UNWIND_PAGE_SIZE,
  UNWIND_PERSONALITIES_MAX,
  UNWIND_REGULAR_ENTRIES_MAX,
  UNWIND_SECOND_LEVEL_COMPRESSED,
  UNWIND_SECOND_LEVEL_REGULAR,
} from './constants.ts'
import { commonEncodings, type EncodingTable, encodingTable } from './encodingTable.ts'
import { type FoldedRows, foldUnwindRows, type UnwindRows } from './foldUnwindRows.ts'

/** Second-level pages: entries [first, first + entries) each; a page's own encodings are local[localFrom, localFrom + locals). */
export interface UnwindPages {
  count: number
  kind: Uint8Array
  first: Uint32Array
  entries: Uint32Array
  localFrom: Uint32Array
  locals: Uint32Array
  local: Uint32Array
  /** Per entry: index into the common and the page's own encodings; meaningless in regular pages. */
  code: Uint8Array
}

/** A finished __unwind_info but for the LSDA and GOT addresses. Entries are folded rows in address order. */
export interface UnwindPlan {
  /** Bytes of the section; 0 when there are no rows. */
  size: number
  folded: FoldedRows
  common: Uint32Array
  pages: UnwindPages
  /** Entries that have an LSDA, ascending. */
  lsdaEntries: Uint32Array
}

/**
 * Lays out __TEXT,__unwind_info for functions whose addresses are final; LSDA and GOT addresses may still move. Same
 * pages, order and sizes as ld64.lld 22. Rows may come in any order. A row with encoding 0 says that the code from
 * `start` on has no unwind info; without it the unwinder would take the row before. See `unwindPlanError`.
 */
export function planUnwindInfo(rows: UnwindRows, arch: Arch): UnwindPlan {
  const folded = foldUnwindRows(rows, arch)
  const table = encodingTable(folded.encoding)
  const commonIds = commonEncodings(table)
  const pages = paginate(folded, table, commonIds)
  const lsdaEntries = entriesWithLsda(folded, rows.lsda)
  const common = commonIds.map((id) => table.value[id])
  const plan = { size: 0, folded, common, pages, lsdaEntries }
  if (folded.count > 0) plan.size = firstPageOffset(plan) + pages.count * UNWIND_PAGE_SIZE
  return plan
}

/** What keeps the plan from being written, in ld64.lld's words, or null. */
export function unwindPlanError(plan: UnwindPlan): string | null {
  const count = plan.folded.personalities.length
  return count > UNWIND_PERSONALITIES_MAX ? `too many personalities (${count}) for compact unwind to encode` : null
}

// header | common encodings | personalities | index and sentinel | LSDA index | pages of 4096 bytes, unaligned
export function firstPageOffset(plan: UnwindPlan): number {
  const { common, folded, pages, lsdaEntries } = plan
  const index = UNWIND_HEADER_SIZE + (common.length + folded.personalities.length) * 4
  return index + (pages.count + 1) * UNWIND_INDEX_ENTRY_SIZE + lsdaEntries.length * UNWIND_LSDA_ENTRY_SIZE
}

function entriesWithLsda(folded: FoldedRows, lsda: Float64Array | Uint32Array): Uint32Array {
  const { count, row } = folded
  let found = 0
  for (let i = 0; i < count; i++) if (lsda[row[i]] !== 0) found++
  const entries = new Uint32Array(found)
  let at = 0
  for (let i = 0; i < count; i++) if (lsda[row[i]] !== 0) entries[at++] = i
  return entries
}

/** Fills pages one after the other: compressed while that holds at least as much as a regular page would. */
function paginate(folded: FoldedRows, table: EncodingTable, commonIds: Uint32Array): UnwindPages {
  const pages = reservePages(folded.count)
  const index = new Int16Array(table.count).fill(-1)
  for (let i = 0; i < commonIds.length; i++) index[commonIds[i]] = i
  let local = 0
  for (let i = 0; i < folded.count; ) {
    const page = pages.count++
    pages.first[page] = i
    pages.localFrom[page] = local
    let next = fillCompressed(pages, folded, table, index, commonIds.length)
    const locals = pages.locals[page]
    for (let k = local; k < local + locals; k++) {
      index[pages.local[k]] = -1
      pages.local[k] = table.value[pages.local[k]]
    }
    pages.kind[page] = UNWIND_SECOND_LEVEL_COMPRESSED
    if (next < folded.count && next - i < UNWIND_REGULAR_ENTRIES_MAX) {
      pages.kind[page] = UNWIND_SECOND_LEVEL_REGULAR
      pages.locals[page] = 0
      next = Math.min(i + UNWIND_REGULAR_ENTRIES_MAX, folded.count)
    }
    local += pages.locals[page]
    pages.entries[page] = next - i
    i = next
  }
  return pages
}

// Every page but the last holds at least 511 entries.
function reservePages(entries: number): UnwindPages {
  const most = Math.ceil(entries / UNWIND_REGULAR_ENTRIES_MAX)
  return {
    count: 0,
    kind: new Uint8Array(most),
    first: new Uint32Array(most),
    entries: new Uint32Array(most),
    localFrom: new Uint32Array(most),
    locals: new Uint32Array(most),
    local: new Uint32Array(entries),
    code: new Uint8Array(entries),
  }
}

/**
 * Takes entries into the newest page until it has no room for one more; returns the first entry left out. Ids of the page's own
 * encodings go to `pages.local`, their indexes to `index`.
 */
function fillCompressed(
  pages: UnwindPages,
  folded: FoldedRows,
  table: EncodingTable,
  index: Int16Array,
  commons: number,
): number {
  const { count, start } = folded
  const { code, local } = pages
  const page = pages.count - 1
  const ids = table.id
  const first = pages.first[page]
  const localFrom = pages.localFrom[page]
  // ld64.lld leaves the largest 24-bit offset unused.
  const limit = start[first] + UNWIND_COMPRESSED_OFFSET_MASK
  let words = UNWIND_COMPRESSED_WORDS
  let locals = 0
  let i = first
  for (; i < count && words > 0 && start[i] < limit; i++) {
    const id = ids[i]
    if (index[id] < 0) {
      if (words < 2 || commons + locals === UNWIND_PAGE_ENCODINGS_MAX) break
      index[id] = commons + locals
      local[localFrom + locals++] = id
      words--
    }
    code[i] = index[id]
    words--
  }
  pages.locals[page] = locals
  return i
}
