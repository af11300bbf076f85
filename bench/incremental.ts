// `npm run bench -- --incremental`: rebuilds of a session that holds the link, against a full link by ld64.lld of the same inputs.
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { countWrites, type Writes } from '../src/host/countWrites.ts'
import {
  context,
  createNodeHost,
  type Input,
  link,
  type LinkOptions,
  type RebuildMode,
  type Session,
} from '../src/node.ts'
import type { Arch } from '../src/types.ts'
import { median } from './compare/statistics.ts'
import { commandArguments, type CommandRun } from './incremental/commandRun.ts'
import { editBody } from './incremental/editBody.ts'
import { editWinner } from './incremental/editWinner.ts'
import { addFunction, editCall } from './incremental/editCall.ts'
import { type Outside, startOutside } from './incremental/outside.ts'
import { comparePadded, type PaddedLine } from './incremental/paddedSize.ts'
import { PEER, PEER_COMMAND } from './rivals/contestants.ts'
import { makePreset, type Preset, presets, type SyntheticFiles } from './synthetic.ts'
import { syntheticObjectWith } from './synthetic/program.ts'

/** What is edited between two rebuilds, and how long the second may take as a part of the peer's full link. */
interface Work {
  name: string
  /** Objects edited, as a part of all; 0: none. One at least otherwise. */
  edited: number
  /** One object gets a function more, and the next time loses it. */
  added?: boolean
  mode: RebuildMode
  goal: Partial<Record<Preset, number>>
  /** By the command with --incremental, in a process of its own, instead of by the session. */
  command?: boolean
  /** One object calls a function of a library that nothing has called. */
  called?: boolean
  /** One object gets a strong definition of what others define weakly, and the next time has a weak one again. */
  won?: boolean
}

const works: readonly Work[] = [
  { name: 'nothing changed', edited: 0, mode: 'noop', goal: { large: 0.003 } },
  { name: 'one function body', edited: Number.MIN_VALUE, mode: 'patch', goal: { medium: 0.02, large: 0.01 } },
  { name: 'one function more or less', edited: 0, added: true, mode: 'patch', goal: {} },
  { name: 'a new call to an imported function', edited: 0, called: true, mode: 'patch', goal: { large: 0.02 } },
  { name: 'warm: a changed winner', edited: 0, won: true, mode: 'warm', goal: { large: 0.25 } },
  { name: '1 % of the objects', edited: 0.01, mode: 'patch', goal: { large: 0.05 } },
  { name: 'command, nothing changed', edited: 0, mode: 'noop', goal: {}, command: true },
  { name: 'command, one function body', edited: Number.MIN_VALUE, mode: 'patch', goal: { large: 0.1 }, command: true },
]

export interface IncrementalLine {
  work: string
  scenario: string
  mode: RebuildMode
  reason: string
  milliseconds: number
  /** By the peer's full link. */
  ratio: number
  goal: number | null
  /** The figure is reached, by rebuilds of the mode that was expected; null where there is no figure. */
  met: boolean | null
  /** Of the session; the command does not tell. */
  dirtyBlocks: number
  dirtyPages: number
  /** What went through the host port, medians: bytes of output and snapshot, and the 16 KiB pages that they lie in. */
  bytesWritten: number
  pagesWritten: number
}

export interface Rebuilds {
  lines: IncrementalLine[]
  padded: PaddedLine[]
}

interface Program {
  arch: Arch
  size: Preset
  scenario: string
  /** Those that are run. */
  works: readonly Work[]
  files: SyntheticFiles
  options: LinkOptions
  /** Of the command. */
  args: string[]
  /** Copies of every hundredth object, which are edited, and of one that gets a function more. */
  copies: string[]
  grown: string
  /** Copy of the object whose definition wins. */
  winner: string
  /** By the session. */
  writes: Writes
  outside: Outside
}

/** Number in the program of the object that grows; main.o is the first input. */
const GROWN = 9
/** Of the one whose definition wins, among the inputs. */
const WINNER = 20
/** The first object of which a copy is edited. */
const COPIED = 50

const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

/**
 * Prints a table for every size and architecture, of the works whose name holds `only`; with all of them, the size of the padded file too.
 * @throws Error when a rebuild writes what a fresh link does not.
 */
export async function runIncremental(
  archs: readonly Arch[],
  sizes: readonly Preset[],
  runs: number,
  cache: string,
  only: string,
): Promise<Rebuilds> {
  const rebuilds: Rebuilds = { lines: [], padded: [] }
  const chosen = works.filter(({ name }) => name.includes(only))
  const outside = startOutside()
  try {
    for (const size of sizes)
      for (const arch of archs) {
        const program = prepare(arch, size, cache, chosen, outside)
        rebuilds.lines.push(...(await runProgram(program, runs, cache)))
        if (only === '')
          rebuilds.padded.push(await comparePadded(program.scenario, program.options, sizeOfOutput(program)))
      }
  } finally {
    outside.end()
  }
  return rebuilds
}

async function runProgram(program: Program, runs: number, cache: string): Promise<IncrementalLine[]> {
  const { works, scenario } = program
  const session = context(program.options)
  const first = await timed(session, program)
  await bringUpToDate(program)
  console.log(`\n${scenario}, median of ${runs}; first link of the session ${first.milliseconds.toFixed(0)} ms`)
  const peer: number[] = []
  const samples = works.map((): Sample[] => [])
  for (let round = 0; round <= runs; round++) {
    const full = await peerLink(program, cache)
    if (round > 0) peer.push(full)
    for (const [i, work] of works.entries()) {
      if (work.called) writeFileSync(program.copies[0], readFileSync(program.files.inputs[COPIED]))
      // The other's edits are no part of the work.
      await session.rebuild()
      await bringUpToDate(program)
      edit(program, work, round, round * works.length + i + 1)
      const sample = work.command ? { ...(await bringUpToDate(program))!, ...NOTHING } : await timed(session, program)
      if (round > 0) samples[i].push(sample)
    }
  }
  await session.rebuild()
  await checkOutput(program)
  await session.dispose()
  const whole = median(peer)
  console.log(`  ${`${PEER}, full link`.padEnd(36)}${whole.toFixed(1).padStart(10)} ms`)
  return works.map((work, i) => report(work, scenario, program.size, samples[i], whole))
}

/** A program like the preset, but for the objects to be edited, which are copies: the preset's stay as they are. */
function prepare(arch: Arch, size: Preset, cache: string, works: readonly Work[], outside: Outside): Program {
  const files = makePreset(arch, size, cache)
  const folder = join(cache, `incremental-${arch}-${size}`)
  mkdirSync(folder, { recursive: true })
  const copies: string[] = []
  const grown = join(folder, basename(files.inputs[GROWN + 1]))
  cpSync(files.inputs[GROWN + 1], grown)
  const winner = join(folder, basename(files.inputs[WINNER]))
  cpSync(files.inputs[WINNER], winner)
  const inputs = files.inputs.map((path, i) => {
    if (i === WINNER) return winner
    if (i === GROWN + 1) return grown
    if (i % 100 !== COPIED) return path
    const copy = join(folder, basename(path))
    cpSync(path, copy)
    copies.push(copy)
    return copy
  })
  mkdirSync(join(folder, 'usr/lib'), { recursive: true })
  writeFileSync(join(folder, 'usr/lib/libSystem.tbd'), addFunction(readFileSync(files.stub, 'utf8')))
  const args = commandArguments(arch, folder, folder, inputs)
  const output = join(folder, 'out')
  const all: Input[] = [...inputs.map((path) => ({ path })), { library: 'System' }]
  const { host, writes } = countWrites(createNodeHost())
  const options = { arch, platform: MACOS_13, inputs: all, syslibroots: [folder], output, host }
  const scenario = `synthetic ${size} ${arch}`
  return { arch, size, scenario, works, files, copies, grown, winner, args, options, writes, outside }
}

function sizeOfOutput({ options }: Program): number {
  return statSync(options.output!).size
}

/** By a run of the command, where one of the works is its; else null. */
async function bringUpToDate({ works, args, outside }: Program): Promise<CommandRun | null> {
  return works.some(({ command }) => command) ? outside.command(args) : null
}

async function peerLink({ files, outside }: Program, cache: string): Promise<number> {
  const output = join(cache, 'out-incremental-peer')
  const run = await outside.once({ name: PEER, command: [PEER_COMMAND, `@${files.response}`, '-o', output], output })
  return run.wall
}

/** `number`: of the edits before, in all rounds. */
function edit(program: Program, { edited, added, called, won }: Work, round: number, number: number): void {
  const { arch, size, copies, grown, winner, files } = program
  const isMore = round % 2 === 0
  if (won) {
    const bytes = new Uint8Array(readFileSync(files.inputs[WINNER]))
    writeFileSync(winner, isMore ? editWinner(bytes) : bytes)
  }
  if (added) {
    writeFileSync(
      grown,
      isMore
        ? syntheticObjectWith({ arch, ...presets[size] }, GROWN, `_added_${number}`)
        : readFileSync(files.inputs[GROWN + 1]),
    )
  }
  if (called) writeFileSync(copies[0], editCall(new Uint8Array(readFileSync(files.inputs[COPIED]))))
  if (edited === 0) return
  const count = Math.min(copies.length, Math.max(1, Math.round(edited * files.inputs.length)))
  for (let i = 0; i < count; i++) {
    const bytes = new Uint8Array(readFileSync(copies[i]))
    editBody(bytes, arch, number)
    writeFileSync(copies[i], bytes)
  }
}

interface Sample {
  milliseconds: number
  mode: RebuildMode
  reason: string
  dirtyBlocks: number
  dirtyPages: number
  bytes: number
  pages: number
}

/** The command does not tell. */
const NOTHING = { dirtyBlocks: 0, dirtyPages: 0 }

async function timed(session: Session, { writes }: Program): Promise<Sample> {
  const before = { ...writes }
  const started = performance.now()
  const { mode, reason, dirtyBlocks, dirtyPages } = await session.rebuild()
  const milliseconds = performance.now() - started
  const [bytes, pages] = [writes.bytes - before.bytes, writes.pages - before.pages]
  return { milliseconds, mode, reason, dirtyBlocks, dirtyPages, bytes, pages }
}

/** A fast rebuild that is wrong is no result. */
async function checkOutput(program: Program): Promise<void> {
  const { options, args } = program
  await checkFile({ ...options, layout: 'padded', write: false })
  if ((await bringUpToDate(program)) === null) return
  await checkFile({ ...options, layout: 'padded', write: false, output: args.at(-1)!, zeroArDate: true })
}

async function checkFile(options: LinkOptions): Promise<void> {
  const { outputFiles } = await link(options)
  if (!readFileSync(options.output!).equals(outputFiles[0].contents))
    throw new Error(`${options.output}: a fresh link writes something else`)
}

function report(work: Work, scenario: string, size: Preset, samples: readonly Sample[], peer: number): IncrementalLine {
  const milliseconds = median(samples.map((sample) => sample.milliseconds))
  const other = samples.find(({ mode }) => mode !== work.mode)
  const { mode, reason, dirtyBlocks, dirtyPages } = other ?? samples[0]
  const goal = work.goal[size] ?? null
  const line = {
    work: work.name,
    scenario,
    mode,
    reason,
    milliseconds,
    ratio: milliseconds / peer,
    goal,
    met: goal === null ? null : milliseconds / peer <= goal && other === undefined,
    dirtyBlocks,
    dirtyPages,
    bytesWritten: median(samples.map(({ bytes }) => bytes)),
    pagesWritten: median(samples.map(({ pages }) => pages)),
  }
  console.log(incrementalLine(line, other !== undefined))
  return line
}

function incrementalLine(line: IncrementalLine, unexpected: boolean): string {
  const { work, mode, reason, milliseconds, ratio, dirtyBlocks, dirtyPages, bytesWritten, pagesWritten } = line
  const dirty = dirtyPages === 0 ? '' : `, ${dirtyBlocks} blocks, ${dirtyPages} pages`
  const wrote = `, wrote ${Math.ceil(bytesWritten / 1024)} KiB in ${pagesWritten} pages`
  const why = unexpected ? ` (${reason})` : ''
  return `  ${work.padEnd(36)}${milliseconds.toFixed(1).padStart(10)} ms  ${mode}${why}${dirty}${wrote}, ratio ${ratio.toFixed(4)}`
}
