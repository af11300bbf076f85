import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { link, verify } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, targetOptions } from '../helpers/targets.ts'

const SOURCE = `
  int puts(const char *);
  static int state = 3; int shared = 4; static int scale(int x) { return x * state; }
  int pick(int x) {
    switch (x) { case 0: return 7; case 1: return scale(x); case 2: return shared; case 3: puts("three"); return 9; case 4: return 11; }
    return x;
  }
  int *const list[] = { &shared, &state };
  int main(int argc, char **argv) { puts("room"); state = argc; return pick(argc) + *list[argc] + scale(argc); }
`

forEachTarget((target) => {
  test(`room in the tables of __LINKEDIT is nothing to those who read them (${target.name})`, async () => {
    const folder = tempFolder()
    const flags = ['-g', '-fno-inline']
    const inputs = [compile(target.arch, SOURCE, { flags }), libSystem]
    const images = ['tight', 'padded'].map((layout) => join(folder, layout))
    for (const layout of ['tight', 'padded'] as const)
      await link({
        inputs,
        ...targetOptions(target),
        layout,
        output: join(folder, layout),
      })
    const [tight, padded] = images
    verifyImage(target, padded)
    assert.deepEqual(runImage(target, padded), runImage(target, tight))
    assert.deepEqual(verify(readFileSync(padded)), verify(readFileSync(tight)))
    const names = (image: string) => mustRun('llvm-nm-22', ['-j', image])
    assert.equal(names(padded), names(tight))
    const tables = ['--rebase', '--bind', '--weak-bind', '--lazy-bind', '--function-starts']
    assert.equal(mustRun('llvm-objdump-22', ['--macho', ...tables, padded]).match(/error|warning/), null)
    const stripped = join(folder, 'stripped')
    mustRun('llvm-strip-22', ['-S', padded, '-o', stripped])
    assert.equal(names(stripped), names(tight))
    mustRun('dsymutil-22', [padded, '-o', join(folder, 'map.dSYM')])
    const found = mustRun('llvm-dwarfdump-22', ['--name=scale', join(folder, 'map.dSYM')])
    assert.match(found, /DW_AT_low_pc\s+\(0x00000001/)
  })
})
