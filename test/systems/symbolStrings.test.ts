import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget, type Target } from '../helpers/targets.ts'

const MAIN = `
static __attribute__((noinline)) int twice(int x) { return x * 2; }
static int hidden = 3; int counter; int other(int);
int main(int argc, char **argv) { hidden += argc; counter += other(twice(argc)); return counter == 0; }
`
const OTHER = `
static __attribute__((noinline)) int twice(int x) { return x * 3; }
static int hidden = 4;
int other(int x) { hidden += x; return twice(x) + hidden; }
`

/** The strings of the string table, sorted: externals have another order in ld64.lld. */
function stringTable(image: string): string[] {
  const commands = mustRun('llvm-objdump-22', ['--macho', '--private-headers', image])
  const number = (name: string) => Number(new RegExp(`^ +${name} (\\d+)$`, 'm').exec(commands)![1])
  const bytes = readFileSync(image).subarray(number('stroff'), number('stroff') + number('strsize'))
  return bytes.toString().split('\0').sort()
}

/** Type and name of every entry, stabs included. */
function entries(image: string): string[] {
  return mustRun('llvm-nm-22', ['-a', '-p', image])
    .replace(/^[0-9a-f ]{16}/gm, '')
    .split('\n')
    .sort()
}

function compileBoth(target: Target): string[] {
  const flags = ['-g']
  return [compile(target.arch, MAIN, { name: 'main', flags }), compile(target.arch, OTHER, { name: 'other', flags })]
}

function theirs(target: Target, flags: readonly string[]): string {
  const output = join(tempFolder(), 'out')
  assert.equal(lld([...target.flags, ...flags, ...compileBoth(target), libSystem, '-o', output]).status, 0)
  return output
}

const count = (list: readonly string[], text: string): number => list.filter((each) => each === text).length

forEachTarget((target) => {
  test(`--deduplicate-symbol-strings has every name once, as ld64.lld by default (${target.name})`, () => {
    for (const layout of ['tight', 'padded']) {
      const flags = ['--deduplicate-symbol-strings', `--layout=${layout}`]
      const image = linkFor(target, [...flags, ...compileBoth(target)])
      const names = stringTable(image)
      assert.deepEqual([count(names, '_twice'), count(names, '_hidden')], [1, 1])
      if (layout === 'tight') {
        assert.deepEqual(names, stringTable(theirs(target, [])))
        assert.deepEqual(entries(image), entries(linkFor(target, compileBoth(target))))
      }
      verifyImage(target, image)
      assert.equal(runImage(target, image).status, 0)
      mustRun('dsymutil-22', [image, '-o', `${image}.dSYM`])
      assert.match(mustRun('llvm-dwarfdump-22', ['--verify', `${image}.dSYM`]), /No errors/)
    }
  })

  test(`-no-deduplicate-symbol-strings copies names for the debug map, as in ld64.lld (${target.name})`, () => {
    const flag = '-no-deduplicate-symbol-strings'
    const image = linkFor(target, ['--deduplicate-symbol-strings', flag, ...compileBoth(target)])
    assert.equal(count(stringTable(image), '_twice'), 4)
    assert.deepEqual(stringTable(image), stringTable(theirs(target, [flag])))
    assert.deepEqual(entries(image), entries(linkFor(target, compileBoth(target))))
    verifyImage(target, image)
  })

  test(`by default only the debug map shares the names of symbols (${target.name})`, () => {
    assert.equal(count(stringTable(linkFor(target, compileBoth(target))), '_twice'), 2)
  })
})
