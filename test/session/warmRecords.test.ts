import assert from 'node:assert/strict'
import { copyFileSync, truncateSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { context, createNodeHost } from '../../src/node.ts'
import type { LinkOptions, RebuildResult } from '../../src/types.ts'
import { archive, compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { archs, createTarget, MACOS_13 } from '../helpers/targets.ts'

const WEAK = '__attribute__((weak)) int which(void) { return 1; }'
const strong = (value: number) => `int which(void) { return ${value}; }`

for (const arch of archs) {
  const target = createTarget(arch, 'chained')

  const createProgram = (more: Partial<LinkOptions> & { inputs: LinkOptions['inputs'] }) => {
    const folder = tempFolder()
    const put = (name: string, source: string) => {
      const path = join(folder, `${name}.o`)
      copyFileSync(compile(arch, source, { name }), path)
      return path
    }
    put(
      'main',
      'int printf(const char *, ...); int which(void), last(void); int main(void) { printf("%d %d\\n", which(), last()); }',
    )
    put('weak', WEAK)
    put('strong', 'int strong(void) { return 0; }')
    const options: LinkOptions & { output: string } = { arch, platform: MACOS_13, ...more, output: join(folder, 'out') }
    options.inputs = [...['main', 'weak', 'strong'].map((name) => join(folder, `${name}.o`)), ...more.inputs, libSystem]
    return { put, folder, session: context(options), run: () => runImage(target, options.output).stdout.trim() }
  }

  test(`an archive that changes while a warm rebuild begins is read by the next one (${arch})`, async () => {
    const library = tempFolder()
    const packed = join(library, 'liblast.a')
    // Long ago: only what was written just now is compared by its contents.
    const pack = (value: number) => {
      const source = `int last(void) { return ${value}; }`
      copyFileSync(archive('liblast.a', [compile(arch, source, { name: 'last' })], 'rcs'), packed)
      utimesSync(packed, 1e9 + value, 1e9 + value)
    }
    pack(3)
    // Two looks at what has changed, and then the survey's.
    let left = -1
    const node = createNodeHost()
    const stat: Host['stat'] = (path) => {
      if (path === packed && --left === 0) pack(400)
      return node.stat(path)
    }
    const host = { ...node, stat }
    const { put, run, session } = createProgram({ host, libraryPaths: [library], inputs: [{ library: 'last' }] })
    await session.rebuild()
    assert.equal(run(), '1 3')
    put('strong', strong(2))
    left = 3
    assert.equal((await session.rebuild()).mode, 'warm')
    assert.ok(left <= 0)
    assert.match(run(), /^2 (3|400)$/)
    await session.rebuild()
    assert.equal(run(), '2 400')
    await session.dispose()
  })

  test(`after a warm rebuild that failed, a watched session sees all files (${arch})`, {
    timeout: 60_000,
  }, async () => {
    const { put, run, session } = createProgram({ inputs: [] })
    put('weak', `int last(void) { return 3; } ${WEAK}`)
    const reports: [RebuildResult | null, unknown][] = []
    let wake = () => {}
    const next = async () => {
      while (reports.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return reports.shift()!
    }
    await session.rebuild()
    const onRebuild = (...report: [RebuildResult | null, unknown]) => {
      reports.push(report)
      wake()
    }
    await session.watch({ interval: 50, delay: 20, onRebuild })
    put('strong', 'int more(void); int which(void) { return more(); }')
    let [, failure] = await next()
    while (!/undefined symbol: _?more/i.test(String(failure))) [, failure] = await next()
    put('weak', `int more(void) { return 7; } int last(void) { return 3; } ${WEAK}`)
    let [result] = await next()
    while (result === null) [result] = await next()
    assert.equal(run(), '7 3')
    await session.dispose()
  })

  test(`large members of thin archives are not taken for waste (${arch})`, async () => {
    const library = tempFolder()
    const packed = join(library, 'liblast.a')
    const members = ['last', 'large'].map((name) => {
      const path = join(library, `${name}.o`)
      copyFileSync(compile(arch, `int ${name}(void) { return 3; }`, { name }), path)
      return path
    })
    truncateSync(members[1], 36 << 20)
    mustRun('llvm-ar-22', ['--format=gnu', 'rcsT', packed, ...members])
    const { put, run, session } = createProgram({ checkPatches: true, inputs: [packed] })
    await session.rebuild()
    put('strong', strong(2))
    assert.equal((await session.rebuild()).mode, 'warm')
    assert.equal(run(), '2 3')
    await session.dispose()
  })

  test(`warm rebuilds leave patches room for names (${arch})`, async () => {
    const { put, run, session } = createProgram({ checkPatches: true, inputs: [] })
    const last = (name: string) => `int ${name}(void) { return 3; } int last(void) { return ${name}(); }`
    put('weak', `${last('first')} ${WEAK}`)
    await session.rebuild()
    for (let step = 0; step < 4; step++) {
      const room = `static const char room[100000] = { ${step + 1} }; __attribute__((used)) static const char *p = room;`
      put('strong', `${step % 2 === 0 ? strong(2) : 'int strong(void) { return 0; }'} ${room}`)
      assert.equal((await session.rebuild()).mode, 'warm')
    }
    put('weak', `${last('second')} ${WEAK}`)
    const { mode, reason } = await session.rebuild()
    assert.equal(mode, 'patch', reason)
    assert.equal(run(), '1 3')
    await session.dispose()
  })
}
