// What resolve has made of names, for a link that takes over the rows of this one: only names that a changed object mentions, or has
// mentioned, are resolved anew.
import { FILE_LOADED, FILE_OBJECT } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { WHERE_STALE, WHERE_UNKNOWN } from '../../components/names.ts'

/** After resolve has found that nothing more is to be loaded. */
export function keepSettled({ names }: Link): void {
  const { Resolution, Settled, count } = names
  if (Settled.where.length <= 1) return
  for (const name of ['where', 'flags', 'symbol'] as const)
    Settled[name].set(Resolution[name].subarray(0, count + 1) as typeof Settled.symbol)
}

/** What the object's names mean is to be found anew: it changes. */
export function unsettleNames({ names, symbols, files }: Link, file: number): void {
  const { where } = names.Settled
  if (where.length <= 1) return
  const { name } = symbols.Definition
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) if (name[symbol] !== 0) where[name[symbol]] = WHERE_STALE
}

/**
 * Before anything is resolved, and once the changed objects have been loaded: gives names the meaning that they had, but for those
 * that are stale. Returns false, and does nothing, where all are to be resolved.
 */
export function takeSettled(link: Link): boolean {
  const { kept, names, files } = link
  if (kept === null || !kept.inPlace || names.Settled.where.length <= 1) return false
  // What members of archives have said of names, or objects that are now loaded when something wants them, is not yet so.
  const { loadedBecause, duplicates, messenger } = kept.link
  if (loadedBecause.length + duplicates.length + messenger.name > 0) return false
  const { kind, flags: are } = files.Source
  for (let file = 1; file < kept.from.length; file++) {
    if (kept.from[file] === 0) unsettleNames(link, file)
    else if (kind[file] === FILE_OBJECT && (are[file] & FILE_LOADED) === 0) return false
  }
  const { Resolution, Settled, count } = names
  for (const name of ['where', 'flags', 'symbol'] as const)
    Resolution[name].set(Settled[name].subarray(0, count + 1) as typeof Settled.symbol)
  const { where, flags, symbol } = Resolution
  for (let name = where.indexOf(WHERE_STALE); name > 0; name = where.indexOf(WHERE_STALE, name + 1)) {
    where[name] = WHERE_UNKNOWN
    flags[name] = symbol[name] = 0
  }
  return true
}
