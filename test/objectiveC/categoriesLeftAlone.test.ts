import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
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
}

/** Two categories of one class. */
function source({ lists = [LIST, LIST], second = 'Two', size = 64, name = 'l_two', class: more = '' }: Shape): string {
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
l_OBJC_LABEL_CATEGORY_$: .quad __OBJC_$_CATEGORY_Foo_$_One, __OBJC_$_CATEGORY_Foo_$_Two
.subsections_via_symbols
`
}

/** What the linker says of such categories when it is to merge them, and whether it has. */
function merge(target: Target, shape: Shape): { said: string; isMerged: boolean } {
  const output = join(tempFolder(), 'x.dylib')
  const object = assemble(target.arch, source(shape), { name: 'odd' })
  const args = ['-dylib', '-undefined', 'dynamic_lookup', '-objc_category_merging', object, '-o', output]
  const { status, stderr } = colonnade([...target.flags, ...args])
  assert.equal(status, 0, stderr)
  verifyImage(target, output)
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
    for (const name of ['0', 'l_long']) assert.deepEqual(merge(target, { name }), { said, isMerged: false })
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
