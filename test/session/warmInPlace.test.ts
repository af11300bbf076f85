// Warm rebuilds whose objects keep their rows: columns are taken as they are, and only what a changed object has to do with is looked at.
import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, createNodeHost } from '../../src/node.ts'
import type { LinkOptions, RebuildResult } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { forEachTarget, targetOptions, type Target } from '../helpers/targets.ts'

const MAIN = `
  int printf(const char *, ...);
  int one(int); int two(int); const char *word(void);
  int main(int argc, char **argv) { printf("%d %d %s\\n", one(argc), two(argc), word()); return 0; }
`
const ONE = 'int shared(int); int one(int x) { return shared(x) + 1; } const char *same(void) { return "a word"; }'
const WEAK = '__attribute__((weak)) int shared(int x) { return x * 10; }'
const TWO = `${WEAK} int two(int x) { return shared(x) + 2; }`
/** More code than the room that small files share. */
const OUTGROWS = 'int more(void) { __asm__ volatile(".space 16384"); return 1; }'
const THREE = `${WEAK} const char *word(void) { return "a word"; }`

function createProgram(target: Target, more: Partial<LinkOptions> = {}) {
  const folder = tempFolder()
  const names = ['main', 'one', 'two', 'three']
  const output = join(folder, 'out')
  const inputs = [...names.map((name) => ({ path: join(folder, `${name}.o`) })), { path: libSystem }]
  const session = context({ ...targetOptions(target), inputs, output, checkPatches: true, ...more })
  const put = (name: string, source: string): void =>
    copyFileSync(compile(target.arch, source, { name }), join(folder, `${name}.o`))
  for (const [i, source] of [MAIN, ONE, TWO, THREE].entries()) put(names[i], source)
  const run = (): string => runImage(target, output).stdout.trim()
  const warm = async (name: string, source: string, printed: string): Promise<RebuildResult> => {
    put(name, source)
    const result = await session.rebuild()
    assert.equal(result.mode, 'warm', result.reason)
    assert.equal(run(), printed)
    return result
  }
  return { session, warm, inputs, put, run }
}

function count({ timings }: RebuildResult, system: string, counter: 'rows' | 'hashed'): number {
  return timings.find((line) => line.system === system)![counter]
}

forEachTarget((target) => {
  test(`only the names and literals of what has changed are looked at in a warm rebuild (${target.name})`, async () => {
    const { session, warm } = createProgram(target)
    const full = await session.rebuild()
    assert.ok(count(full, 'fold', 'hashed') > 0)
    const strong = await warm('two', TWO.replace(WEAK, WEAK.replace('__attribute__((weak))', '')), '11 12 a word')
    assert.ok(count(strong, 'resolve', 'rows') < count(full, 'resolve', 'rows') / 2)
    assert.equal(count(strong, 'fold', 'hashed'), 0)
    await warm('two', TWO, '11 12 a word')
    await session.dispose()
  })

  test(`names that come and go, and win and lose, are found in turns of patches and warm rebuilds (${target.name})`, async () => {
    const { session, warm } = createProgram(target)
    await session.rebuild()
    await warm('one', `${ONE} int pool; int *at(void) { return &pool; }`, '11 12 a word')
    await warm('two', `${TWO} __attribute__((common)) int pool, more;`, '11 12 a word')
    await warm('one', ONE, '11 12 a word')
    await warm('two', TWO, '11 12 a word')
    await warm('three', THREE.replace('__attribute__((weak)) ', '').replace('* 10', '* 7'), '8 9 a word')
    await warm('three', THREE, '11 12 a word')
    await session.dispose()
  })

  test(`an object that nobody wants as a member defines nothing in a warm rebuild (${target.name})`, async () => {
    const { session, warm, inputs, put, run } = createProgram(target)
    put('main', MAIN.replace('word()', '"none"'))
    await session.rebuild()
    await warm('three', THREE.replace('__attribute__((weak)) ', '').replace('* 10', '* 3'), '4 5 none')
    const lazy = inputs.map((input) => (input.path.endsWith('three.o') ? { ...input, lazy: true } : input))
    const { mode, reason } = await session.rebuild({ options: { inputs: lazy } })
    assert.deepEqual([mode, run()], ['warm', '11 12 none'], reason)
    await session.dispose()
  })

  test(`literals that patches have brought, taken and shared lead as in a fresh link (${target.name})`, async () => {
    const { session, warm, put } = createProgram(target)
    const says = (...words: string[]): string =>
      `const char *same(void) { return "a word"; } int shared(int); int puts(const char *);
       int one(int x) { if (x > 1) { ${words.map((word) => `puts("${word}");`).join(' ')} } return shared(x) + 1; }`
    const strong = (source: string): string => source.replace('__attribute__((weak)) ', '')
    const three = THREE.replace('"a word"', 'x() ? "b word" : "c word"').replace(
      'const char *word',
      'int x(void) { return 1; } const char *word',
    )
    put('one', says('b word'))
    await session.rebuild()
    for (const words of [['c word', 'b word'], ['d word'], ['c word', 'd word', 'a word'], ['b word', 'c word']]) {
      put('one', says(...words))
      await session.rebuild()
      const other = await warm('two', strong(TWO), '11 12 a word')
      assert.equal(count(other, 'fold', 'hashed') === 0, true, words.join())
      await warm('two', TWO, '11 12 a word')
    }
    await warm('three', strong(three), '11 12 b word')
    for (const words of [['c word'], ['b word', 'x'], ['a word', 'b word', 'c word']]) {
      put('one', says(...words))
      await session.rebuild()
      await warm('two', `${TWO} ${OUTGROWS}`, '11 12 b word')
      await warm('two', TWO, '11 12 b word')
    }
    await session.dispose()
  })

  test(`the workers of a session stay for its next links (${target.name})`, async () => {
    const host = createNodeHost()
    let [running, started] = [0, 0]
    const startWorker: typeof host.startWorker = (events) => {
      const worker = host.startWorker!(events)
      running++
      started++
      const stop = () => {
        running--
        worker.stop()
      }
      return { ...worker, stop }
    }
    const threads = { threads: 2, threadsFrom: 1, host: { ...host, startWorker } }
    const { session, warm, put } = createProgram(target, threads)
    await session.rebuild()
    await warm('three', THREE.replace('__attribute__((weak)) ', ''), '11 12 a word')
    await warm('three', THREE, '11 12 a word')
    assert.equal(running, 1)
    put('three', THREE.replace('word(void)', 'other(void)'))
    await assert.rejects(session.rebuild())
    put('three', THREE)
    assert.equal((await session.rebuild()).mode, 'warm')
    await warm('three', THREE.replace('__attribute__((weak)) ', ''), '11 12 a word')
    assert.equal(running, 1)
    await session.dispose()
    assert.equal(running, 0)
    // One until a link has failed, one from then on, and one for each check of what a warm rebuild has written.
    assert.equal(started, 2 + 4)
  })

  test(`literals of a changed object are folded anew in a warm rebuild (${target.name})`, async () => {
    const { session, warm } = createProgram(target)
    await session.rebuild()
    const strong = THREE.replace('__attribute__((weak)) ', '')
    const other = await warm('three', strong.replace('a word', 'b word'), '11 12 b word')
    assert.ok(count(other, 'fold', 'hashed') > 0)
    await warm('three', THREE, '11 12 a word')
    await session.dispose()
  })
})
