import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { link } from '../../src/node.ts'
import { RUNTIME } from '../objectiveC/objects.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, type Target } from '../helpers/targets.ts'

const strings = (align: number): string => `.subsections_via_symbols
.globl _main, _list
.text
_main: ret
.cstring
.p2align 2
Lfirst: .asciz "an odd size"
.p2align ${align}
Llong: .asciz "a rather long text"
.p2align ${align}
Lless: .asciz "rather long text"
.p2align ${align}
Ltext: .asciz "long text"
.p2align ${align}
Lend: .asciz "text"
Lempty: .asciz ""
Lhigh: .asciz "\\377text"
.section __TEXT,__objc_methname,cstring_literals
Lwith: .asciz "with:error:"
Lerror: .asciz "error:"
.data
.p2align 3
_list: .quad Lfirst, Llong, Lless, Ltext, Lend, Lempty, Lhigh, Lwith, Lerror
`

const OTHERS = `.subsections_via_symbols
.globl _others, _more
.text
_more: ret
.cstring
Lsame: .asciz "long text"
Lx: .asciz "xt"
Lend: .asciz "end"
Lapart: .asciz "apart"
Lbend: .asciz "bend"
Lsize: .asciz "size"
.section __TEXT,__objc_methname,cstring_literals
Lr: .asciz "r:"
.data
.p2align 3
_others: .quad Lsame, Lx, Lend, Lapart, Lbend, Lsize, Lr
`

const SECTIONS = ['__TEXT,__cstring', '__TEXT,__objc_methname']

/** Addresses and contents of the strings, then where the pointers in __data lead. */
function listing(image: string): string {
  return [
    ...SECTIONS.map((section) => mustRun('llvm-objdump-22', ['--macho', `--section=${section}`, image])),
    mustRun('llvm-objdump-22', ['--macho', '--section=__DATA,__data', image]),
  ]
    .map((text) => text.replace(/^.*:\n/, ''))
    .join('\n')
}

function linkBoth(target: Target, args: readonly string[]): [string, string] {
  const theirs = join(tempFolder(), 'out')
  const { status, stderr } = lld([...target.flags, '-o', theirs, ...args, libSystem])
  assert.deepEqual([status, stderr], [0, ''])
  return [linkFor(target, args), theirs]
}

function sizeOf(image: string, section: string): number {
  const found = new RegExp(`^ +\\d+ ${section} +([0-9a-f]{8}) `, 'm').exec(
    mustRun('llvm-objdump-22', ['--section-headers', image]),
  )
  return Number.parseInt(found![1], 16)
}

forEachTarget((target) => {
  for (const align of [0, 1, 2]) {
    test(`strings lie within those that end in them, as ld64.lld has it, aligned to ${2 ** align} (${target.name})`, () => {
      const objects = [assemble(target.arch, strings(align)), assemble(target.arch, OTHERS)]
      for (const flags of [[], ['--no-deduplicate-strings'], ['--separate-cstring-literal-sections']]) {
        const [ours, theirs] = linkBoth(target, ['--tail-merge-strings', ...flags, ...objects])
        assert.equal(listing(ours), listing(theirs))
        verifyImage(target, ours)
        if (flags.length > 0) continue
        const apart = linkFor(target, ['--tail-merge-strings', '--no-tail-merge-strings', ...objects])
        assert.ok(sizeOf(ours, '__cstring') < sizeOf(apart, '__cstring'))
        assert.equal(sizeOf(ours, '__objc_methname'), 'with:error:.'.length)
        assert.equal(sizeOf(apart, '__objc_methname'), 'with:error:.error:.r:.'.length)
      }
    })
  }

  test(`a program reads its strings where they have been merged (${target.name})`, () => {
    const source = `
      int puts(const char *);
      int main(void) { puts("a long way home"); puts("way home"); puts("home"); puts("e"); return 0; }`
    for (const layout of ['tight', 'padded'])
      for (const flags of [[], ['-dead_strip']]) {
        const image = linkFor(target, [
          '--tail-merge-strings',
          `--layout=${layout}`,
          ...flags,
          compile(target.arch, source),
        ])
        verifyImage(target, image)
        assert.equal(sizeOf(image, '__cstring'), 'a long way home.'.length)
        assert.equal(runImage(target, image).stdout, 'a long way home\nway home\nhome\ne\n')
      }
  })

  test(`selectors that the linker adds lie within others (${target.name})`, () => {
    const call = (selector: string) => `${target.arch === 'arm64' ? 'bl' : 'callq'} "_objc_msgSend$${selector}"\n`
    const selectors = ['error:', 'with:bar:', 'bar:', 'r:', 'other']
    const source = `.globl _main\n_main:\n${selectors.map(call).join('')}ret
.section __TEXT,__objc_methname,cstring_literals
.asciz "do:error:"
`
    const image = linkFor(target, [
      '--tail-merge-strings',
      assemble(target.arch, source),
      assemble(target.arch, RUNTIME),
    ])
    verifyImage(target, image)
    assert.equal(sizeOf(image, '__objc_methname'), 'do:error:.with:bar:.other.'.length)
    assert.equal(sizeOf(image, '__objc_selrefs'), selectors.length * 8)
  })
})

test('map and metafile count the bytes of merged strings once', async () => {
  const target = createTarget('arm64', 'chained')
  const objects = [assemble('arm64', strings(0)), assemble('arm64', OTHERS)]
  const folder = tempFolder()
  const map = join(folder, 'map')
  const { status } = colonnade([
    ...target.flags,
    '--tail-merge-strings',
    ...objects,
    '-map',
    map,
    '-o',
    join(folder, 'out'),
  ])
  assert.equal(status, 0)
  const reference = join(folder, 'theirs')
  lld([...target.flags, '--tail-merge-strings', ...objects, '-map', reference, '-o', join(folder, 'lld')])
  const literals = (path: string) => mustRun('grep', ['literal string', path])
  assert.equal(literals(map), literals(reference))
  const bytes = async (tailMergeStrings: boolean): Promise<number> => {
    const { metafile } = await link({
      inputs: [...objects, libSystem],
      arch: 'arm64',
      platform: { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 },
      output: join(folder, 'counted'),
      metafile: true,
      tailMergeStrings,
    })
    const [{ inputs }] = Object.values(metafile!.outputs)
    return Object.values(inputs).reduce((sum, { bytesInOutput }) => sum + bytesInOutput, 0)
  }
  // `long text` happens to lie at a multiple of 4 in its object, and keeps that.
  const merged = ['rather long text', 'text', '', 'xt', 'end', 'size', 'error:', 'r:']
  assert.equal(
    (await bytes(false)) - (await bytes(true)),
    merged.reduce((sum, text) => sum + text.length + 1, 0),
  )
})
