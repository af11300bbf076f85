// Random edits of a program's sources, each followed by a rebuild that is compared with a fresh link; and what became of them.
import assert from 'node:assert/strict'
import { utimesSync, writeFileSync } from 'node:fs'
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
import { createOutcome, note, type Outcome, rebuildLikeFresh } from './tally.ts'

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

/** Edits that come once in any case: no change, and another option. */
const FIRST = 2

/** @throws AssertionError after the first step whose output is not that of a fresh link, or does not do what the sources say */
export async function editReal(
  target: Target,
  real: RealProgram,
  seed: number,
  steps: number,
  runEvery: number,
): Promise<Outcome<Edit>> {
  const build = await createBuild(target, real, seed)
  const session = context(writeProgram(build))
  await session.rebuild()
  check(build, 'at first')
  const outcome = createOutcome<Edit>()
  for (let done = 0, patches = 0; done < steps; ) {
    const edit = done < FIRST ? EDITS[done] : EDITS[below(build.program, EDITS.length)]
    const file = editSource(build.program, edit)
    if (file === null) continue
    const result = await step(build, session, edit, file, ++done)
    note(outcome, edit, result, target.arch, join(build.folder, 'out'))
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
  return await rebuildLikeFresh(session, writeProgram(build), `step ${count}, ${edit}`)
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
