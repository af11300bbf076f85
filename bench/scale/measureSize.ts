// Links a program of one size a few times, after some links of a small one, and prints rows and the median time of each system as JSON
// (arguments: architecture, objects, objects of the small one, cache).
import type { Link } from '../../components/link.ts'
import type { Arch } from '../../src/types.ts'
import { median } from '../compare/statistics.ts'
import { type LinkJob, program } from '../jobs.ts'
import { pipelineOptions, runTo } from '../pipeline.ts'

export interface SizeResult {
  symbols: number
  blocks: number
  relocations: number
  /** Milliseconds by system. */
  systems: Record<string, number>
}

export const FUNCTIONS = 100
const WARMUPS = 5
const RUNS = 5
/** No further run starts when those before took this long together. */
const LONG_MILLISECONDS = 4000

const [arch, objects, small, cache] = process.argv.slice(2)
const job = (count: string): LinkJob => program({ objects: Number(count), functions: FUNCTIONS })(arch as Arch, cache)

for (let i = 0; i < WARMUPS; i++) await runTo(pipelineOptions(job(small)))
process.stdout.write(JSON.stringify(await measure(job(objects))))

async function measure(sized: LinkJob): Promise<SizeResult> {
  const times: Record<string, number[]> = {}
  let result = { symbols: 0, blocks: 0, relocations: 0 }
  const started = performance.now()
  for (let run = 0; run < RUNS && performance.now() - started < LONG_MILLISECONDS; run++) {
    globalThis.gc?.()
    const link = await runTo(pipelineOptions(sized))
    result = rowsOf(link)
    for (const { system, milliseconds } of link.timings) {
      times[system] ??= []
      times[system].push(milliseconds)
    }
  }
  return { ...result, systems: Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)])) }
}

function rowsOf(link: Link): Omit<SizeResult, 'systems'> {
  let relocations = 0
  for (let section = 1; section <= link.sections.count; section++)
    relocations += link.sections.Relocations.count[section]
  return { symbols: link.symbols.count, blocks: link.blocks.count, relocations }
}
