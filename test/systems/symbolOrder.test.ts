import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { forEachTarget } from '../helpers/targets.ts'

const ONE = `
extern int zeta(void); extern int puts(const char *);
static int quiet(int x) { return x * 3; }
__attribute__((visibility("hidden"))) int hidden(int x) { return quiet(x); }
int tentative;
int second(void) { return zeta() + hidden(tentative); }
int data = 5;
int first(void) { return puts("x"); }
int main(void) { return first() + second(); }
`
const TWO = `
extern int data; extern int first(void);
__attribute__((visibility("hidden"))) int also(void) { return data; }
int alpha(void) { return also(); }
int zeta(void) { return alpha() + first(); }
`

function rows(image: string): string[] {
  const lines = mustRun('llvm-nm-22', ['-p', image]).trimEnd().split('\n')
  return lines.map((line) => line.slice(17))
}

forEachTarget((target) => {
  test(`symbols stand in the table in ld64.lld's order (${target.name})`, () => {
    const flags = ['-fno-inline', '-fcommon']
    const objects = [
      compile(target.arch, ONE, { flags, name: 'one' }),
      compile(target.arch, TWO, { flags, name: 'two' }),
    ]
    const theirs = join(tempFolder(), 'theirs')
    assert.equal(lld([...target.flags, '-o', theirs, ...objects, libSystem]).status, 0)
    assert.deepEqual(rows(linkFor(target, objects)), rows(theirs))
  })
})
