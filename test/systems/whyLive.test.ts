import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { libSystem } from '../helpers/paths.ts'
import { forEachTarget } from '../helpers/targets.ts'

const SOURCE = `
int puts(const char *);
int unused(void) { return 7; }
__attribute__((noinline)) int leaf(int x) { return puts("leaf") + x; }
__attribute__((noinline)) int middle(int x) { return leaf(x) * 3; }
__attribute__((noinline)) int dead(int x) { return leaf(x) * 5; }
int main(void) { return middle(1); }
`

forEachTarget((target) => {
  test(`-why_live tells the way from a root (${target.name})`, () => {
    const object = compile(target.arch, SOURCE)
    const why = (...names: string[]) => names.flatMap((name) => ['-why_live', name])
    const args = ['-dead_strip', ...why('_leaf', '_pu*', '_dead'), object, '-o', '/dev/null', libSystem]
    const { status, stdout } = colonnade([...target.flags, ...args])
    assert.equal(status, 0)
    const from = ` from ${object}\n`
    const expected = [
      `_leaf${from}  _middle${from}    _main${from}`,
      `_puts from ${libSystem}\n  _leaf${from}    _middle${from}      _main${from}`,
    ]
    assert.deepEqual(stdout, expected.join(''))
  })
})
