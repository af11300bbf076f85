// Literals of equal content become one: each copy's leader is the first live one in command-line order.
import { helpers } from '../../src/core/pool.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { runKernel } from '../../components/mirror.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL } from '../../components/sections.ts'
import { isCommonString } from '../kernels/strings.ts'
import { hashLiteralChunks, leadLiteralChunks, type LiteralJob } from './literalChunks.ts'
import { takeLeaders } from './takeLeaders.ts'

const PARTS = ['arenas', 'files', 'sections', 'blocks'] as const
const SECTIONS_A_CHUNK = 64

export async function foldLiterals(link: Link): Promise<void> {
  const sections = Uint32Array.from(listFoldedSections(link))
  if (sections.length === 0 || takeLeaders(link, sections)) return
  const job = createJob(link, sections)
  const count = sections.length
  await runKernel(link, 'hashLiteralChunks', PARTS, hashLiteralChunks, job, Math.ceil(count / job.step))
  await runKernel(link, 'leadLiteralChunks', PARTS, leadLiteralChunks, job, 2 ** job.shardBits)
}

function createJob(link: Link, sections: Uint32Array): LiteralJob {
  const { Blocks } = link.sections
  const poolIds = sections.map((section) => poolOf(link, section))
  const numbers = new Map([...new Set(poolIds)].map((pool, number) => [pool, number]))
  const bases = new Uint32Array(sections.length + 1)
  sections.forEach((section, i) => {
    bases[i + 1] = bases[i] + Blocks.count[section]
  })
  return {
    sections,
    pools: poolIds.map((pool) => numbers.get(pool)!),
    poolBits: 32 - Math.clz32(numbers.size - 1),
    bases,
    hash: new Uint32Array(memory(bases[sections.length] * 4, link.arenas.shared)),
    step: SECTIONS_A_CHUNK,
    // A shard a thread: each of more passes over all literals' columns misses the caches anew.
    shardBits: 32 - Math.clz32(helpers(link.pool)),
  }
}

/** Sections whose literals are folded, in command-line order. */
export function listFoldedSections(link: Link): number[] {
  const { files, sections } = link
  const list: number[] = []
  for (const file of link.order) {
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++)
      if (isFolded(link, section) && sections.Blocks.count[section] > 0) list.push(section)
  }
  return list
}

function isFolded(link: Link, section: number): boolean {
  const content = link.sections.Header.content[section]
  if (content === CONTENT_LITERAL) return true
  if (content !== CONTENT_CSTRING) return false
  return (
    link.settings.deduplicateLiterals ||
    link.sectionNames.sections[link.sections.Header.name[section]] === '__objc_methname'
  )
}

const STRINGS = 0x7fffffff

/** Literals of sections of one name and kind are one pool, whatever file they come from. */
export function poolOf(link: Link, section: number): number {
  if (isCommonString(link, section)) return STRINGS
  return link.sections.Header.content[section] === CONTENT_LITERAL ? 0 : link.sections.Header.name[section]
}
