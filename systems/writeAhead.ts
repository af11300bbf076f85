// writeAhead: has another thread write what is final of the output, to a file beside its place, while this one makes the rest.
// Reads: image, tail, outputs, segments, linkedit tables. Writes: link.draft.
// Runs twice: after writeIndirect, when code and constants stand, and after writeHeader, when all does but the UUID and the signature.
// Without threads, for a session or where the host has no drafts nothing is written before the end.

import { type Draft, OUTPUT_MODE, rangesBetween } from '../components/draft.ts'
import type { Link } from '../components/link.ts'
import { startKernel } from '../components/mirror.ts'
import { type WriteJob, writeChunks } from './writeAhead/writeChunks.ts'

export function writeAhead(link: Link): void {
  const isFirst = link.draft === null && link.tail.length === 0
  if (isFirst) link.draft = beginDraft(link)
  const { draft } = link
  if (draft === null) return
  if (!isFirst && isSpoiled(link)) return void draft.pending.push(async () => false)
  const ranges = isFirst ? earlyRanges(link) : rangesBetween(draft.ranges, headerEnd(link), signatureStart(link))
  const job: WriteJob = { path: draft.path, ranges }
  const finish = startKernel(link, 'writeChunks', ['image', 'tail'], writeChunks, job, 1)
  draft.ranges = joined(draft.ranges, ranges)
  link.visited.rows += ranges.length / 2
  draft.pending.push(async () => (await finish()).every((isWritten) => isWritten))
}

function beginDraft({ settings, host, pool, keeps }: Link): Draft | null {
  const { drafts } = host
  if (pool.workers.length === 0 || keeps || settings.write === false) return null
  if (drafts === undefined || drafts.of !== host.writeFile) return null
  const path = drafts.begin(settings.output, OUTPUT_MODE)
  return path === null ? null : { path, ranges: [], pending: [], stands: false }
}

/** What is final before there are chains, or, without them, but for the places of lazy records in the stub helper. */
function earlyRanges(link: Link): number[] {
  const { fileOffset, size } = link.outputs.Extent
  if (link.settings.fixupChains) return rangesBetween([], headerEnd(link), textEnd(link))
  const { stubHelper } = link.tables
  const start = fileOffset[stubHelper]
  return rangesBetween([start, start + size[stubHelper]], headerEnd(link), link.image.length)
}

/** There are chains in what was taken for final. */
function isSpoiled({ settings, chained, segmentOrder, segments }: Link): boolean {
  const text = segments.byName.get('__TEXT') ?? 0
  return settings.fixupChains && chained.pageStarts[segmentOrder.indexOf(text)].length > 0
}

function textEnd({ segments }: Link): number {
  const text = segments.byName.get('__TEXT') ?? 0
  return segments.Extent.fileOffset[text] + segments.Extent.fileSize[text]
}

function headerEnd({ tables, outputs }: Link): number {
  return outputs.Extent.fileOffset[tables.header] + outputs.Extent.size[tables.header]
}

function signatureStart({ signatureAt, image, tail }: Link): number {
  return signatureAt === 0 ? image.length + tail.length : signatureAt
}

/** Both in ascending order; they do not overlap. */
function joined(some: readonly number[], others: readonly number[]): number[] {
  const all = [...some, ...others]
  const starts = all.map((_, i) => i).filter((i) => i % 2 === 0)
  return starts.sort((a, b) => all[a] - all[b]).flatMap((i) => [all[i], all[i + 1]])
}
