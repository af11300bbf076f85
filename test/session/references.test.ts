import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, MACOS_13, type Target } from '../helpers/targets.ts'
import {
  createReferring,
  editReferring,
  LIBRARY,
  mainOf,
  outputOf,
  picker,
  type Referring,
  sourceOf,
} from './references.ts'

const FILES = 3
const STEPS = 24
/** Of the edits that bring a reference to something new, so many at least are patches. */
const MOST_FULL = 0.2

interface Program {
  target: Target
  files: Referring[]
  options: LinkOptions
  paths: string[]
  all: boolean
}

async function createProgram(target: Target, all: boolean, more: Partial<LinkOptions> = {}): Promise<Program> {
  const folder = tempFolder()
  const library = join(folder, 'liblibrary.dylib')
  const common = { arch: target.arch, platform: MACOS_13, fixupChains: target.fixups === 'chained' }
  const inputs = [compile(target.arch, LIBRARY, { name: 'library' }), libSystem]
  await link({ ...common, inputs, outputType: 'dylib', installName: library, output: library })
  utimesSync(library, 1000, 1000)
  const paths = Array.from({ length: FILES }, (_, i) => join(folder, `file${i}.o`))
  const options: LinkOptions = {
    ...common,
    inputs: [compile(target.arch, mainOf(FILES), { name: 'main' }), ...paths, library, libSystem],
    output: join(folder, 'out'),
    checkPatches: true,
    ...more,
  }
  const files = paths.map(createReferring)
  return { target, files, options, paths, all }
}

function put({ target, files, paths, all }: Program, file: number): void {
  copyFileSync(
    compile(target.arch, sourceOf(target.arch, file, files[file], all), { name: `file${file}` }),
    paths[file],
  )
}

function check({ target, files, options }: Program, what: string): void {
  verifyImage(target, options.output!)
  assert.equal(runImage(target, options.output!).stdout, outputOf(files), what)
}

/** Edits at random; returns how many bring a mention of something new, and why those that are no patches are none. */
async function editAtRandom(program: Program, seed: number): Promise<{ fresh: number; reasons: string[] }> {
  const pick = picker(seed)
  program.files.forEach((referring, file) => {
    for (let i = 0; i < 16; i++) editReferring(referring, pick)
    put(program, file)
  })
  const session = context(program.options)
  await session.rebuild()
  check(program, 'at first')
  const found = { fresh: 0, reasons: [] as string[] }
  for (let step = 0; step < STEPS; step++) {
    const file = pick(FILES)
    const isNew = editReferring(program.files[file], pick)
    put(program, file)
    const { mode, reason } = await session.rebuild()
    if (isNew) found.fresh++
    if (isNew && mode !== 'patch') found.reasons.push(reason)
    if (step % 4 === 3) check(program, `step ${step}`)
  }
  await session.dispose()
  return found
}

forEachTarget((target) => {
  for (const [all, what] of [
    [true, 'references to what objects mention anyway'],
    [false, 'mentions of what a dylib has'],
  ] as const)
    test(`${what} come and go by patch, and the program does what they say (${target.name})`, async () => {
      const { fresh, reasons } = await editAtRandom(await createProgram(target, all), all ? 21 : 3)
      assert.ok(fresh >= STEPS / 4, `${fresh} of ${STEPS}`)
      assert.ok(reasons.length <= fresh * MOST_FULL, reasons.join('\n'))
    })
})

for (const fixups of ['chained', 'opcodes'] as const)
  test(`in the tight layout too a rebuild writes what a fresh link writes, whatever is referred to (${fixups})`, async () => {
    const program = await createProgram(createTarget('arm64', fixups), true, { layout: 'tight' })
    const pick = picker(5)
    for (const file of program.files.keys()) put(program, file)
    const session = context(program.options)
    await session.rebuild()
    for (let step = 0; step < 6; step++) {
      const file = pick(FILES)
      editReferring(program.files[file], pick)
      put(program, file)
      await session.rebuild()
      const fresh = await link({ ...program.options, write: false })
      assert.ok(readFileSync(program.options.output!).equals(fresh.outputFiles[0].contents))
    }
    check(program, 'at last')
    await session.dispose()
  })
