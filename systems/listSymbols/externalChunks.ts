// Which of the names that are mentioned have a row as definitions: exported ones, and private ones, which are local to the image.
import { helpers } from '../../src/core/pool.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { NAME_EXPORTED, WHERE_GLOBAL } from '../../components/names.ts'
import { SYMBOL_OMITTED } from '../../components/symbols.ts'
import { isInOutput } from './isInOutput.ts'
import type { Filter } from './localFilter.ts'

const NAMES_A_CHUNK = 0x4000

export interface ExternalJob {
  /** In order of mention; of those of a chunk, the exported ones stand first afterwards. */
  names: Uint32Array
  step: number
  chunks: number
  keeps: Filter
  /** Symbols of the exported names, beside them, and the lengths of these; private symbols, from the chunk's first place on. */
  externals: Uint32Array
  lengths: Uint32Array
  hidden: Uint32Array
  /** By chunk. */
  externalCounts: Uint32Array
  hiddenCounts: Uint32Array
}

export function createExternalJob(link: Link, names: Uint32Array, keeps: Filter): ExternalJob {
  const words = (size: number): Uint32Array => new Uint32Array(memory(size * 4, link.arenas.shared))
  const step = helpers(link.pool) === 0 ? Math.max(names.length, 1) : NAMES_A_CHUNK
  const chunks = Math.ceil(names.length / step)
  return {
    names,
    step,
    chunks,
    keeps,
    externals: words(names.length),
    lengths: words(names.length),
    hidden: words(names.length),
    externalCounts: words(chunks),
    hiddenCounts: words(chunks),
  }
}

export function externalChunks(link: Link, job: ExternalJob, take: () => number): void {
  const { names, step, externals, lengths, hidden, keeps } = job
  const { where, symbol: winner, flags: nameFlags } = link.names.Resolution
  const { length } = link.names.Text
  const { flags } = link.symbols.Definition
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const from = chunk * step
    const end = Math.min(from + step, names.length)
    let [external, own] = [from, from]
    for (let i = from; i < end; i++) {
      const name = names[i]
      const symbol = winner[name]
      if (where[name] !== WHERE_GLOBAL || flags[symbol] & SYMBOL_OMITTED || !isInOutput(link, symbol)) continue
      if (nameFlags[name] & NAME_EXPORTED) {
        externals[external] = symbol
        lengths[external] = length[name]
        names[external++] = name
      } else if (keeps === 'all' || (keeps !== 'none' && keeps(0, symbol))) hidden[own++] = symbol
    }
    job.externalCounts[chunk] = external - from
    job.hiddenCounts[chunk] = own - from
  }
}

/** Moves what the chunks have found together; returns how many are exported, and how many private ones. */
export function joinExternals(job: ExternalJob): [number, number] {
  const { names, externals, lengths, hidden, step, externalCounts, hiddenCounts } = job
  let [external, own] = [0, 0]
  for (let chunk = 0; chunk < job.chunks; chunk++) {
    const from = chunk * step
    for (const rows of [names, externals, lengths]) rows.copyWithin(external, from, from + externalCounts[chunk])
    hidden.copyWithin(own, from, from + hiddenCounts[chunk])
    external += externalCounts[chunk]
    own += hiddenCounts[chunk]
  }
  return [external, own]
}
