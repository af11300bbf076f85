import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'

const WHOLE = '.globl _weak\n.weak_definition _weak\n.data\n_pad:\n.quad 7\n_weak:\n_name:\n.quad 0x123\n'
const SPLIT = `.globl _weak
.weak_definition _weak
.data
_name:
_weak:
.quad 0x123
_pointer:
.quad _name
.subsections_via_symbols
`

function symbolRows(image: string): string[] {
  const rows = mustRun('llvm-nm-22', ['-p', image]).trim().split('\n')
  return rows.filter((row) => /_(weak|name|pad)$/.test(row))
}

forEachTarget((target) => {
  test(`local names of a weak definition that lost follow the winner (${target.name})`, () => {
    const whole = assemble(target.arch, WHOLE, { name: 'whole' })
    const split = assemble(target.arch, SPLIT, { name: 'split' })
    for (const order of [
      [whole, split],
      [split, whole],
    ]) {
      const rows = symbolRows(linkFor(target, ['-dylib', ...order]))
      const [weak] = rows.filter((row) => row.endsWith('_weak'))
      const names = rows.filter((row) => row.endsWith('_name'))
      assert.equal(names.length, 2)
      for (const row of names) assert.equal(row.slice(0, 16), weak.slice(0, 16))
    }
  })
})

const dylib = '.globl _f\n.weak_definition _f\n_f:\n  ret\n.subsections_via_symbols\n'
const main = (extra: string) => `.globl _main, _f\n${extra}.p2align 2\n_f:\n_main:\n  ret\n.subsections_via_symbols\n`

forEachTarget((target) => {
  test(`dyld is told of a strong definition that overrides a dylib's weak one (${target.name})`, () => {
    const folder = tempFolder()
    const library = linkFor(
      target,
      ['-dylib', '-install_name', `${folder}/libf.dylib`, assemble(target.arch, dylib)],
      'libf.dylib',
    )
    const flags = (extra: string) => {
      const image = linkFor(target, [assemble(target.arch, main(extra)), library])
      const header = mustRun('llvm-otool-22', ['-hv', image])
      const overrides = mustRun('llvm-objdump-22', ['--macho', '--weak-bind', image]).includes('strong')
      return [header.includes('WEAK_DEFINES'), header.includes('BINDS_TO_WEAK'), overrides]
    }
    assert.deepEqual(flags(''), [true, false, target.fixups === 'opcodes'])
    assert.deepEqual(flags('.private_extern _f\n.weak_definition _f\n'), [false, false, false])
  })
})

test('with --dead-strip-duplicates only live definitions collide', () => {
  const target = createTarget('x86_64', 'chained')
  const one = assemble('x86_64', `${main('')}`, { name: 'one' })
  const dead = '.globl _dead\n_dead = 5\n'
  const objects = ['a', 'b'].map((name) => assemble('x86_64', dead, { name }))
  const image = linkFor(target, ['-dead_strip', '--dead-strip-duplicates', one, ...objects])
  assert.doesNotMatch(mustRun('llvm-nm-22', [image]), /_dead/)
})
