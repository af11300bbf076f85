import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assemble, compile } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { forEachTarget } from '../helpers/targets.ts'

const SOURCE = `
int puts(const char *);
int tentative;
int zero[64];
static int inner(int x) { return x * puts("tab\\t\\"quoted\\"\\x01"); }
int first(int x) { return inner(x) + 1; }
int second(int x) { return x + 3; }
int third(int x) { return x + 3; }
int dead(int x) { return x * puts("dead"); }
double scaled(double x) { return x * 3.25; }
int main(void) { return first(1) + second(2) + third(3) + tentative + zero[1] + (int)scaled(2); }
`

forEachTarget((target) => {
  for (const flags of [[], ['--icf=all'], ['-dead_strip']]) {
    test(`-map writes the file that ld64.lld writes (${[target.name, ...flags].join(' ')})`, () => {
      const folder = tempFolder()
      const object = compile(target.arch, SOURCE, { flags: ['-fno-inline', '-fcommon'] })
      const args = [...target.flags, ...flags, object, libSystem, '-o', join(folder, 'out')]
      const [ours, theirs] = [join(folder, 'ours.map'), join(folder, 'theirs.map')]
      assert.equal(colonnade([...args, '-map', ours]).status, 0)
      assert.equal(lld([...args, '-map', theirs]).status, 0)
      assert.equal(readFileSync(ours, 'utf8'), readFileSync(theirs, 'utf8'))
    })
  }

  test(`-map gives a local symbol beside a weak definition that lost to its file, as ld64.lld does (${target.name})`, () => {
    const folder = tempFolder()
    const weak = (label: string) => `.subsections_via_symbols\n.text\n.p2align 2\n${label}:\n.globl _weak
      .weak_definition _weak\n_weak: nop\nnop\nret\n.globl _of_${label}\n.p2align 2\n_of_${label}: ret\n`
    const objects = ['one', 'other'].map((label) => assemble(target.arch, weak(label), { name: label }))
    const main = compile(target.arch, 'int weak(void); int main(void) { return weak(); }')
    const args = [...target.flags, main, ...objects, libSystem, '-o', join(folder, 'out')]
    const [ours, theirs] = [join(folder, 'ours.map'), join(folder, 'theirs.map')]
    assert.equal(colonnade([...args, '-map', ours]).status, 0)
    assert.equal(lld([...args, '-map', theirs]).status, 0)
    assert.equal(readFileSync(ours, 'utf8'), readFileSync(theirs, 'utf8'))
  })
})
