import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import type { LinkOptions, RebuildResult } from '../../src/types.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, targetOptions, type Target } from '../helpers/targets.ts'

const MAIN = `
  int printf(const char *, ...); int first(int); int second(int); int third(int); int many(int);
  int main(int argc, char **argv) { printf("%d %d %d %d\\n", first(argc), second(argc), third(argc), many(argc)); return 0; }
`
const FIRST = '__attribute__((weak)) int shared(int x) { return x * 10; } int first(int x) { return shared(x); }'
const SECOND = '__attribute__((weak)) int shared(int x) { return x * 100; } int second(int x) { return shared(x) + 1; }'
/** Calls what no edit moves. */
const THIRD = 'int helped(int); int third(int x) { return helped(x) + 2; }'
const HELPED = 'extern int table[]; int helped(int x) { return x + 1000 + table[1]; } int table[] = {1, 2, 3};'
/** So much code that what is taken over can be told by the bytes written. */
const CODE = 'asm volatile(".rept 1000\\nnop\\n.endr");'
const MANY = `int helped(int); int many(int x) { ${CODE} return helped(x) & 1; }`

const SOURCES: readonly (readonly [string, string])[] = [
  ['main', MAIN],
  ['many', MANY],
  ['third', THIRD],
  ['helped', HELPED],
  ['first', FIRST],
  ['second', SECOND],
]

function createProgram(target: Target, more: Partial<LinkOptions> = {}) {
  const folder = tempFolder()
  const path = (name: string) => join(folder, `${name}.o`)
  const options = {
    ...targetOptions(target),
    output: join(folder, 'out'),
    checkPatches: true,
    ...more,
    inputs: [...SOURCES.map(([name]) => path(name)), libSystem],
  }
  const put = (name: string, source: string) => {
    const make = source.startsWith('.') ? assemble : compile
    copyFileSync(make(target.arch, source, { name }), path(name))
  }
  for (const [name, source] of SOURCES) put(name, source)
  const run = () => {
    verifyImage(target, options.output)
    return runImage(target, options.output).stdout.trim()
  }
  return { options, put, run, session: context(options) }
}

/** Bytes of code and data that relocate has copied. */
function copied({ timings }: RebuildResult): number {
  return timings.find(({ system }) => system === 'relocate')?.written ?? -1
}

const STRONG = SECOND.replace('__attribute__((weak))', '')

forEachTarget((target) => {
  for (const [name, more] of [
    ['plain', {}],
    ['with threads', { threads: 2, threadsFrom: 1 }],
    ['with -dead_strip', { deadStrip: true }],
    ['with identical code folded', { icf: 'all' }],
    ['with thunks', { branchReach: 4096 }],
  ] as const)
    test(`code that says the same is taken over with its image: ${name} (${target.name})`, async () => {
      const { options, put, run, session } = createProgram(target, more)
      const full = copied(await session.rebuild())
      const before = run()
      put('second', STRONG)
      const won = await session.rebuild()
      assert.equal(won.mode, 'warm', won.reason)
      // All that is left is what refers to the winner, and data.
      assert.ok(copied(won) < full / 2, `${copied(won)} of ${full}`)
      assert.match(run(), /^100 101 1005 /)
      put('second', SECOND)
      const lost = await session.rebuild()
      assert.ok(copied(lost) < full / 2, `${copied(lost)} of ${full}`)
      assert.equal(run(), before)
      const { outputFiles } = await link({ ...options, layout: 'padded', write: false })
      assert.ok(readFileSync(options.output).equals(outputFiles[0].contents))
      await session.dispose()
    })

  test(`nothing is taken over of code that has moved or refers to what has (${target.name})`, async () => {
    const { put, run, session } = createProgram(target)
    const full = copied(await session.rebuild())
    // The object before all others outgrows its region: everything behind moves.
    put('main', `${MAIN} int unused(int x) { ${CODE} ${CODE} return x; }`)
    put('second', STRONG)
    const moved = await session.rebuild()
    assert.equal(moved.mode, 'warm', moved.reason)
    assert.ok(copied(moved) >= full, `${copied(moved)} of ${full}`)
    assert.match(run(), /^100 101 1005 /)
    // What an untouched object refers to moves within its own file: the object itself does not.
    put(
      'helped',
      HELPED.replace(
        'int helped',
        '__attribute__((weak)) int shared(int x) { return x; } int before(int x) { return x * 7 + 3; } int helped',
      ),
    )
    put('second', SECOND)
    const { mode, reason } = await session.rebuild()
    assert.equal(mode, 'warm', reason)
    assert.match(run(), /^1 2 1005 /)
    await session.dispose()
  })

  test(`code that reads entries of the GOT is written anew when they change places (${target.name})`, async () => {
    // With a map there are no patches.
    const { put, run, session } = createProgram(target, { layout: 'tight', map: true })
    const reads = (name: string, ...symbols: string[]): string =>
      target.arch === 'x86_64'
        ? `.globl ${name}\n${name}:\nxorl %eax, %eax\n${symbols.map((symbol) => `cmpq ${symbol}@GOTPCREL(%rip), %rdi`).join('\n')}\nretq\n`
        : `.globl ${name}\n.p2align 2\n${name}:\nmov w0, #0\nret\n${symbols.map((symbol) => `.long ${symbol}@GOT - .`).join('\n')}\n`
    put('many', reads('_many', '_table', '_helped'))
    put('third', reads('_third', '_table'))
    const full = copied(await session.rebuild())
    for (const symbols of [
      ['_helped', '_table'],
      ['_table', '_helped'],
    ]) {
      put('many', reads('_many', ...symbols))
      const warm = await session.rebuild()
      assert.equal(warm.mode, 'warm', warm.reason)
      assert.ok(copied(warm) < full, `${copied(warm)} of ${full}`)
      assert.match(run(), /^10 11 0 0$/)
    }
    await session.dispose()
  })

  test(`patches between warm rebuilds are part of the image that is taken over (${target.name})`, async () => {
    const { put, run, session } = createProgram(target)
    const full = copied(await session.rebuild())
    for (let round = 0; round < 3; round++) {
      put('helped', HELPED.replace('1000', `${1001 + round}`))
      const patched = await session.rebuild()
      assert.equal(patched.mode, 'patch', patched.reason)
      put('second', round % 2 === 0 ? STRONG : SECOND)
      const warm = await session.rebuild()
      assert.equal(warm.mode, 'warm', warm.reason)
      assert.ok(copied(warm) < full / 2, `${copied(warm)} of ${full}`)
      assert.match(run(), new RegExp(`^${round % 2 === 0 ? '100 101' : '10 11'} ${1006 + round} `))
    }
    await session.dispose()
  })

  test(`calls of the system that come and go leave the code that is taken over right (${target.name})`, async () => {
    const { put, run, session } = createProgram(target)
    await session.rebuild()
    const calls = 'int puts(const char *); int abs(int); int getpid(void); int rand(void);'
    for (const [round, call] of [
      'abs(x)',
      'abs(x) + (x == 77 ? puts("") + getpid() : 0)',
      'abs(x) + (x > 99 ? rand() : 0)',
      'x',
    ].entries()) {
      put('third', `${calls} int helped(int); int third(int x) { return helped(${call}) + 2; }`)
      put('second', round % 2 === 0 ? STRONG : SECOND)
      const { mode, reason } = await session.rebuild()
      assert.equal(mode, 'warm', reason)
      assert.match(run(), round % 2 === 0 ? /^100 101 1005 / : /^10 11 1005 /)
    }
    await session.dispose()
  })
})
