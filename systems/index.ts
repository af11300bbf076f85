// The pipeline: the table of contents of the whole program. systems/README.md says of each what it reads and writes.
import type { Link } from '../components/link.ts'
import type { Arch } from '../src/arch/arch.ts'
import type { Messages } from '../src/core/messages.ts'
import type { Host } from '../src/host/host.ts'
import type { Settings } from '../src/settings.ts'
import type { SystemTiming } from '../src/types.ts'
import { allocate } from './allocate.ts'
import { define } from './define.ts'
import { fold } from './fold.ts'
import { gatherUnwind } from './gatherUnwind.ts'
import { load } from './load.ts'
import { map } from './map.ts'
import { numberSymbols } from './numberSymbols.ts'
import { objectiveC } from './objectiveC.ts'
import { prioritize } from './prioritize.ts'
import { relocate } from './relocate.ts'
import { resolve } from './resolve.ts'
import { scan } from './scan.ts'
import { sign } from './sign.ts'
import { strip } from './strip.ts'
import { survey } from './survey.ts'
import { unwind } from './unwind.ts'
import { writeDyldInfo } from './writeDyldInfo.ts'
import { writeHeader } from './writeHeader.ts'
import { writeIndirect } from './writeIndirect.ts'
import { writeSymtab } from './writeSymtab.ts'

type System = (link: Link) => unknown

/** From resolved names to what goes into the output. */
const DECIDE: readonly (readonly [string, System])[] = [
  ['define', define],
  ['gatherUnwind', gatherUnwind],
  ['strip', strip],
  ['fold', fold],
  ['objectiveC', objectiveC],
  ['scan', scan],
  ['unwind', unwind],
  ['prioritize', prioritize],
]

/** From decisions to bytes; nothing here fails but for values that do not fit. */
const WRITE: readonly (readonly [string, System])[] = [
  ['allocate', allocate],
  ['numberSymbols', numberSymbols],
  ['relocate', relocate],
  ['writeIndirect', writeIndirect],
  ['writeDyldInfo', writeDyldInfo],
  ['writeSymtab', writeSymtab],
  ['writeHeader', writeHeader],
  ['sign', sign],
  ['map', map],
]

/** Runs the systems in order. Between them the caller's thread is free and an abort is seen. Stops where errors are. */
export async function runPipeline(settings: Settings, arch: Arch, host: Host, messages: Messages): Promise<Link> {
  const started = host.now()
  const link = await survey(settings, arch, host, messages)
  link.timings.push({
    system: 'survey',
    milliseconds: host.now() - started,
    rows: link.visited.rows,
    bytes: link.visited.bytes,
  })
  do await run(link, 'load', load)
  while (await run(link, 'resolve', resolve))
  for (const [name, system] of DECIDE) await run(link, name, system)
  if (messages.errors > 0) return link
  for (const [name, system] of WRITE) {
    if (messages.errors === 0) await run(link, name, system)
  }
  return link
}

async function run<T>(link: Link, name: string, system: (link: Link) => T): Promise<T> {
  link.settings.signal?.throwIfAborted()
  const started = link.host.now()
  link.visited.rows = 0
  link.visited.bytes = 0
  const result = await system(link)
  record(link, {
    system: name,
    milliseconds: link.host.now() - started,
    rows: link.visited.rows,
    bytes: link.visited.bytes,
  })
  return result
}

/** A system that runs again adds to its line. */
function record(link: Link, timing: SystemTiming): void {
  const known = link.timings.find((line) => line.system === timing.system)
  if (known === undefined) {
    link.timings.push(timing)
    return
  }
  known.milliseconds += timing.milliseconds
  known.rows += timing.rows
  known.bytes += timing.bytes
}
