import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import type { Changes, Input, LinkOptions, RebuildResult, Session } from '../../src/types.ts'
import { archive, assemble, compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, targetOptions, type Target } from '../helpers/targets.ts'

const MAIN = `
  int printf(const char *, ...);
  int one(int); int two(int); int three(int);
  int main(int argc, char **argv) { printf("%d %d %d\\n", one(argc), two(argc), three(argc)); return 0; }
`
const ONE = 'int shared(int); int one(int x) { return shared(x) + 1; }'
const TWO = '__attribute__((weak)) int shared(int x) { return x * 10; } int two(int x) { return shared(x) + 2; }'
const THREE = '__attribute__((weak)) int shared(int x) { return x * 100; } int three(int x) { return shared(x) + 3; }'

interface Program {
  target: Target
  folder: string
  options: LinkOptions & { output: string }
  session: Session
}

/** Writes the object, from C, or from assembly where the text says so. */
function put({ target, folder }: Program, name: string, source: string): string {
  const path = join(folder, `${name}.o`)
  const make = source.startsWith('.') ? assemble : compile
  copyFileSync(make(target.arch, source, { name }), path)
  return path
}

/** Three objects, of which the last two define a weak function, and what is `more`. */
function createProgram(target: Target, more: Partial<LinkOptions> = {}): Program {
  const folder = tempFolder()
  const options = {
    ...targetOptions(target),
    output: join(folder, 'out'),
    checkPatches: true,
    ...more,
    inputs: ['main.o', 'one.o', 'two.o', 'three.o'].map((name): Input => ({ path: join(folder, name) })),
  }
  options.inputs.push(...(more.inputs ?? []).map((input) => (typeof input === 'string' ? { path: input } : input)))
  options.inputs.push({ path: libSystem })
  const program = { target, folder, options, session: context(options) }
  for (const [name, source] of [
    ['main', MAIN],
    ['one', ONE],
    ['two', TWO],
    ['three', THREE],
  ])
    put(program, name, source)
  return program
}

async function rebuild(program: Program, changes: Changes = {}): Promise<RebuildResult> {
  const result = await program.session.rebuild(changes)
  Object.assign(program.options, changes.options)
  return result
}

/** What the program prints. */
function run({ target, options }: Program): string {
  verifyImage(target, options.output)
  return runImage(target, options.output).stdout.trim()
}

async function isFresh({ options }: Program): Promise<void> {
  const { outputFiles } = await link({ ...options, layout: options.layout ?? 'padded', write: false })
  assert.ok(readFileSync(options.output).equals(outputFiles[0].contents))
}

forEachTarget((target) => {
  test(`a definition that wins or loses a name is a warm rebuild (${target.name})`, async () => {
    const program = createProgram(target)
    assert.equal((await rebuild(program)).mode, 'full')
    assert.equal(run(program), '11 12 13')
    put(program, 'two', TWO.replace('__attribute__((weak))', 'static'))
    const { mode, reason, timings } = await rebuild(program)
    assert.deepEqual([mode, /_shared/.test(reason)], ['warm', true], reason)
    const size = readFileSync(join(program.folder, 'two.o')).length
    assert.equal(timings.find(({ system }) => system === 'survey')?.read, size)
    assert.equal(run(program), '101 12 103')
    put(program, 'two', 'int shared(int x) { return x * 7; } int two(int x) { return shared(x) + 2; }')
    assert.equal((await rebuild(program)).mode, 'warm')
    assert.equal(run(program), '8 9 10')
    put(program, 'two', TWO)
    assert.equal((await rebuild(program)).mode, 'warm')
    assert.equal(run(program), '11 12 13')
    await isFresh(program)
    await program.session.dispose()
  })

  test(`patches and warm rebuilds take turns on one link (${target.name})`, async () => {
    const program = createProgram(target)
    await rebuild(program)
    const modes: string[] = []
    for (let step = 0; step < 4; step++) {
      put(program, 'one', ONE.replace('+ 1', `+ ${step + 5}`))
      modes.push((await rebuild(program)).mode)
      const added = `int plus${step}(int x) { return x + ${step}; }`
      put(program, 'one', `${added} ${ONE.replace('+ 1', `+ plus${step}(x)`)}`)
      modes.push((await rebuild(program)).mode)
      put(program, 'three', step % 2 === 0 ? THREE.replace('__attribute__((weak))', '') : THREE)
      modes.push((await rebuild(program)).mode)
    }
    assert.equal(run(program), `${10 + 4} 12 13`)
    assert.deepEqual([...new Set(modes)].sort(), ['patch', 'warm'], modes.join(' '))
    for (let step = 2; step < modes.length; step += 3) assert.equal(modes[step], 'warm')
    await program.session.dispose()
  })

  for (const [name, more] of [
    ['plain', {}],
    ['with -dead_strip', { deadStrip: true }],
    ['tight', { layout: 'tight' }],
    ['with threads', { threads: 2, threadsFrom: 1 }],
    ['with a worker beside', { threads: 2, asideFrom: 1 }],
    ['with identical code folded', { icf: 'all' }],
    ['with thunks', { branchReach: 512 }],
  ] as const)
    test(`what a patch leaves to others is a warm rebuild: ${name} (${target.name})`, async () => {
      const program = createProgram(target, more)
      await rebuild(program)
      let warm = 0
      for (const [file, source, printed] of EDITS) {
        put(program, file, source)
        const { mode, reason } = await rebuild(program)
        if (mode === 'warm') warm++
        else assert.equal(mode, 'patch', `${source}\n${reason}`)
        assert.equal(run(program), printed, source)
      }
      assert.ok(warm >= EDITS.length - 2, `${warm} of ${EDITS.length}`)
      await program.session.dispose()
    })

  test(`inputs that come and go are warm rebuilds (${target.name})`, async () => {
    const program = createProgram(target)
    await rebuild(program)
    const strong = put(program, 'strong', 'int shared(int x) { return x * 1000; }')
    assert.equal((await program.session.rebuild({ added: [strong] })).mode, 'warm')
    assert.equal(run(program), '1001 1002 1003')
    assert.equal((await program.session.rebuild({ removed: [strong] })).mode, 'warm')
    assert.equal(run(program), '11 12 13')
    const [main, one, two, three, system] = program.options.inputs
    assert.equal((await rebuild(program, { options: { inputs: [three, two, one, main, system] } })).mode, 'warm')
    assert.equal(run(program), '101 102 103')
    const contents = readFileSync(strong)
    assert.equal((await program.session.rebuild({ added: [{ path: 'memory.o', contents }] })).mode, 'warm')
    assert.equal(run(program), '1001 1002 1003')
    const other = readFileSync(
      put(program, 'strong', 'int shared(int x) { return x * 8; } int more(void) { return 1; }'),
    )
    const { mode } = await program.session.rebuild({ changed: [{ path: 'memory.o', contents: other }] })
    assert.notEqual(mode, 'full')
    assert.equal(run(program), '9 10 11')
    await program.session.dispose()
  })

  test(`of archives only those that changed are read again (${target.name})`, async () => {
    const folder = tempFolder()
    const packed = join(folder, 'members.a')
    const pack = (members: Record<string, string>) =>
      copyFileSync(
        archive(
          'members.a',
          Object.entries(members).map(([name, source]) => compile(target.arch, source, { name })),
          'rcs',
        ),
        packed,
      )
    const both = { first: 'int first(int x) { return x * 3; }', second: 'int second(int x) { return x * 5; }' }
    pack(both)
    const program = createProgram(target, { inputs: [packed] })
    await rebuild(program)
    put(program, 'one', `int first(int); ${ONE.replace('+ 1', '+ first(x)')}`)
    assert.equal((await rebuild(program)).mode, 'warm')
    assert.equal(run(program), '13 12 13')
    put(program, 'one', `int first(int); int second(int); ${ONE.replace('+ 1', '+ first(x) + second(x)')}`)
    assert.equal((await rebuild(program)).mode, 'warm')
    assert.equal(run(program), '18 12 13')
    pack({ other: 'int unused;', ...both, second: 'int second(int x) { return x * 6; } int third(void) { return 1; }' })
    assert.equal((await rebuild(program)).mode, 'warm')
    assert.equal(run(program), '19 12 13')
    put(program, 'one', ONE)
    assert.equal((await rebuild(program)).mode, 'warm')
    assert.equal(run(program), '11 12 13')
    await program.session.dispose()
  })

  test(`shared names and merged strings are found anew in a warm rebuild (${target.name})`, async () => {
    const program = createProgram(target, { deduplicateSymbolStrings: true, tailMergeStrings: true })
    const saying = (words: string) => `static int own = 1; int printf(const char *, ...);
      int shared(int); int one(int x) { own++; printf("${words}, "); printf("words, "); return shared(x) + own; }`
    put(program, 'one', saying('some words'))
    await rebuild(program)
    assert.equal(run(program), 'some words, words, 12 12 13')
    for (const words of ['more words', 'a', 'some words']) {
      put(program, 'one', saying(words))
      assert.equal((await rebuild(program)).mode, 'warm')
      assert.equal(run(program), `${words}, words, 12 12 13`)
      await isFresh(program)
    }
    await program.session.dispose()
  })
})

const EDITS: readonly [file: string, source: string, printed: string][] = [
  ['one', 'int shared(int); int pool; int one(int x) { return shared(x) + 1 + pool; }', '11 12 13'],
  ['two', `__attribute__((common)) int pool; ${TWO.replace('+ 2', '+ 2 + pool')}`, '11 12 13'],
  [
    'one',
    'int shared(int); __attribute__((common)) int tentative, other[8]; int one(int x) { return shared(x) + tentative + 4; }',
    '14 12 13',
  ],
  [
    'two',
    `__attribute__((common)) int other[16], tentative; ${TWO.replace('+ 2', '+ 2 + tentative + other[3]')}`,
    '14 12 13',
  ],
  ['one', 'int shared(int); extern int other[]; int one(int x) { return shared(x) + other[9] + 6; }', '16 12 13'],
  [
    'one',
    '__attribute__((section("__DATA,__mine"))) int own = 5; int shared(int); int one(int x) { return own; }',
    '5 12 13',
  ],
  ['one', 'int shared(int); double scale = 1; int one(int x) { return (int)(scale * 2.5 * x) + 1; }', '3 12 13'],
  ['one', 'int shared(int); double scale = 1; int one(int x) { return (int)(scale * 6.75 * x) + 1; }', '7 12 13'],
  ['one', `${ONE} static int set; __attribute__((constructor)) static void begin(void) { set = 1; }`, '11 12 13'],
  ['one', ONE, '11 12 13'],
  ['three', THREE.replace('__attribute__((weak)) ', ''), '101 102 103'],
]
