import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { makeSynthetic } from '../../bench/synthetic.ts'
import { type SyntheticOptions, syntheticObjects } from '../../bench/synthetic/program.ts'
import { mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { archs, forEachTarget } from '../helpers/targets.ts'

function digestOf(options: SyntheticOptions): string {
  const hash = createHash('sha256')
  for (const { name, bytes } of syntheticObjects(options)) hash.update(name).update(bytes)
  return hash.digest('hex')
}

describe('the synthetic program', () => {
  for (const arch of archs) {
    it(`has the same bytes for the same seed, others for another (${arch})`, () => {
      const options = { arch, objects: 3, functions: 12, seed: 7 }
      assert.equal(digestOf(options), digestOf(options))
      assert.notEqual(digestOf(options), digestOf({ ...options, seed: 8 }))
    })

    it(`has what clang writes: weak copies, local labels, imports, unwind entries (${arch})`, () => {
      const { inputs } = makeSynthetic({ arch, objects: 20, functions: 20 }, tempFolder())
      const symbols = mustRun('llvm-nm-22', ['-m', ...inputs])
      for (const wanted of [
        /weak external __ZN5bench6sharedILi/,
        /non-external/,
        /private external/,
        /undefined.* _abs/,
      ])
        assert.match(symbols, wanted)
      const headers = mustRun('llvm-objdump-22', ['-r', '--private-headers', inputs[1]])
      for (const wanted of [/SUBSECTIONS_VIA_SYMBOLS/, /__compact_unwind/, /__cstring/, /__bss/, /GOT_LOAD/])
        assert.match(headers, wanted)
    })
  }

  it('refuses counts that its names have no room for', () => {
    assert.throws(() => syntheticObjects({ arch: 'arm64', objects: 0, functions: 40 }).next(), RangeError)
    assert.throws(() => syntheticObjects({ arch: 'arm64', objects: 1, functions: 10000 }).next(), RangeError)
  })

  forEachTarget((target) => {
    it(`prints the checksum that the generator says when the peer links it (${target.name})`, () => {
      const folder = tempFolder()
      const { response, expected } = makeSynthetic({ arch: target.arch, objects: 50, functions: 40 }, folder)
      const image = join(folder, 'out')
      const { status, stderr } = lld([...target.flags, `@${response}`, '-o', image])
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
      verifyImage(target, image)
      assert.equal(runImage(target, image).stdout, `${expected}\n`)
    })
  })
})
