import assert from 'node:assert/strict'
import { test } from 'node:test'
import { archive, assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { createTarget } from '../helpers/targets.ts'
import { symbols } from './objects.ts'

const target = createTarget('x86_64', 'chained')
const MAIN = '.globl _main\n_main: ret\n'
const MEMBERS: readonly (readonly [string, string])[] = [
  ['class', '.globl _OBJC_CLASS_$_Foo, _of_class\n.data\n_OBJC_CLASS_$_Foo: .quad 0\n_of_class: .quad 0'],
  ['category', '.globl _of_category\n.section __DATA,__objc_catlist\n_of_category: .quad 0'],
  ['swift', '.globl _of_swift\n.section __TEXT,__swift5_types\n_of_swift: .quad 0'],
  ['plain', '.globl _of_plain\n.data\n_of_plain: .quad 0\n.quad _OBJC_CLASS_$_Missing'],
]

const members = (): string[] => MEMBERS.map(([name, text]) => assemble('x86_64', text, { name }))
const loaded = (image: string): string[] => symbols(image).filter((row) => row.includes(' _of_'))
const WANTED = ['D _of_class', 'S _of_category', 'S _of_swift']

test('-ObjC loads members with a class, a category or Swift', () => {
  const image = linkFor(target, ['-ObjC', assemble('x86_64', MAIN), archive('lib.a', members())])
  assert.deepEqual(loaded(image).sort(), WANTED.sort())
})

test('-ObjC loads such objects between --start-lib and --end-lib', () => {
  const image = linkFor(target, ['-ObjC', assemble('x86_64', MAIN), '--start-lib', ...members(), '--end-lib'])
  assert.deepEqual(loaded(image).sort(), WANTED.sort())
})

test('without -ObjC nobody loads them', () => {
  assert.deepEqual(loaded(linkFor(target, [assemble('x86_64', MAIN), archive('lib.a', members())])), [])
})
