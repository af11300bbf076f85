// What both say of inputs that they cannot use.
import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context } from '../../src/node.ts'
import { agree, type Workbench } from '../helpers/agree.ts'
import { archive, assemble } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { createTarget, targetOptions } from '../helpers/targets.ts'

const END = '\n.subsections_via_symbols\n'
const MAIN = `.globl _main\n.p2align 2\n_main: ret${END}`
const VALUE = `.globl _value\n.p2align 2\n_value: ret${END}`

/** An archive of an object, a text, and an object for both architectures. */
function mixed(bench: Workbench, flags: string): string {
  const value = bench.asm('value', VALUE)
  const other = bench.arch === 'arm64' ? 'x86_64' : 'arm64'
  bench.run('llvm-lipo-22', '-create', value, assemble(other, VALUE), '-output', 'both.o')
  return bench.archive('libmixed.a', [value, bench.file('text.txt', 'no object, but a text'), 'both.o'], flags)
}

const FAILED =
  /libmixed.a: -(all|force)_load failed to load archive member: text.txt has unhandled file type\n.*both.o has/

for (const flags of ['rcs', 'rcS']) {
  agree(
    `members that are no objects cost a warning where all are loaded (-all_load, ${flags})`,
    (bench) => [bench.asm('main', MAIN), '-all_load', mixed(bench, flags), 'libSystem.tbd'],
    { says: FAILED, once: true },
  )
  agree(
    `members that are no objects cost a warning where all are loaded (-force_load, ${flags})`,
    (bench) => [bench.asm('main', MAIN), '-force_load', mixed(bench, flags), 'libSystem.tbd'],
    { says: FAILED, once: true },
  )
}

agree(
  'members that are no objects cost nothing where the index leads past them',
  (bench) => [bench.asm('main', MAIN), mixed(bench, 'rcs'), 'libSystem.tbd'],
  { once: true },
)

test('members that are no objects are an error where there is no index', () => {
  // ld64.lld says so too, and then crashes.
  const text = join(tempFolder(), 'text.txt')
  writeFileSync(text, 'no object, but a text')
  const library = archive('libmixed.a', [assemble('arm64', VALUE), text])
  const output = join(tempFolder(), 'out')
  const flags = createTarget('arm64', 'chained').flags
  const { status, stderr } = colonnade([...flags, assemble('arm64', MAIN), library, libSystem, '-o', output])
  assert.equal(status, 1)
  assert.match(stderr, /error: .*libmixed.a: couldn't process child: text.txt has unhandled file type\n$/)
})

test('a session says again what a member costs', async () => {
  const text = join(tempFolder(), 'text.txt')
  writeFileSync(text, 'no object, but a text')
  const library = archive('libmixed.a', [assemble('arm64', VALUE), text], 'rcs')
  const main = join(tempFolder(), 'main.o')
  const inputs = [{ path: main }, { path: library }, libSystem]
  const options = {
    ...targetOptions(createTarget('arm64', 'chained')),
    inputs,
    allLoad: true,
    output: join(tempFolder(), 'out'),
  }
  const session = context(options)
  for (const word of [1, 2, 3]) {
    copyFileSync(assemble('arm64', `${MAIN.replace('ret', `mov w0, #${word}\n ret`)}`), main)
    const { warnings } = await session.rebuild()
    assert.deepEqual(
      warnings.map(({ id }) => id),
      ['unknown-member'],
    )
  }
  await session.dispose()
})

for (const loader of ['nothere', 'libSystem.tbd'])
  agree(
    `-bundle_loader ${loader} without -bundle`,
    (bench) => [bench.asm('main', MAIN), '-bundle_loader', loader, 'libSystem.tbd'],
    { says: /-bundle_loader can only be used with MachO bundle output/, status: 1, once: true },
  )

test('an alias of what is not in the image is an error, whoever has it', () => {
  // ld64.lld has it to do.
  const library = archive('libvalue.a', [assemble('arm64', VALUE)], 'rcs')
  const output = join(tempFolder(), 'out')
  const flags = createTarget('arm64', 'chained').flags
  for (const name of ['_value', '_puts', '_nowhere']) {
    const { status, stderr } = colonnade([
      ...flags,
      assemble('arm64', MAIN),
      library,
      libSystem,
      '-alias',
      name,
      '_other',
      '-o',
      output,
    ])
    assert.equal(status, name === '_nowhere' ? 0 : 1)
    if (name === '_nowhere') assert.match(stderr, /warning: undefined base symbol '_nowhere' for alias '_other'/)
    else assert.match(stderr, new RegExp(`error: alias '_other': '${name}' is not defined in this image`))
  }
})
