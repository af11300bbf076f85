// What a link holds in memory, for --stats. Looked at after each system, since columns are released when their last reader has run.
import { LINKEDIT_ORDER, type Link } from '../components/link.ts'
import type { LinkStats } from './types.ts'

type Column = ArrayBufferView & { length: number }

export function createStats(): LinkStats {
  return { peakMemory: 0, resident: {}, columns: {}, tables: {}, arenas: {}, counts: {}, output: {} }
}

/** Takes in how large everything is after `system`. */
export function observeSystem(stats: LinkStats, link: Link, system: string): void {
  stats.resident[system] = link.host.memory?.().resident ?? 0
  observeColumns(stats, link)
  observeTables(stats, link)
  if (system === 'allocate') observeSizes(stats, link)
  if (system === 'writeSymtab') observeArenas(stats, link)
}

/** Everything of a finished link. */
export function finishStats(stats: LinkStats, link: Link): LinkStats {
  stats.peakMemory = link.host.memory?.().peak ?? 0
  observeOutput(stats, link)
  return stats
}

function observeColumns(stats: LinkStats, link: Link): void {
  const { sections, blocks, symbols, names, fixups, unwinds, thunks, branchTargets } = link
  addKind(stats, 'files', link.files, link.files.count)
  addKind(stats, 'sections', sections, sections.count)
  addKind(stats, 'blocks', blocks, blocks.count)
  addKind(stats, 'symbols', symbols, symbols.count)
  addKind(stats, 'names', names, names.count)
  addKind(stats, 'imports', link.imports, link.imports.count)
  addKind(stats, 'gots', link.gots, link.gots.count)
  addKind(stats, 'thread-local pointers', link.tlvs, link.tlvs.count)
  addKind(stats, 'stubs', link.stubs, link.stubs.count)
  addKind(stats, 'thunks', thunks, thunks.count)
  addKind(stats, 'branch targets', branchTargets, branchTargets.count)
  addKind(stats, 'categories', { Category: link.categories.Category }, link.categories.count)
  addKind(stats, 'extended classes', { Extended: link.categories.Extended }, link.categories.classes)
  addKind(stats, 'message stubs', link.messageStubs, link.messageStubs.count)
  addKind(stats, 'selectors', link.selectors, link.selectors.count)
  addKind(stats, 'method lists', { List: link.methodLists.List }, link.methodLists.count)
  addKind(stats, 'methods', { Method: link.methodLists.Method }, link.methodLists.methods)
  addKind(stats, 'unwinds', unwinds, unwinds.count)
  addKind(stats, 'rebases', { Rebase: fixups.Rebase }, fixups.rebases)
  addKind(stats, 'binds', { Bind: fixups.Bind }, fixups.binds)
  addKind(stats, 'stabs', { Stab: link.table.stabs }, link.table.stabs.count)
}

/** The columns of all components of a kind; what else lies beside them is no component. */
function addKind(stats: LinkStats, kind: string, holder: object, rows: number): void {
  let [capacity, bytes, reserved] = [0, 0, 0]
  for (const component of Object.values(holder)) {
    if (typeof component !== 'object' || component === null || ArrayBuffer.isView(component)) continue
    for (const column of Object.values(component).filter(isColumn)) {
      capacity = Math.max(capacity, column.length - 1)
      bytes += (column.byteLength / Math.max(1, column.length)) * Math.min(rows + 1, column.length)
      reserved += column.byteLength
    }
  }
  const before = stats.columns[kind]
  if (capacity > 0 && (before === undefined || bytes > before.bytes))
    stats.columns[kind] = { rows, capacity, bytes, reserved }
}

function isColumn(value: unknown): value is Column {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
}

function observeTables(stats: LinkStats, link: Link): void {
  const { names, gots, tlvs, branchTargets, table, unwind } = link
  atMost(stats.tables, 'index of names', names.index.byteLength)
  atMost(stats.tables, 'index of gots', gots.index.byteLength + tlvs.index.byteLength)
  atMost(stats.tables, 'index of branch targets', branchTargets.index.byteLength)
  atMost(stats.tables, 'symbol order', sizes([table.locals, table.externals, table.byRow, table.thunks]))
  atMost(stats.tables, 'names of externals', sizes(Object.values(table.externalNames)))
  atMost(stats.tables, 'sections in order', sizes(link.inputs.filter((inputs) => inputs !== undefined)))
  atMost(stats.tables, 'priorities', link.priorities.byteLength)
  atMost(stats.tables, 'tails', link.tails.byteLength)
  atMost(stats.tables, 'unwind rows', sizes(Object.values(unwind ?? {}).filter(isColumn)))
}

function sizes(arrays: readonly ArrayBufferView[]): number {
  return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

function atMost(into: Record<string, number>, name: string, bytes: number): void {
  if (bytes > (into[name] ?? 0)) into[name] = bytes
}

function observeArenas(stats: LinkStats, link: Link): void {
  link.arenas.list.forEach(({ used, bytes }, arena) => {
    const name = arena === link.names.pool ? 'names' : arena === link.internal.arena ? 'own' : 'inputs'
    const sum = stats.arenas[name] ?? { bytes: 0, reserved: 0 }
    stats.arenas[name] = { bytes: sum.bytes + used, reserved: sum.reserved + bytes.length }
  })
}

/** Rows that are known once all is decided, before columns are released. */
function observeSizes(stats: LinkStats, link: Link): void {
  const { sections, stubs, gots, tlvs, thunks, names, imports } = link
  let relocations = 0
  for (let section = 1; section <= sections.count; section++) relocations += sections.Relocations.count[section]
  Object.assign(stats.counts, {
    files: link.files.count,
    objects: link.order.length,
    dylibs: link.dylibs.length,
    sections: sections.count,
    symbols: link.symbols.count,
    blocks: link.blocks.count,
    relocations,
    names: names.count,
    imports: imports.count,
    gots: gots.count,
    'thread-local pointers': tlvs.count,
    stubs: stubs.count,
    thunks: thunks.count,
  })
}

function observeOutput(stats: LinkStats, link: Link): void {
  const { output } = stats
  stats.counts.rebases = link.fixups.rebases
  stats.counts.binds = link.fixups.binds
  output.file = link.image.length + link.tail.length
  for (const segment of link.segmentOrder) output[link.segments.names[segment]] = link.segments.Extent.fileSize[segment]
  for (const name of LINKEDIT_ORDER) {
    const length = link.linkedit[name]?.bytes.length ?? 0
    if (length > 0) output[`__LINKEDIT ${name}`] = length
  }
  if (link.signatureSize > 0) output['__LINKEDIT signature'] = link.signatureSize
}
