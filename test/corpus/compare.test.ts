import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { compareImages } from '../compare/compareImages.ts'
import { describeDifferences } from '../compare/describeDifferences.ts'
import { exceptions } from '../compare/exceptions.ts'
import { archive, compile, type Language } from '../helpers/clang.ts'
import { lld } from '../helpers/lld.ts'
import { libcxx, libSystem, root, tempFolder } from '../helpers/paths.ts'
import { type Arch, archs } from '../helpers/targets.ts'
import { linkBoth } from './linkBoth.ts'

// Programs of the project's own, linked by ld64.lld-22 and by us: all that the images say is the same, but for the
// exceptions; and each exception is met by some image, so that none outlives its reason.

const fixtures = join(root, 'test/fixtures')

const OUTPUTS: Record<string, readonly string[]> = {
  executable: [],
  dylib: [
    '-dylib',
    '-install_name',
    '@rpath/libProgram.dylib',
    '-current_version',
    '2.3',
    '-compatibility_version',
    '1.1',
  ],
  bundle: ['-bundle'],
}

const OPTIONS: Record<string, readonly string[]> = {
  'as it comes': [],
  'without dead code': ['-dead_strip'],
}

function compileFixture(arch: Arch, file: string, flags: readonly string[]): string {
  const language: Language = file.endsWith('.cpp') ? 'c++' : file.endsWith('.s') ? 'asm' : 'c'
  const common = language === 'c' ? ['-fcommon'] : language === 'c++' ? ['-I', fixtures] : []
  const source = readFileSync(join(fixtures, file), 'utf8')
  return compile(arch, source, { language, flags: [...common, ...flags], name: basename(file).replace(/\..*/, '') })
}

function makeDylib(arch: Arch): string {
  const output = join(tempFolder(), 'libFixture.dylib')
  const target = [
    '-arch',
    arch,
    '-platform_version',
    'macos',
    '13.0',
    '13.0',
    '-dylib',
    '-install_name',
    '@rpath/libFixture.dylib',
  ]
  const { status, stderr } = lld([...target, compileFixture(arch, 'library.c', []), libSystem, '-o', output])
  assert.equal(status, 0, stderr)
  return output
}

interface Program {
  inputs: string[]
  libraries: string[]
}

function makeProgram(arch: Arch): Program {
  const sources = ['main.c', 'tables.c', 'data.c', 'shapes.cpp', 'others.cpp', `odd-${arch}.s`]
  const debug = ['data.c', 'others.cpp']
  const objects = sources.map((file) => compileFixture(arch, file, debug.includes(file) ? ['-g'] : []))
  const members = ['memberC.c', 'memberA.c', 'memberB.c', 'memberD.c', 'memberE.c'].map((file) =>
    compileFixture(arch, file, ['-g']),
  )
  return { inputs: [...objects, archive('libmembers.a', members)], libraries: [makeDylib(arch), libSystem, libcxx] }
}

describe('a program linked by ld64.lld and by us', () => {
  const met = new Set<string>()

  for (const arch of archs) {
    let program: Program | undefined
    for (const form of ['-fixup_chains', '-no_fixup_chains']) {
      for (const [output, asOutput] of Object.entries(OUTPUTS)) {
        for (const [how, options] of Object.entries(OPTIONS)) {
          test(`is the same ${output} ${how} (${arch}, ${form})`, () => {
            program ??= makeProgram(arch)
            const target = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', '-U', '_missing', form]
            const args = [...target, ...asOutput, ...options, ...program.inputs, ...program.libraries]
            const { ours, theirs } = linkBoth(args, tempFolder())
            const inputs = program.inputs.map((name) => ({ name, bytes: readFileSync(name) }))
            const { differences, excepted, compared } = compareImages(ours, theirs, { inputs })
            assert.equal(describeDifferences(differences, 5).join('\n'), '')
            for (const kind of [
              'bytes',
              'field',
              'fixup',
              'export',
              'unwind',
              'symbol',
              'stabs',
              'literal',
              'relaxation',
            ])
              assert.ok(compared[kind]! > 0, `compared no ${kind}`)
            for (const id of Object.keys(excepted)) met.add(id)
          })
        }
      }
    }
  }

  after(() => {
    assert.deepEqual([...met].sort(), exceptions.map((exception) => exception.id).sort())
  })
})
