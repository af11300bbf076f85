// Hundreds of random edits of one program, each followed by a rebuild that is compared with a fresh link; and what became of them.
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, utimesSync } from 'node:fs'
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

const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
const FILES = 4
/** Patches between two runs of the program. */
const RUN_EVERY = 5
/** Both architectures' here: without a signature pages have any size. */
const PAGE = 0x4000

/** Of the edits of these kinds at least so many are patches. */
const SHARES: readonly { edits: readonly Edit[]; share: number }[] = [
  { edits: ['change a constant', 'change data', 'touch'], share: 0.9 },
  { edits: ['add a function'], share: 0.8 },
  { edits: ['call a new import'], share: 0.8 },
]
/** What a change of one constant may write: its page, and those of symbols, signature and header. */
const MOST_PAGES = 4

/** What became of the edits of one kind. */
interface Tally {
  edits: number
  patches: number
  /** Why the others were none. */
  reasons: string[]
  /** Most pages and bytes that a patch of them has written. */
  pages: number
  bytes: number
}

interface Outcome {
  modes: Set<string>
  tallies: Map<Edit, Tally>
  runs: number
  /** Pages of the rebuild that changed the most and wrote only that. */
  most: number
}

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
): Promise<Outcome> {
  const build = await createBuild(target, seed, more)
  const session = context(writeProgram(build))
  await session.rebuild()
  const outcome: Outcome = { modes: new Set(), tallies: new Map(), runs: 0, most: 0 }
  for (let done = 0, patches = 0; done < steps; ) {
    const edit = EDITS[below(build.program, EDITS.length)]
    if (!editLongProgram(build.program, edit)) continue
    const result = await step(build, session, edit, ++done)
    note(outcome, edit, result)
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
  const options = writeProgram(build)
  const { inputs, headerPad = 0 } = options
  const result = await session.rebuild({ options: { inputs, headerPad } })
  const fresh = await link({ ...options, layout: 'padded', write: false })
  const same = readFileSync(options.output!).equals(fresh.outputFiles[0].contents)
  assert.ok(same, `step ${count}, ${edit}: ${result.mode}, ${result.reason}`)
  return result
}

function check({ target, folder, program }: Build, what: string): void {
  const output = join(folder, 'out')
  verifyImage(target, output)
  assert.equal(runImage(target, output).stdout, outputOf(program), what)
}

function note(outcome: Outcome, edit: Edit, { mode, reason, dirtyPages, timings }: RebuildResult): void {
  const { modes, tallies } = outcome
  const tally = tallies.get(edit) ?? { edits: 0, patches: 0, reasons: [], pages: 0, bytes: 0 }
  tallies.set(edit, tally)
  modes.add(mode)
  tally.edits++
  if (mode !== 'full') outcome.most = Math.max(outcome.most, dirtyPages)
  if (mode === 'patch') {
    tally.patches++
    tally.pages = Math.max(tally.pages, dirtyPages)
    tally.bytes = Math.max(tally.bytes, timings.find(({ system }) => system === 'output')?.written ?? 0)
  } else if (mode === 'warm' || mode === 'full') tally.reasons.push(reason)
}

/** Edits a program for each form of fixups, `steps` times, and holds what became of the edits to what a session promises. */
export function testLongEdits(arch: Arch, steps: number): void {
  const outcomes: Outcome[] = []
  for (const [i, fixups] of (['chained', 'opcodes'] as const).entries())
    test(`${steps} random edits give what fresh links give, and do what the program says (${arch}, ${fixups})`, async () => {
      const outcome = await editForLong(createTarget(arch, fixups), 11 + i, steps)
      outcomes.push(outcome)
      assert.deepEqual([...outcome.modes].sort(), ['full', 'noop', 'patch', 'warm'])
      assert.ok(outcome.runs >= steps / 10, `${outcome.runs} runs`)
      const { pages, bytes } = outcome.tallies.get('change a constant')!
      assert.ok(pages <= MOST_PAGES, `${pages} pages`)
      // The file that is written waits since the rebuild before: it gets the pages of both.
      assert.ok(bytes <= (pages + outcome.most) * PAGE, `${bytes} bytes`)
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
