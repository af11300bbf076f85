import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { assemble, compile } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { type Arch, archs, createTarget } from '../helpers/targets.ts'
import { CLASS, RUNTIME } from './objects.ts'

const category = (name: string): string => `
__attribute__((objc_root_class)) @interface Foo @end
@interface Foo (${name}) -(int)two; +(int)extra; +(void)load; @end
@implementation Foo (${name}) -(int)two { return 0; } +(int)extra { return 0; } +(void)load {} @end
`

function check(arch: Arch, flags: readonly string[], source = CLASS): string {
  const objects = [
    compile(arch, source, { language: 'objc', name: 'class' }),
    compile(arch, category('First'), { language: 'objc', name: 'first' }),
    compile(arch, category('Second'), { language: 'objc', name: 'second', flags: ['-g'] }),
    assemble(arch, RUNTIME),
  ]
  const output = join(tempFolder(), 'out.dylib')
  const { status, stderr } = colonnade([
    ...createTarget(arch, 'chained').flags,
    '-dylib',
    ...flags,
    '-o',
    output,
    ...objects,
    libSystem,
  ])
  assert.equal(status, 0)
  return stderr.replaceAll(/[^\s(]*\/(?=\w+\.(o|m)\b)/g, '')
}

for (const arch of archs) {
  test(`a category that defines a method again is warned about when asked (${arch})`, () => {
    const said = check(arch, ['--check-category-conflicts'])
    const conflict = (method: string, other: string): string =>
      `warning: method '${method}' has conflicting definitions:\n>>> defined in category ${other}`
    assert.ok(said.includes(conflict('-two', 'First from first.o\n>>> defined in class Foo from class.o')))
    assert.ok(said.includes(conflict('-two', 'Second from second.o (second.m)\n>>> defined in class Foo from class.o')))
    assert.ok(
      said.includes(conflict('+extra', 'Second from second.o (second.m)\n>>> defined in category First from first.o')),
    )
    assert.ok(!said.includes('+load'))
  })

  test(`nothing is said when nobody asks (${arch})`, () => {
    assert.equal(check(arch, []), '')
  })
}
