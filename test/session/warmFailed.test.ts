import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, type LinkFailure, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { archive, compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'

const MAIN = `int printf(const char *, ...); int help(int); int part(int); int pool;
  int main(void) { printf("%d %d\\n", help(1), part(pool)); return 0; }`
const HELP = 'int help(int x) { return x + 10; }'

/** Objects `main` and `help`, of which others than the last are as they were, and an archive of `part`. */
function createProgram(target: Target, more: Partial<LinkOptions> = {}) {
  const folder = tempFolder()
  const path = (name: string) => join(folder, `${name}.o`)
  const put = (name: string, source: string) => copyFileSync(compile(target.arch, source, { name }), path(name))
  put('main', MAIN)
  put('help', HELP)
  const members = archive('part.a', [compile(target.arch, 'int part(int x) { return x + 30; }', { name: 'part' })])
  const inputs = [path('main'), path('help'), members, libSystem]
  const options = { ...targetOptions(target), ...more, inputs, output: join(folder, 'out') }
  const session = context(options)
  const fail = async (id: string) => {
    const before = readFileSync(options.output)
    const { errors } = await session.rebuild().then(
      ({ mode }) => assert.fail(`the link must fail, and was ${mode}`),
      (trouble: LinkFailure) => trouble,
    )
    assert.equal(errors[0].id, id)
    const fresh = await link({ layout: 'padded', ...options }).catch((trouble: LinkFailure) => trouble)
    assert.deepEqual(errors, fresh.errors)
    assert.deepEqual(readFileSync(options.output), before)
  }
  const mend = async (printed: string) => {
    const { mode, reason } = await session.rebuild()
    assert.deepEqual([mode, reason], ['warm', 'the last rebuild failed'])
    const { outputFiles } = await link({ layout: 'padded', ...options, write: false })
    assert.ok(readFileSync(options.output).equals(outputFiles[0].contents))
    verifyImage(target, options.output)
    assert.equal(runImage(target, options.output).stdout, `${printed}\n`)
  }
  return { path, put, session, fail, mend }
}

forEachTarget((target) => {
  for (const layout of ['padded', 'tight'] as const)
    test(`after a rebuild that failed nothing is read again but what has changed (${target.name}, ${layout})`, async () => {
      const { path, put, session, fail, mend } = createProgram(target, { layout })
      await session.rebuild()
      put('help', HELP.replace('x +', 'nowhere(x) +').replace('int', 'int nowhere(int); int'))
      await fail('undefined-symbol')
      await fail('undefined-symbol')
      put('help', HELP.replace('10', '20'))
      await mend('21 30')
      put('help', HELP.replace('10', '50'))
      assert.notEqual((await session.rebuild()).mode, 'full')
      put('main', `${MAIN} int help(int x) { return x; }`)
      await fail('duplicate-symbol')
      put('main', MAIN)
      await mend('51 30')
      writeFileSync(path('help'), 'no object')
      await fail('unknown-file-type')
      put('help', HELP)
      await mend('11 30')
      rmSync(path('help'))
      await fail('cannot-open')
      put('help', HELP.replace('10', '14'))
      await mend('15 30')
      assert.equal((await session.rebuild()).mode, 'noop')
      await session.dispose()
    })

  test(`a session that begins with a link that fails goes on with what that has read (${target.name})`, async () => {
    const { put, session, mend } = createProgram(target)
    put('help', 'int other;')
    await assert.rejects(session.rebuild(), { name: 'LinkFailure' })
    put('help', HELP)
    await mend('11 30')
    put('help', HELP.replace('10', '12'))
    assert.equal((await session.rebuild()).mode, 'patch')
    await session.dispose()
  })
})
