// What nobody reads any more goes, before the next large buffers are made: the table of last readers.
import { createArena, releaseArena } from '../../components/arena.ts'
import { releaseIndex } from '../../components/names.ts'
import type { Link } from '../../components/link.ts'
import { forgetParts } from '../../src/core/pool.ts'
import { isLarge } from './isLarge.ts'
import { LOCALS_LOST } from './localNames.ts'
import { tablesOf } from './symbolTables.ts'

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array

/** What goes after a system. The map, the metafile and messages need names, places and addresses to the end. */
const LAST_READ: Readonly<Record<string, (link: Link) => void>> = {
  scan: ({ names }) => empty(names.Offer),
  unwind: ({ blocks, unwinds }) => {
    empty(blocks.Links)
    empty(unwinds.Range)
  },
  listSymbols: ({ names }) => releaseIndex(names),
  writeIndirect: (link) => {
    empty(link.blocks.Relocations)
    empty(link.symbols.Reference, ['target'])
    empty(link.unwinds.Entry)
    link.unwind = null
  },
  writeDyldInfo: ({ blocks, symbols, settings, fixups }) => {
    empty(fixups.Rebase)
    if (settings.map || settings.metafile) return
    empty(blocks.Extent, ['size', 'alignPow2'])
    empty(symbols.Definition, ['offset'])
  },
}

/** What these release, a patch of the finished link or a link that takes it over needs again. */
const PATCHED: readonly string[] = ['scan', 'unwind', 'listSymbols', 'writeIndirect', 'writeDyldInfo']

/**
 * Symbols and strings of split files: load has put into columns and pools what others read of them, but for what only messages and
 * these options ask for.
 */
function releaseTables(link: Link): void {
  const { arenas, settings, keeps } = link
  if (keeps || settings.map || settings.metafile || settings.stripLocals !== undefined || !areKept(link)) return
  arenas.list.forEach(({ isTables }, arena) => {
    if (isTables) releaseArena(arenas, arena)
  })
}

/** Whether the names that come from split files lie in the pools. */
function areKept({ arenas, names, files, order }: Link): boolean {
  const { arena } = names.Text
  for (let name = 1; name <= names.count; name++) if (arenas.list[arena[name]].isTables) return false
  return order.every((file) => files.Tables.localsSize[file] !== LOCALS_LOST)
}

/** The contents of inputs that are all split, once nothing is copied out of them: names are elsewhere. */
function releaseContents(link: Link): void {
  const { arenas, settings, keeps, files, order, internal, names } = link
  if (keeps || settings.map || settings.metafile) return
  const hasTables = order.some((file) => tablesOf(link, file).bytes.length > 0 || files.Tables.dataInCodeSize[file] > 0)
  if (hasTables) return
  const stays = [internal.arena, arenas.locals, names.pool]
  for (let name = 1; name <= names.count; name++) if (!stays.includes(names.Text.arena[name])) return
  for (let arena = 0; arena < arenas.list.length; arena++) if (!stays.includes(arena)) releaseArena(arenas, arena)
}

/**
 * What only a patch, the map and the metafile read once the header stands, in a link worth collecting: the inputs, and the rows of what they
 * brought. The output then takes their memory (see WRITE_REQUEST in src/host/node.ts).
 */
function releaseInputs({ arenas, symbols, names, blocks, settings, keeps }: Link): void {
  if (keeps || settings.map || settings.metafile) return
  for (const arena of arenas.list) Object.assign(arena, { ...createArena(0, arenas.shared), used: arena.used })
  for (const component of [symbols.Definition, symbols.Reference, names.Text, names.Resolution]) empty(component)
  empty(blocks.Placement)
}

/**
 * After these, what was released and what they needed themselves is taken from the collector, which would come too late: before the
 * image is made (twice), before the tables of `__LINKEDIT` are put together, and before the output is written. Only in links of so
 * many bytes of input: it takes some 20 ms. Without the one after allocate arm64 takes 17 MB more; on x86_64 those after define,
 * listSymbols and writeDyldInfo took nothing off the peak.
 */
const COLLECTED: readonly string[] = ['prioritize', 'allocate', 'writeIndirect', 'writeHeader']
/** Sessions keep what others release: columns of the link before go after the first of these, what it tells of places after the other. */
const COLLECTED_KEEPING: readonly string[] = ['define', 'writeIndirect']

/** Releases what `system` was the last to read. */
export function release(link: Link, system: string): void {
  if (!link.keeps || !PATCHED.includes(system)) LAST_READ[system]?.(link)
  if (link.host.collect === undefined || !(link.keeps ? COLLECTED_KEEPING : COLLECTED).includes(system)) return
  if (!isWorthCollecting(link, system)) return
  if (system === 'prioritize') releaseTables(link)
  if (system === 'writeIndirect') releaseContents(link)
  if (system === 'writeHeader') releaseInputs(link)
  // Workers have a pause, and hold what goes before they have work again.
  forgetParts(link.pool)
  link.host.collect()
}

/** With a worker beside it a smaller link is collected too, once, before the tables of `__LINKEDIT` are put together: 283 -> 268 MiB of 75 MB. */
function isWorthCollecting({ arenas, settings, pool }: Link, system: string): boolean {
  if (pool.isAside && pool.workers.length > 0 && system === 'writeIndirect') return true
  const bytes = arenas.list.reduce((sum, { used }) => sum + used, 0)
  return isLarge(settings, bytes)
}

function empty(component: Record<string, Column>, names: readonly string[] = Object.keys(component)): void {
  for (const name of names) component[name] = new (component[name].constructor as new (length: number) => Column)(0)
}
