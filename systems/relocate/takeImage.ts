// Takes over the image of the link before: of code that says the same at the same place nothing is copied or relocated again. All
// other bytes are kept for sign, which compares them, and set to zero, as in an image that has just been made.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { memory } from '../../components/columns.ts'
import type { Past } from '../../components/kept.ts'
import type { Link, Spans } from '../../components/link.ts'
import { runKernel } from '../../components/mirror.ts'
import { FILL_INPUTS } from '../../components/outputs.ts'
import { CONTENT_REGULAR } from '../../components/sections.ts'
import { takeParts } from '../../components/spare.ts'
import { isCodeFlags } from '../kernels/code.ts'
import { compareChunks, createCompareJob } from './compareChunks.ts'

/** Spans begin and end at words, by which they are compared. */
const GRAIN = 4

export interface Taken {
  /** By input section: 1 where the image has its bytes. */
  sections: Uint8Array
  /** What is to be written. */
  spans: Spans
}

/** Makes the image of the link before this one's, `size` bytes; null where nothing of it can be taken over, and nothing is done. */
export async function takeImage(link: Link, size: number): Promise<Taken | null> {
  const { past, last } = link
  if (past === null || last === null || last.image.length !== size || link.priorities.length > 0) return null
  const hasThunks = link.thunks.count > 0 || past.link.thunks.count > 0
  if (hasThunks && !past.inPlace) return null
  const outputs = sameOutputs(link, past.link)
  if (!outputs.some((old) => old !== 0)) return null
  const job = createCompareJob(link, past, hasThunks)
  const chunks = Math.ceil(job.files.length / job.step)
  await runKernel(link, 'compareChunks', ['files'], compareChunks, job, chunks)
  const sections = new Uint8Array(memory(link.sections.count + 1, link.arenas.shared))
  const before = new Uint8Array(past.link.sections.count + 1)
  for (const file of link.order) if (job.same[file] === 1) takeSections(link, past, file, outputs, sections, before)
  if (!sections.includes(1)) return null
  const spans = listSpans(link, past.link, outputs, sections, before, size)
  useImage(link, spans)
  return { sections, spans }
}

/** By output section with code: that of the link before, where it is at the same place and is filled with the same; else 0. */
function sameOutputs(link: Link, old: Link): Uint32Array {
  const { outputs, segments } = link
  const same = new Uint32Array(outputs.count + 1)
  for (const [key, output] of outputs.byName) {
    const was = old.outputs.byName.get(key) ?? 0
    if (was === 0 || outputs.Section.fill[output] !== FILL_INPUTS || old.outputs.Section.fill[was] !== FILL_INPUTS)
      continue
    if (!isCodeFlags(outputs.Section.flags[output]) || !isCodeFlags(old.outputs.Section.flags[was])) continue
    const { address, fileOffset, size } = outputs.Extent
    const Old = old.outputs.Extent
    if (Old.address[was] !== address[output] || Old.fileOffset[was] !== fileOffset[output]) continue
    if (old.outputs.Section.room[was] !== outputs.Section.room[output]) continue
    if (Old.size[was] === size[output]) same[output] = was
  }
  return link.settings.imageBase === old.settings.imageBase && segments.count === old.segments.count
    ? same
    : same.fill(0)
}

/** Those of a file that says the same: code without fixups, whose image nobody writes to but relocate. */
function takeSections(
  link: Link,
  { link: old, from }: Past,
  file: number,
  outputs: Uint32Array,
  sections: Uint8Array,
  before: Uint8Array,
): void {
  const { Blocks, Fixups, Header } = link.sections
  const shift = old.files.Ranges.section[from[file]] - link.files.Ranges.section[file]
  const first = link.files.Ranges.section[file]
  for (let section = first; section < first + link.files.Ranges.sections[file]; section++) {
    const was = section + shift
    const output = Blocks.output[section]
    if (output === 0 || outputs[output] === 0 || outputs[output] !== old.sections.Blocks.output[was]) continue
    if (Header.content[section] !== CONTENT_REGULAR || Fixups.rebases[section] + Fixups.binds[section] !== 0) continue
    if (old.sections.Fixups.rebases[was] + old.sections.Fixups.binds[was] !== 0) continue
    sections[section] = before[was] = 1
  }
}

/** Everything but the code that is taken over: what is between those output sections, and in them what others have or had there. */
function listSpans(
  link: Link,
  old: Link,
  outputs: Uint32Array,
  sections: Uint8Array,
  before: Uint8Array,
  size: number,
): Spans {
  const pairs: number[] = []
  const { fileOffset, size: sizes } = link.outputs.Extent
  const taken = Array.from(outputs.keys()).filter((output) => outputs[output] !== 0)
  taken.sort((a, b) => fileOffset[a] - fileOffset[b])
  let at = 0
  for (const output of taken) {
    pairs.push(at, fileOffset[output])
    at = fileOffset[output] + sizes[output]
    addExtents(link, output, sections, pairs)
    addExtents(old, outputs[output], before, pairs)
  }
  pairs.push(at, size)
  addThunks(link, pairs)
  addThunks(old, pairs)
  return mergeSpans(pairs)
}

/** Where the live blocks of an output's sections lie, but for those that are taken over. */
function addExtents(link: Link, output: number, taken: Uint8Array, pairs: number[]): void {
  const { flags, size } = link.blocks.Extent
  const { address } = link.blocks.Placement
  const { first, count } = link.sections.Blocks
  const toFile = link.outputs.Extent.fileOffset[output] - link.outputs.Extent.address[output]
  for (const section of link.inputs[output]) {
    if (taken[section] === 1) continue
    let [from, to] = [Number.POSITIVE_INFINITY, 0]
    for (let block = first[section]; block < first[section] + count[section]; block++) {
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
      from = Math.min(from, address[block])
      to = Math.max(to, address[block] + size[block])
    }
    if (to > from) pairs.push(from + toFile, to + toFile)
  }
}

/** They are written anew: they, or their targets, may have moved. */
function addThunks({ thunks, outputs, arch }: Link, pairs: number[]): void {
  const { address, output } = thunks.Thunk
  const { fileOffset, address: starts } = outputs.Extent
  for (let thunk = 1; thunk <= thunks.count; thunk++) {
    const at = address[thunk] + fileOffset[output[thunk]] - starts[output[thunk]]
    pairs.push(at, at + arch.thunkSize)
  }
}

/** Of pairs in any order, some of them empty. */
function mergeSpans(pairs: readonly number[]): Spans {
  const order = Array.from({ length: pairs.length / 2 }, (_, i) => i * 2).filter((i) => pairs[i + 1] > pairs[i])
  order.sort((a, b) => pairs[a] - pairs[b])
  const spans: number[] = []
  for (const i of order) {
    if (spans.length > 0 && pairs[i] <= spans[spans.length - 1]) spans.push(Math.max(spans.pop()!, pairs[i + 1]))
    else spans.push(pairs[i], pairs[i + 1])
  }
  return Uint32Array.from(spans)
}

function spanned(spans: Spans): number {
  let size = 0
  for (let i = 0; i < spans.length; i += 2) size += spans[i + 1] - spans[i]
  return size
}

/** The bytes at the spans go to `last`, and are zero then. */
function useImage(link: Link, spans: Spans): void {
  const last = link.last!
  const { image } = last
  const saved = alignSpans(spans, image.length)
  const size = spanned(saved)
  const bytes = link.spare === null ? new Uint8Array(size) : takeParts(link.spare, size)
  let at = 0
  for (let i = 0; i < saved.length; i += 2) {
    bytes.set(image.subarray(saved[i], saved[i + 1]), at)
    at += saved[i + 1] - saved[i]
  }
  for (let i = 0; i < spans.length; i += 2) image.fill(0, spans[i], spans[i + 1])
  link.last = { ...last, image: bytes, spans: saved }
  link.image = image
}

function alignSpans(spans: Spans, size: number): Spans {
  const pairs = Array.from(spans, (at, i) =>
    i % 2 === 0 ? at - (at % GRAIN) : Math.min(size, Math.ceil(at / GRAIN) * GRAIN),
  )
  return mergeSpans(pairs)
}
