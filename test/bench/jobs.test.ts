import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { archives, jobOptions, jobs, type LinkJob, program, sdk, strings } from '../../bench/jobs.ts'
import { definedNames } from '../../bench/synthetic/archive.ts'
import { type SyntheticOptions, syntheticObjects } from '../../bench/synthetic/program.ts'
import { link, verify } from '../../src/node.ts'
import { mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { tempFolder } from '../helpers/paths.ts'
import { archs } from '../helpers/targets.ts'

const MAKERS: Readonly<Record<string, (arch: LinkJob['arch'], cache: string) => LinkJob>> = {
  hello: jobs.hello,
  archives: (arch, cache) => archives(arch, cache, { members: 30, spare: 40 }),
  stubs: (arch, cache) => sdk(arch, cache, { libraries: 4, symbols: 100 }),
  strings: (arch, cache) => strings(arch, cache, 5, 40),
  'debug map': program({ objects: 5, functions: 12, debug: true }),
}

describe('the links that are timed', () => {
  for (const [name, make] of Object.entries(MAKERS))
    for (const arch of archs)
      it(`are taken by the peer and by us, without a warning (${name}, ${arch})`, async () => {
        const job = make(arch, tempFolder())
        const output = join(tempFolder(), 'out')
        const { status, stderr } = lld([`@${job.response}`, '-o', output])
        assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
        const { outputFiles, warnings } = await link({ ...jobOptions(job), write: false })
        assert.deepEqual(warnings, [])
        assert.deepEqual(
          verify(outputFiles[0].contents).filter(({ severity }) => severity === 'error'),
          [],
        )
        const names = (path: string) => mustRun('llvm-nm-22', ['-gUj', path]).split('\n').sort()
        const ours = join(tempFolder(), 'ours')
        writeFileSync(ours, outputFiles[0].contents)
        assert.deepEqual(names(ours), names(output))
      })

  it('leave spare members of archives out and take stubs that are passed on', () => {
    const folder = tempFolder()
    const output = join(folder, 'out')
    lld([`@${MAKERS.archives('arm64', folder).response}`, '-o', output])
    const names = mustRun('llvm-nm-22', ['-gUj', output])
    assert.match(names, /__ZN5bench6u00029/)
    assert.doesNotMatch(names, /__ZN5spare/)
    lld([`@${MAKERS.stubs('arm64', folder).response}`, '-o', output])
    assert.match(mustRun('llvm-objdump-22', ['--macho', '--dyld-info', output]), /libsdk.* _sdk_003_operation_/)
  })

  it('have a debug map where they should', () => {
    const folder = tempFolder()
    const output = join(folder, 'out')
    lld([`@${MAKERS['debug map']('x86_64', folder).response}`, '-o', output])
    const stabs = mustRun('llvm-nm-22', ['-ap', output])
    assert.equal([...stabs.matchAll(/ OSO .*\/u0000\d\.o/g)].length, 5)
    assert.match(stabs, / SO \/src\/bench\/u00000\.cpp/)
  })

  it('find their inputs where they were made before', () => {
    const cache = tempFolder()
    const { inputs } = MAKERS.strings('arm64', cache)
    const before = readFileSync(inputs[0])
    writeFileSync(inputs[0], 'kept')
    assert.deepEqual(MAKERS.strings('arm64', cache).inputs, inputs)
    assert.equal(readFileSync(inputs[0], 'utf8'), 'kept')
    assert.ok(before.length > 4)
  })
})

describe('programs of two namespaces', () => {
  it('share no name', () => {
    const options: SyntheticOptions = { arch: 'arm64', objects: 3, functions: 12 }
    const names = (more: Partial<SyntheticOptions>) =>
      [...syntheticObjects({ ...options, ...more })].flatMap(({ bytes }) => definedNames(bytes))
    const [bench, spare] = [new Set(names({})), names({ space: 'spare' })]
    assert.ok(bench.size > 50 && spare.length >= bench.size)
    assert.deepEqual(
      spare.filter((name) => bench.has(name)),
      [],
    )
  })
})
