// Random edits of a program's sources, each followed by a rebuild that is compared with a fresh link; and what became of them.
import assert from 'node:assert/strict'
import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { context, link } from '../../src/node.ts'
import type { Input, LinkOptions, RebuildResult, Session } from '../../src/types.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { type Target, targetOptions } from '../helpers/targets.ts'
import {
  below,
  createSourceFile,
  createSourceProgram,
  type Edit,
  EDITS,
  editSource,
  keepMarked,
  LIBRARY_SOURCE,
  markAll,
  MARKS_SOURCE,
  type SourceFile,
  type SourceProgram,
  sourceOf,
  sumOfMarks,
} from './sourceEdits.ts'

/** A program as its writer has it. */
export interface RealProgram {
  sources: readonly { name: string; text: string; isMember?: boolean }[]
  /** Arguments of clang besides target, input and output. */
  flagsOf: (name: string) => readonly string[]
  libraries: readonly (string | Input)[]
  /** Arguments of the program, and what it prints. */
  args: readonly string[]
  stdout: string | null
  more?: Partial<LinkOptions>
}

interface Build {
  target: Target
  real: RealProgram
  folder: string
  library: string
  written: Map<string, string>
  program: SourceProgram
}

/** What became of the edits of one kind. */
export interface Tally {
  edits: number
  patches: number
  /** Why the others were none. */
  reasons: string[]
  /** Of patches that follow a patch: bytes written, by bytes of the file. */
  written: number[]
}

export interface Outcome {
  modes: Set<string>
  tallies: Map<Edit, Tally>
  /** Patches after which the program was run. */
  runs: number
  /** Pages that the last write has changed, if it was a patch's; else null: the other of the two files is written whole then. */
  before: number | null
}

/** Edits that come once in any case: no change, and another option. */
const FIRST = 2
const PAGES = { x86_64: 0x1000, arm64: 0x4000 } as const

/** @throws AssertionError after the first step whose output is not that of a fresh link, or does not do what the sources say */
export async function editReal(
  target: Target,
  real: RealProgram,
  seed: number,
  steps: number,
  runEvery: number,
): Promise<Outcome> {
  const build = await createBuild(target, real, seed)
  const session = context(writeProgram(build))
  await session.rebuild()
  check(build, 'at first')
  const outcome: Outcome = { modes: new Set(), tallies: new Map(), runs: 0, before: null }
  for (let done = 0, patches = 0; done < steps; ) {
    const edit = done < FIRST ? EDITS[done] : EDITS[below(build.program, EDITS.length)]
    const file = editSource(build.program, edit)
    if (file === null) continue
    const result = await step(build, session, edit, file, ++done)
    note(outcome, edit, result, build)
    if (result.mode !== 'patch' || ++patches % runEvery !== 0) continue
    check(build, `step ${done}, ${edit}`)
    outcome.runs++
  }
  assert.equal((await session.rebuild()).mode, 'noop')
  check(build, 'at last')
  await session.dispose()
  return outcome
}

/** Links and runs the program once, with a mark in each function, so that edits are made where they show. */
async function createBuild(target: Target, real: RealProgram, seed: number): Promise<Build> {
  const folder = tempFolder()
  const library = join(folder, 'liblibrary.dylib')
  const files = real.sources.map(({ name, text, isMember }) => createSourceFile(name, text, isMember))
  const program = createSourceProgram(files, seed)
  const build: Build = { target, real, folder, library, written: new Map(), program }
  const inputs = [put(build, 'library.c', LIBRARY_SOURCE), ...real.libraries]
  await link({ ...targetOptions(target), inputs, outputType: 'dylib', installName: library, output: library })
  markAll(program)
  await link(writeProgram(build))
  const { stdout } = runImage(target, join(folder, 'out'), real.args, { env: { MARKS: '1' } })
  keepMarked(program, new Set([...stdout.matchAll(/^mark (\d+)$/gm)].map(([, id]) => Number(id))))
  return build
}

/** Compiles what has changed; returns the options of the program as it is now. */
function writeProgram(build: Build): LinkOptions & { inputs: (string | Input)[] } {
  const { folder, library, real, program, target } = build
  const objects: string[] = []
  const members: string[] = []
  for (const file of program.files) (file.isMember ? members : objects).push(put(build, file.name, sourceOf(file)))
  objects.push(put(build, 'marks.c', MARKS_SOURCE))
  const packed = join(folder, 'members.a')
  const text = program.files.flatMap((file) => (file.isMember ? [sourceOf(file)] : [])).join('\n')
  if (members.length > 0 && build.written.get(packed) !== text)
    mustRun('llvm-ar-22', ['--format=darwin', 'rcS', packed, ...members])
  build.written.set(packed, text)
  const archives = members.length > 0 ? [packed] : []
  const inputs = [...objects, ...archives, library, ...real.libraries]
  return { ...real.more, ...targetOptions(target), inputs, headerPad: program.headerPad, output: join(folder, 'out') }
}

function put({ folder, real, target, written }: Build, name: string, source: string): string {
  const [input, object] = [join(folder, name), join(folder, `${name.replace(/\.\w+$/, '')}.o`)]
  if (written.get(name) === source) return object
  written.set(name, source)
  writeFileSync(input, source)
  mustRun('clang-22', ['-target', `${target.arch}-apple-macos13`, ...real.flagsOf(name), '-c', input, '-o', object])
  return object
}

async function step(
  build: Build,
  session: Session,
  edit: Edit,
  file: SourceFile,
  count: number,
): Promise<RebuildResult> {
  if (edit === 'touch') utimesSync(join(build.folder, file.name.replace(/\.\w+$/, '.o')), count, count)
  const options = writeProgram(build)
  const { inputs, headerPad = 0 } = options
  const result = await session.rebuild({ options: { inputs, headerPad } })
  const fresh = await link({ ...options, layout: 'padded', write: false })
  const same = readFileSync(options.output!).equals(fresh.outputFiles[0].contents)
  assert.ok(same, `step ${count}, ${edit}: ${result.mode}, ${result.reason}`)
  return result
}

function check({ target, folder, program, real }: Build, what: string): void {
  const output = join(folder, 'out')
  verifyImage(target, output)
  const { stdout, stderr } = runImage(target, output, real.args)
  const end = `marks ${sumOfMarks(program).toString(16)}\n`
  assert.equal(stdout.slice(-end.length) + stderr, end, what)
  real.stdout ??= stdout.slice(0, -end.length)
  assert.equal(stdout.slice(0, -end.length), real.stdout, what)
}

function note(outcome: Outcome, edit: Edit, { mode, reason, dirtyPages, timings }: RebuildResult, build: Build): void {
  const { modes, tallies } = outcome
  const tally = tallies.get(edit) ?? { edits: 0, patches: 0, reasons: [], written: [] }
  tallies.set(edit, tally)
  modes.add(mode)
  tally.edits++
  if (mode === 'warm' || mode === 'full') {
    tally.reasons.push(reason)
    outcome.before = null
  }
  if (mode !== 'patch') return
  tally.patches++
  const bytes = timings.find(({ system }) => system === 'output')?.written ?? 0
  if (outcome.before !== null) tally.written.push(shareOf(build, bytes, outcome.before + dirtyPages))
  if (bytes > 0) outcome.before = dirtyPages
}

/** The file that is written waits since the rebuild before: it gets the pages of both, and no more. Returns their share of its bytes. */
function shareOf({ target, folder }: Build, bytes: number, pages: number): number {
  assert.ok(bytes <= pages * PAGES[target.arch], `${bytes} bytes, ${pages} pages`)
  return bytes / statSync(join(folder, 'out')).size
}
