import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { context, type LinkFailure, link } from '../../src/node.ts'
import type { LinkOptions, Message, RebuildResult } from '../../src/types.ts'
import { assemble } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'

const FILES = 4
const STEPS = 30
const NAMES = ['alpha', 'Alpha', 'ALPHA', 'beta', 'Beta', 'gamma', '_Z5alphav', '_Z4betav'].map((name) => `_${name}`)

interface Outcome {
  mode: string
  /** Null where the link fails. */
  bytes: Uint8Array | null
  messages: Message[]
}

/** What a link says and writes, or a rebuild. */
async function outcomeOf(
  linked: Promise<{ warnings: Message[]; outputFiles: { contents: Uint8Array }[] }>,
): Promise<Outcome> {
  try {
    const result = await linked
    const { mode = '' } = result as Partial<RebuildResult>
    return { mode, bytes: result.outputFiles[0].contents, messages: result.warnings }
  } catch (trouble) {
    const { errors, warnings } = trouble as LinkFailure
    return { mode: 'failed', bytes: null, messages: [...errors, ...warnings] }
  }
}

/** Objects that define, hide and ask for names at random, each in an order of its own. */
function createObjects(target: Target, random: () => number) {
  const folder = tempFolder()
  const paths = Array.from({ length: FILES }, (_, i) => join(folder, `file${i}.o`))
  const owner = NAMES.map(() => Math.floor(random() * FILES))
  const hidden = NAMES.map(() => random() < 0.5)
  const wanted: string[][] = paths.map(() => [])
  const call = target.arch === 'arm64' ? 'bl' : 'callq'
  const write = (file: number) => {
    const defined = NAMES.flatMap((name, i) =>
      owner[i] === file ? `${hidden[i] ? '.private_extern' : '.globl'} ${name}\n.p2align 2\n${name}: ret` : [],
    )
    const main = file === 0 ? '.globl _main\n_main: ret\n' : ''
    const calls = wanted[file].map((name) => `${call} ${name}`).join('\n')
    const source = `.subsections_via_symbols\n.text\n${main}${defined.join('\n')}\nuser: ${calls}\nret\n`
    copyFileSync(assemble(target.arch, source, { name: `file${file}` }), paths[file])
  }
  const edit = () => {
    const name = Math.floor(random() * NAMES.length)
    const file = Math.floor(random() * FILES)
    const kind = random()
    if (kind < 0.3) hidden[name] = !hidden[name]
    else if (kind < 0.5) [owner[name], wanted[file]] = [file, []]
    else if (kind < 0.6) owner[name] = FILES
    else wanted[file] = random() < 0.4 ? [] : [...wanted[file], `${NAMES[name]}${random() < 0.3 ? 'x' : ''}`]
    for (const each of wanted) each.sort(() => random() - 0.5)
  }
  const writeAll = () => {
    for (let file = 0; file < FILES; file++) write(file)
  }
  writeAll()
  return { paths, edit, writeAll }
}

forEachTarget((target) => {
  for (const undefinedIs of ['error', 'warning'] as const)
    test(`rebuilds say what fresh links say, in the same order (${target.name}, ${undefinedIs})`, async () => {
      const random = randomFrom(undefinedIs === 'error' ? 5 : 6)
      const { paths, edit, writeAll } = createObjects(target, random)
      const options: LinkOptions = {
        ...targetOptions(target),
        inputs: [...paths, libSystem],
        output: join(tempFolder(), 'out'),
        layout: 'padded',
        write: false,
        undefined: undefinedIs,
        exportedSymbols: ['_*'],
      }
      const session = context(options)
      const modes = new Map<string, number>()
      for (let step = 0; step < STEPS; step++) {
        if (step > 0) edit()
        writeAll()
        const got = await outcomeOf(session.rebuild())
        const wanted = await outcomeOf(link(options))
        modes.set(got.mode, (modes.get(got.mode) ?? 0) + 1)
        assert.deepEqual(got.messages, wanted.messages, `step ${step}, ${got.mode}`)
        assert.equal(got.bytes === null, wanted.bytes === null)
        if (got.bytes !== null) assert.ok(Buffer.from(got.bytes).equals(wanted.bytes!), `step ${step}, ${got.mode}`)
      }
      assert.ok(modes.get('warm')! > (undefinedIs === 'error' ? 3 : STEPS / 2), [...modes].join())
      assert.ok((modes.get('full') ?? 0) <= 1, [...modes].join())
      await session.dispose()
    })
})
