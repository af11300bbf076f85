import assert from 'node:assert/strict'
import { copyFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'
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

const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
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

forEachTarget((target) => {
  test(`references to what a dylib has come and go by patch, and the program does what they say (${target.name})`, async () => {
    const program = await createProgram(target, true)
    const pick = picker(21)
    program.files.forEach((referring, file) => {
      for (let i = 0; i < 16; i++) editReferring(referring, pick)
      put(program, file)
    })
    const session = context(program.options)
    await session.rebuild()
    check(program, 'at first')
    const reasons: string[] = []
    let fresh = 0
    for (let step = 0; step < STEPS; step++) {
      const file = pick(FILES)
      const isNew = editReferring(program.files[file], pick)
      put(program, file)
      const { mode, reason } = await session.rebuild()
      if (isNew) fresh++
      if (isNew && mode !== 'patch') reasons.push(reason)
      if (step % 4 === 3) check(program, `step ${step}`)
    }
    assert.ok(fresh >= STEPS / 3, `${fresh} of ${STEPS}`)
    assert.ok(reasons.length <= fresh * MOST_FULL, reasons.join('\n'))
    await session.dispose()
  })
})
