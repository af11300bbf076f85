// Hundreds of random edits of one program, each followed by a rebuild that is compared with a fresh link; and what became of them.
import assert from 'node:assert/strict'
import { copyFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import type { LinkOptions, RebuildResult, Session } from '../../src/types.ts'
import { archive, compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { type Arch, createTarget, type Target } from '../helpers/targets.ts'
import {
  below,
  createLongProgram,
  type Edit,
  EDITS,
  editLongProgram,
  type LongProgram,
  outputOf,
  sourceOfFile,
  sourceOfLibrary,
  sourceOfMain,
  sourceOfMember,
} from './longProgram.ts'
import { createOutcome, note, type Outcome, rebuildLikeFresh } from './tally.ts'

const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
const FILES = 4
/** Patches between two runs of the program. */
const RUN_EVERY = 5

/** Of the edits of these kinds at least so many are patches. */
const SHARES: readonly { edits: readonly Edit[]; share: number }[] = [
  { edits: ['change a constant', 'grow a function', 'shrink a function', 'change data', 'touch'], share: 0.9 },
  { edits: ['add a function'], share: 0.8 },
  { edits: ['call a new import'], share: 0.8 },
]
/** Kinds whose patches write what has changed, and of the file, in the middle, at most so much: it has few pages, and fewer large ones. */
const SPARING: readonly Edit[] = [
  'change a constant',
  'grow a function',
  'shrink a function',
  'add a function',
  'call a new import',
]
const WRITTEN: Readonly<Record<Arch, number>> = { x86_64: 0.65, arm64: 0.8 }
/** What a change of one constant may write: its page, and those of symbols, signature and header. */
const MOST_PAGES = 4

interface Build {
  target: Target
  folder: string
  library: string
  sources: Map<string, string>
  program: LongProgram
  more: Partial<LinkOptions>
}

/** @throws AssertionError after the first step whose output is not that of a fresh link, or does not do what the program says */
export async function editForLong(
  target: Target,
  seed: number,
  steps: number,
  more: Partial<LinkOptions> = {},
): Promise<Outcome<Edit>> {
  const build = await createBuild(target, seed, more)
  const session = context(writeProgram(build))
  await session.rebuild()
  const outcome = createOutcome<Edit>()
  for (let done = 0, patches = 0; done < steps; ) {
    const edit = EDITS[below(build.program, EDITS.length)]
    if (!editLongProgram(build.program, edit)) continue
    const result = await step(build, session, edit, ++done)
    note(outcome, edit, result, target.arch, join(build.folder, 'out'))
    if (result.mode !== 'patch' || ++patches % RUN_EVERY !== 0) continue
    check(build, `step ${done}, ${edit}`)
    outcome.runs++
  }
  check(build, 'at last')
  await session.dispose()
  return outcome
}

async function createBuild(target: Target, seed: number, more: Partial<LinkOptions>): Promise<Build> {
  const folder = tempFolder()
  const library = join(folder, 'liblibrary.dylib')
  const inputs = [compile(target.arch, sourceOfLibrary(), { name: 'library' }), libSystem]
  await link({ ...targetOf(target), inputs, outputType: 'dylib', installName: library, output: library })
  utimesSync(library, 1000, 1000)
  return { target, folder, library, sources: new Map(), program: createLongProgram(seed, FILES), more }
}

function targetOf({ arch, fixups }: Target): Pick<LinkOptions, 'arch' | 'platform' | 'fixupChains'> {
  return { arch, platform: MACOS_13, fixupChains: fixups === 'chained' }
}

/** Compiles what has changed; returns the options of the program as it is now. */
function writeProgram(build: Build): LinkOptions & { inputs: string[] } {
  const { folder, program, target, more } = build
  const objects = program.files.map((file) => put(build, `file${file.id}`, sourceOfFile(file)))
  const main = put(build, 'main', sourceOfMain(program))
  const members = program.members.map((plus, i) => [`member${i}`, sourceOfMember(i, plus)] as const)
  const packed = join(folder, 'members.a')
  const text = members.join('\n')
  if (build.sources.get(packed) !== text)
    copyFileSync(
      archive(
        'members.a',
        members.map(([name, source]) => put(build, name, source)),
      ),
      packed,
    )
  build.sources.set(packed, text)
  return {
    ...more,
    ...targetOf(target),
    inputs: [...objects, main, packed, build.library, libSystem],
    headerPad: program.headerPad,
    output: join(folder, 'out'),
  }
}

function put({ folder, sources, target }: Build, name: string, source: string): string {
  const path = join(folder, `${name}.o`)
  if (sources.get(name) !== source) copyFileSync(compile(target.arch, source, { name }), path)
  sources.set(name, source)
  return path
}

async function step(build: Build, session: Session, edit: Edit, count: number): Promise<RebuildResult> {
  if (edit === 'touch') utimesSync(join(build.folder, 'main.o'), count, count)
  return await rebuildLikeFresh(session, writeProgram(build), `step ${count}, ${edit}`)
}

function check({ target, folder, program }: Build, what: string): void {
  const output = join(folder, 'out')
  verifyImage(target, output)
  assert.equal(runImage(target, output).stdout, outputOf(program), what)
}

/** Edits a program for each form of fixups, `steps` times, and holds what became of the edits to what a session promises. */
export function testLongEdits(arch: Arch, steps: number): void {
  const outcomes: Outcome<Edit>[] = []
  for (const [i, fixups] of (['chained', 'opcodes'] as const).entries())
    test(`${steps} random edits give what fresh links give, and do what the program says (${arch}, ${fixups})`, async () => {
      const outcome = await editForLong(createTarget(arch, fixups), 11 + i, steps)
      outcomes.push(outcome)
      assert.deepEqual([...outcome.modes].sort(), ['full', 'noop', 'patch', 'warm'])
      assert.ok(outcome.runs >= steps / 10, `${outcome.runs} runs`)
      const { pages } = outcome.tallies.get('change a constant')!
      assert.ok(pages <= MOST_PAGES, `${pages} pages`)
    })
  test(`patches write what they change, and a part of the file (${arch})`, () => {
    const shares = outcomes.flatMap(({ tallies }) => SPARING.flatMap((edit) => tallies.get(edit)!.written))
    shares.sort((a, b) => a - b)
    assert.ok(shares.length >= steps / 10 && shares[shares.length >> 1] <= WRITTEN[arch], shares.join(' '))
  })
  test(`most edits of functions, and most functions and imports that come, are patches (${arch})`, () => {
    for (const { edits, share } of SHARES) {
      const tallies = outcomes.flatMap(({ tallies }) => edits.map((edit) => tallies.get(edit)!))
      const made = tallies.reduce((sum, each) => sum + each.edits, 0)
      const patches = tallies.reduce((sum, each) => sum + each.patches, 0)
      const reasons = tallies.flatMap((each) => each.reasons).join('\n')
      assert.ok(made >= steps / 10 && patches >= made * share, `${edits}: ${patches} of ${made}\n${reasons}`)
    }
  })
}
