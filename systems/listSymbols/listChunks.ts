// What each file adds to the symbol table, a chunk a few files: its local symbols, and the external names that it mentions.
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_OMITTED } from '../../components/symbols.ts'
import { isInOutput } from './isInOutput.ts'
import type { Filter } from './localFilter.ts'
import { createMentionScratch, listMentions } from './mentions.ts'

const FILES_A_CHUNK = 64

export interface ListJob {
  /** The loaded objects in order, then the linker's own, which mentions nothing here. */
  files: Uint32Array
  step: number
  keeps: Filter
  /** N_INDR records. */
  indirect: ReadonlySet<number> | null
  /** Of the file that has the most. */
  mostSymbols: number
  mostBlocks: number
  /** Room for all symbols of the files; those of a chunk stand side by side where the rows of its first file would. */
  locals: Uint32Array
  mentions: Uint32Array
  /** By chunk. */
  starts: Uint32Array
  /** By file: where its rows in `mentions` begin, and how many there are; how many it has in `locals`. */
  mentionStarts: Uint32Array
  mentionCounts: Uint32Array
  localCounts: Uint32Array
}

export function createListJob(link: Link, keeps: Filter): ListJob {
  const { symbols, blocks } = link.files.Ranges
  const { shared } = link.arenas
  const words = (size: number): Uint32Array => new Uint32Array(memory(size * 4, shared))
  const files = new Uint32Array(link.order.length + 1).fill(link.internal.file)
  files.set(link.order)
  const starts = words(Math.ceil(files.length / FILES_A_CHUNK))
  let [total, mostSymbols, mostBlocks] = [0, 0, 0]
  for (let i = 0; i < files.length; i++) {
    if (i % FILES_A_CHUNK === 0) starts[i / FILES_A_CHUNK] = total
    total += symbols[files[i]]
    mostSymbols = Math.max(mostSymbols, symbols[files[i]])
    mostBlocks = Math.max(mostBlocks, blocks[files[i]])
  }
  const indirect = link.indirects.length === 0 ? null : new Set(link.indirects.filter((_, i) => i % 2 === 1))
  return {
    files,
    step: FILES_A_CHUNK,
    keeps,
    indirect,
    mostSymbols,
    mostBlocks,
    locals: words(total),
    mentions: words(total),
    starts,
    mentionStarts: words(files.length),
    mentionCounts: words(files.length),
    localCounts: words(files.length),
  }
}

export function listChunks(link: Link, job: ListJob, take: () => number): void {
  const { files, step, starts, locals, mentions, indirect } = job
  const scratch = createMentionScratch(job.mostSymbols, job.mostBlocks)
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    const end = Math.min((chunk + 1) * step, files.length)
    let [local, mention] = [starts[chunk], starts[chunk]]
    for (let i = chunk * step; i < end; i++) {
      const next = listLocals(link, job, files[i], locals, local)
      job.localCounts[i] = next - local
      local = next
      job.mentionStarts[i] = mention
      if (i < files.length - 1) mention = listMentions(link, scratch, files[i], indirect, mentions, mention)
      job.mentionCounts[i] = mention - job.mentionStarts[i]
    }
  }
}

/** Symbols that are local to their object, in its order, to locals[at ..]; returns the place behind the last. */
function listLocals(link: Link, { keeps }: ListJob, file: number, locals: Uint32Array, at: number): number {
  if (keeps === 'none') return at
  const { flags } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_OMITTED | SYMBOL_EXTERNAL)) !== SYMBOL_DEFINED) continue
    if (!isInOutput(link, symbol) || (keeps !== 'all' && !keeps(file, symbol))) continue
    locals[at++] = symbol
  }
  link.visited.rows += end - first
  return at
}

/** Moves the chunks' rows of `locals` together and notes of each file where its own begin; returns how many there are. */
export function joinLocals(link: Link, job: ListJob): number {
  const { files, step, starts, locals, localCounts } = job
  const { Rows } = link.files
  let to = 0
  for (let chunk = 0; chunk < starts.length; chunk++) {
    const begin = to
    const end = Math.min((chunk + 1) * step, files.length)
    for (let i = chunk * step; i < end; i++) {
      Rows.local[files[i]] = to
      Rows.locals[files[i]] = localCounts[i]
      to += localCounts[i]
    }
    locals.copyWithin(begin, starts[chunk], starts[chunk] + to - begin)
  }
  return to
}
