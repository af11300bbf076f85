import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, targetOptions, type Target } from '../helpers/targets.ts'
import {
  below,
  createParts,
  editParts,
  PART_EDITS,
  type PartsFile,
  type PartsProgram,
  partsMain,
  partsSource,
} from './parts.ts'

interface Built {
  target: Target
  program: PartsProgram
  flags: readonly string[]
  folder: string
}

function put({ target, flags, folder }: Built, name: string, source: string): string {
  const [path, code] = [join(folder, `${name}.o`), join(folder, `${name}.c`)]
  writeFileSync(code, source)
  mustRun('clang-22', ['-target', `${target.arch}-apple-macos13`, '-O1', ...flags, '-c', code, '-o', path])
  return path
}

function putFile(built: Built, file: PartsFile): string {
  return put(built, `file${file.index}`, partsSource(file))
}

function optionsOf(built: Built, more: Partial<LinkOptions>): LinkOptions {
  const { target, program, folder } = built
  return {
    inputs: [
      put(built, 'main', partsMain(program)),
      ...program.files.map((file) => putFile(built, file)),
      { library: 'System' },
    ],
    ...targetOptions(target),
    output: join(folder, 'out'),
    checkPatches: true,
    ...more,
  }
}

/** What does not fit where it has to stay, and what a definition that others may have shared leads to. */
const NO_ROOM = /room|kept free/
const STEPS = 30

forEachTarget((target) => {
  for (const [name, flags, more] of [
    ['plain', [], {}],
    ['with a debug map', ['-g'], {}],
    ['with -dead_strip', [], { deadStrip: true }],
  ] as const)
    test(`functions and data that come, go, move or get other names are patches where there is room, ${name} (${target.name})`, async () => {
      const built: Built = { target, program: createParts(3, 3, 40), flags, folder: tempFolder() }
      const options = optionsOf(built, more)
      const session = context(options)
      await session.rebuild()
      const modes = { patch: 0, warm: 0, full: 0, noop: 0 }
      for (let step = 0; step < STEPS; step++) {
        const file = built.program.files[below(built.program, 3)]
        const edit = PART_EDITS[step % PART_EDITS.length]
        editParts(built.program, file, edit)
        putFile(built, file)
        const { mode, reason } = await session.rebuild()
        if (mode !== 'warm' || !NO_ROOM.test(reason)) modes[mode]++
      }
      assert.ok(modes.patch >= STEPS / 3 && modes.patch >= 0.8 * (modes.patch + modes.warm), JSON.stringify(modes))
      verifyImage(target, options.output!)
      const elsewhere = join(tempFolder(), 'out')
      await link({ ...options, layout: 'tight', output: elsewhere })
      assert.equal(runImage(target, options.output!).stdout, runImage(target, elsewhere).stdout)
      await session.dispose()
    })
})
