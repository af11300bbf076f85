// relocate: copies the contents of live blocks to their places in the image and applies their relocations.
// Reads: blocks, relocations, Reference.target and address, table entries, counts of fixups. Writes: image (segments), fixups.
// After allocate (every address stands), before writeIndirect, which adds the tables' fixups. Runs on all threads, by ranges of
// input sections. Cost: bytes copied, one visit a relocation.

import { memory } from '../components/columns.ts'
import { sparePlaces } from '../components/kept.ts'
import type { Link, Spans } from '../components/link.ts'
import { runKernel } from '../components/mirror.ts'
import { isCodeFlags } from './kernels/code.ts'
import { reportFailures } from './relocate/failed.ts'
import { gatherFixups } from './relocate/gatherFixups.ts'
import { type HintJob, hintChunks, reportHints } from './relocate/hints.ts'
import { planRelocation } from './relocate/plan.ts'
import { relocateChunks } from './relocate/relocateChunks.ts'
import { takeImage, type Taken } from './relocate/takeImage.ts'
import { writeThunks } from './relocate/thunks.ts'

/** What the kernels read of the link. */
const PARTS = [
  'arch',
  'settings',
  'arenas',
  'files',
  'sections',
  'blocks',
  'symbols',
  'names',
  'imports',
  'gots',
  'tlvs',
  'stubs',
  'thunks',
  'branchTargets',
  'outputs',
  'segments',
  'tables',
  'fixups',
  'image',
  'firstThreadLocal',
] as const

export async function relocate(link: Link): Promise<void> {
  const taken = await takeImage(link, imageSize(link))
  sparePlaces(link)
  link.past = null
  if (taken === null) link.image = new Uint8Array(memory(imageSize(link), link.arenas.shared))
  const spans = taken?.spans ?? Uint32Array.of(0, link.image.length)
  if (link.settings.layout === 'padded' && link.arch.name === 'x86_64') fillRoom(link, spans)
  const job = planRelocation(link, taken?.sections ?? null)
  const failures = await runKernel(link, 'relocateChunks', PARTS, relocateChunks, job, job.chunks)
  gatherFixups(link, job)
  reportFailures(link, job.sections, failures.flat())
  if (link.thunks.count > 0) writeThunks(link, new DataView(link.image.buffer))
  if (link.arch.name === 'arm64' && !link.settings.ignoreOptimizationHints) await relax(link, taken)
}

/** Room in code traps: `int3` of x86_64. `udf #0` of arm64 is all zero, as is what room in data holds. `spans` are what is written. */
function fillRoom(link: Link, spans: Spans): void {
  const { room, flags } = link.outputs.Section
  const { fileOffset, size } = link.outputs.Extent
  for (let output = 1; output <= link.outputs.count; output++) {
    if (room[output] === 0 || !isCodeFlags(flags[output])) continue
    const end = fileOffset[output] + size[output]
    for (let i = 0; i < spans.length; i += 2)
      if (spans[i] < end && spans[i + 1] > fileOffset[output])
        link.image.fill(0xcc, Math.max(spans[i], fileOffset[output]), Math.min(spans[i + 1], end))
  }
}

/** File bytes before __LINKEDIT. */
function imageSize(link: Link): number {
  const linkedit = link.segments.byName.get('__LINKEDIT') ?? 0
  return link.segments.Extent.fileOffset[linkedit]
}

/** Optimization hints change what relocations have made of instructions. */
async function relax(link: Link, taken: Taken | null): Promise<void> {
  const files = link.order.filter((file) => link.files.Tables.hintsSize[file] > 0)
  if (files.length === 0) return
  const job: HintJob = { files, step: 16, taken: taken?.sections ?? null }
  const bad = await runKernel(link, 'hintChunks', PARTS, hintChunks, job, Math.ceil(files.length / job.step))
  reportHints(link, files, bad.flat())
}
