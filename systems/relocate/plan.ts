// The input sections in the order of the image, cut into chunks that threads take, each with rows of its own for its fixups.
import { helpers } from '../../src/core/pool.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { FILL_INPUTS } from '../../components/outputs.ts'
import { isZeroFillType } from '../kernels/outputKinds.ts'

/** A relocation costs about as much as copying this many bytes. */
const RELOCATION_WEIGHT = 64
/** Chunks a thread: so many that the last ones to be taken are short. */
const CHUNKS_A_THREAD = 12

export interface RelocateJob {
  sections: Uint32Array
  chunks: number
  /** By chunk: first index in `sections`; the rows before its first rebase and bind, and, when it is done, its last. */
  starts: Uint32Array
  rebases: Uint32Array
  binds: Uint32Array
  lastRebases: Uint32Array
  lastBinds: Uint32Array
}

/** `taken`: 1 by input section where the image has its bytes already; null: nowhere. */
export function planRelocation(link: Link, taken: Uint8Array | null = null): RelocateJob {
  const sections = listSections(link, taken)
  const most = helpers(link.pool) === 0 ? 1 : (helpers(link.pool) + 1) * CHUNKS_A_THREAD
  const rows = (): Uint32Array => new Uint32Array(memory((most + 2) * 4, link.arenas.shared))
  const job: RelocateJob = {
    sections,
    chunks: 0,
    starts: rows(),
    rebases: rows(),
    binds: rows(),
    lastRebases: rows(),
    lastBinds: rows(),
  }
  cut(link, job, most)
  return job
}

function listSections(link: Link, taken: Uint8Array | null): Uint32Array {
  const { outputs, inputs } = link
  const list: number[] = []
  for (let output = 1; output <= outputs.count; output++) {
    if (outputs.Section.fill[output] !== FILL_INPUTS || isZeroFillType(outputs.Section.flags[output])) continue
    for (const section of inputs[output]) if (taken?.[section] !== 1) list.push(section)
  }
  return Uint32Array.from(list)
}

/** At most `most` chunks of about equal weight, and one more. */
function cut(link: Link, job: RelocateJob, most: number): void {
  const { sections } = job
  const { size } = link.sections.Header
  const { count } = link.sections.Relocations
  const { rebases, binds } = link.sections.Fixups
  let total = 0
  for (const section of sections) total += size[section] + count[section] * RELOCATION_WEIGHT
  const share = total / most
  let [weight, rebase, bind] = [0, 0, 0]
  for (let i = 0; i < sections.length; i++) {
    const section = sections[i]
    if (i === 0 || weight >= share) {
      weight = 0
      job.starts[job.chunks] = i
      job.rebases[job.chunks] = rebase
      job.binds[job.chunks++] = bind
    }
    weight += size[section] + count[section] * RELOCATION_WEIGHT
    rebase += rebases[section]
    bind += binds[section]
  }
  job.starts[job.chunks] = sections.length
  job.rebases[job.chunks] = rebase
  job.binds[job.chunks] = bind
}
