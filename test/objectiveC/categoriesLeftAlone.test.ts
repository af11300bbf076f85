import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'
import { sectionSizes, symbols } from './objects.ts'

const LIST = '.long 24, 1\n.quad l_name, l_types, _code'

interface Shape {
  lists?: readonly [string, string]
  /** Which list the second category has. */
  second?: string
  size?: number
  name?: string
  class?: string
  /** What the list of categories has. */
  listed?: string
}

const CATEGORY_SIZE = 64
const BOTH = '__OBJC_$_CATEGORY_Foo_$_One, __OBJC_$_CATEGORY_Foo_$_Two'
/** A class that takes its categories in. */
const CLASS = `l_foo: .long 128, 8, 8, 0
.quad 0, l_one, 0, 0, 0, 0, 0
l_meta: .long 129, 40, 40, 0
.quad 0, l_one, 0, 0, 0, 0, 0
.section __DATA,__objc_data
.p2align 3
_OBJC_METACLASS_$_Foo: .quad 0, 0, 0, 0, l_meta
.globl _OBJC_CLASS_$_Foo
_OBJC_CLASS_$_Foo: .quad _OBJC_METACLASS_$_Foo, 0, 0, 0, l_foo
`

/** Two categories of one class. */
function source(shape: Shape): string {
  const { lists = [LIST, LIST], second = 'Two', size = 64, name = 'l_two', class: more = '', listed = BOTH } = shape
  const category = (label: string, text: string, list: string) => `.p2align 3
__OBJC_$_CATEGORY_Foo_$_${label}: .quad ${text}, _OBJC_CLASS_$_Foo, __OBJC_$_CATEGORY_INSTANCE_METHODS_Foo_$_${list}
.quad 0, 0, 0, 0
.long ${size}, 0`
  return `_code: ret
.section __TEXT,__objc_classname,cstring_literals
l_one: .asciz "One"
l_two: .asciz "Two"
l_long: .asciz "${'x'.repeat(5000)}"
.section __TEXT,__objc_methname,cstring_literals
l_name: .asciz "name"
.section __TEXT,__objc_methtype,cstring_literals
l_types: .asciz "v16@0:8"
.section __DATA,__objc_const
.p2align 3
__OBJC_$_CATEGORY_INSTANCE_METHODS_Foo_$_One: ${lists[0]}
.p2align 3
__OBJC_$_CATEGORY_INSTANCE_METHODS_Foo_$_Two: ${lists[1]}
${category('One', 'l_one', 'One')}
${category('Two', name, second)}
${more}
.section __DATA,__objc_catlist,regular,no_dead_strip
.p2align 3
l_OBJC_LABEL_CATEGORY_$: .quad ${listed}
.subsections_via_symbols
`
}

function linked(target: Target, shape: Shape, ...more: string[]): { output: string; stderr: string } {
  const output = join(tempFolder(), 'x.dylib')
  const object = assemble(target.arch, source(shape), { name: 'odd' })
  const args = ['-dylib', '-undefined', 'dynamic_lookup', '-objc_category_merging', object, ...more, '-o', output]
  const { status, stderr } = colonnade([...target.flags, ...args])
  assert.equal(status, 0, stderr)
  verifyImage(target, output)
  return { output, stderr }
}

/** The words of 8 bytes of a section; 0 where dyld binds one. */
function pointers(image: string, section: string): bigint[] {
  const path = join(tempFolder(), 'section')
  mustRun('llvm-objcopy-22', [`--dump-section=${section}=${path}`, image, join(tempFolder(), 'copy')])
  const bytes = readFileSync(path)
  const words = Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readBigUInt64LE(i * 8))
  return words.map((word) => (word >> 63n === 1n ? 0n : word & 0xfffffffffn))
}

function addressOf(image: string, end: string): bigint {
  const line = mustRun('llvm-nm-22', ['-p', image])
    .split('\n')
    .find((row) => row.endsWith(end))
  return BigInt(`0x${line!.slice(0, 16)}`)
}

/** What the linker says of such categories when it is to merge them, and whether it has. */
function merge(target: Target, shape: Shape): { said: string; isMerged: boolean } {
  const { output, stderr } = linked(target, shape)
  const size = sectionSizes(output).get('__objc_catlist')
  const names = symbols(output).filter((name) => /__OBJC_\$_CATEGORY_Foo/.test(name))
  const isMerged = names.some((name) => name.endsWith('_Foo(One|Two)'))
  assert.deepEqual([size, names.length], isMerged ? [8, 1] : [16, 2])
  return { said: stderr.replace(/^(\S+: )?warning: \S+odd\.o/, 'warning').trim(), isMerged }
}

const skipped = (reason: string) => `warning: ObjC category merging skipped for class Foo: ${reason}`

forEachTarget((target) => {
  test(`categories of known form are merged without a word (${target.name})`, () => {
    assert.deepEqual(merge(target, {}), { said: '', isMerged: true })
  })

  test(`categories with lists that are not known are left alone with a warning (${target.name})`, () => {
    const said = skipped('a list of theirs is of a form that is not known')
    const odd: readonly Shape[] = [
      { lists: [LIST, '.long 32, 1\n.quad l_name, l_types, _code, 0'] },
      { lists: [LIST, '.long 24, 2\n.quad l_name, l_types, _code'] },
      { lists: [LIST, '.long 24, 1\n.quad l_name, 0, _code'] },
      { lists: [LIST, `${LIST}\n.quad 4`] },
      { second: 'One' },
    ]
    for (const shape of odd) assert.deepEqual(merge(target, shape), { said, isMerged: false }, JSON.stringify(shape))
  })

  test(`categories of another size are left alone (${target.name})`, () => {
    assert.deepEqual(merge(target, { size: 72 }), { said: '', isMerged: false })
  })

  test(`categories with names that are none are left alone with a warning (${target.name})`, () => {
    const said = skipped('their names are of a form that is not known')
    for (const name of ['0', 'l_long', '__OBJC_$_CATEGORY_INSTANCE_METHODS_Foo_$_One'])
      assert.deepEqual(merge(target, { name }), { said, isMerged: false })
  })

  test(`categories that something else leads to are left alone (${target.name})`, () => {
    const ref = '.section __DATA,__data\n.p2align 3\n.globl _ref\n_ref:'
    const one = '__OBJC_$_CATEGORY_Foo_$_One'
    const odd: readonly Shape[] = [
      { class: `${CLASS}${ref} .quad ${one}` },
      { class: `${CLASS}${ref} .quad 0, ${one} - _ref` },
      { class: `${CLASS}.globl ${one}` },
      { class: CLASS, listed: `${BOTH}, ${one}` },
      { class: `${CLASS}.section __DATA,__objc_nlcatlist,regular,no_dead_strip\n.p2align 3\nl_n: .quad ${one}` },
    ]
    for (const shape of odd) {
      for (const flags of [[], ['-dead_strip']]) {
        const { output, stderr } = linked(target, shape, ...flags)
        assert.equal(stderr, '')
        assert.match(symbols(output).join('\n'), /__OBJC_\$_CATEGORY_Foo_\$_One/, JSON.stringify(shape))
        assert.doesNotMatch(symbols(output).join('\n'), /__OBJC_\$_CATEGORY_Foo_\$_Two/)
        assert.equal(sectionSizes(output).get('__objc_catlist'), shape.listed === undefined ? 8 : 16)
      }
    }
  })

  test(`a list of categories that something refers to is left alone (${target.name})`, () => {
    const shape = { class: '.section __DATA,__data\n.p2align 3\n_ref: .quad l_OBJC_LABEL_CATEGORY_$' }
    assert.deepEqual(merge(target, shape), { said: '', isMerged: false })
  })

  test(`lists keep what else they have when their categories are merged (${target.name})`, () => {
    const { output } = linked(target, { listed: `_imported, ${BOTH}, _code` })
    const [merged, imported, code, ...none] = pointers(output, '__DATA_CONST,__objc_catlist')
    assert.deepEqual([merged, code, none], [addressOf(output, '_Foo(One|Two)'), addressOf(output, '_code'), []])
    assert.equal(imported, 0n)
    const binds = mustRun('llvm-objdump-22', ['--macho', '--bind', '--dyld-info', output])
    assert.match(binds, /__objc_catlist.*_imported/)
  })

  test(`pointers of merged lists may lead before what they name (${target.name})`, () => {
    const lists = [LIST.replace('_code', '_code - 4'), LIST.replace('_code', '_code + 5')] as const
    const { output } = linked(target, { lists }, '-no_objc_relative_method_lists')
    const methods = pointers(output, '__DATA,__objc_const').slice(CATEGORY_SIZE / 8 + 1)
    const code = addressOf(output, '_code')
    assert.deepEqual([methods.length, methods[2], methods[5]], [6, code - 4n, code + 5n])
  })

  test(`categories of a class that is not known are left alone with a warning (${target.name})`, () => {
    const words = '.globl _OBJC_CLASS_$_Foo\n.p2align 3\n_OBJC_CLASS_$_Foo: .quad'
    const readOnly = 'l_ro: .long 0, 0, 0, 0\n.quad 0, l_one, 0, 0, 0, 0, 0'
    const odd = [
      `${words} 0, 0, 0, 0, 0`,
      `${words} _OBJC_CLASS_$_Foo, 0, 0, 0, l_ro\n${readOnly}`,
      `${words} _OBJC_METACLASS_$_Foo, 0, 0, 0, l_ro\n${readOnly}`,
    ]
    for (const text of odd) {
      const { said, isMerged } = merge(target, { class: text })
      assert.ok(!isMerged && said.endsWith(': its class is of a form that is not known'), said)
    }
  })
})
