import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { mustRun } from '../helpers/command.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, targetOptions } from '../helpers/targets.ts'

const OBJECTS = 60
const FUNCTIONS = 8
const REACH = 0x18000

/** Each calls functions all over the program, nobody in a circle. `inner`: how the object's functions count. */
function objectSource(object: number, inner = 'x + 1'): string {
  const functions = Array.from({ length: FUNCTIONS }, (_, k) => {
    const callee = `f${(object * 7 + k * 11 + 5) % OBJECTS}_${k + 1}`
    const call = k + 1 === FUNCTIONS ? 'x' : `${callee}(x)`
    const declared = k + 1 === FUNCTIONS ? '' : `int ${callee}(int);`
    return `${declared} int f${object}_${k}(int x) { asm volatile(".rept 150\\nnop\\n.endr"); return ${call} + 1; }`
  })
  return `${functions[0]} static int inner(int x) { return ${inner}; } int outer${object}(int x) { return inner(x); } ${functions.slice(1).join('\n')}`
}

const WEAK = '__attribute__((weak)) int shared(int x) { asm volatile("nop\\nnop\\nnop\\nnop"); return x; }'

function createProgram(fixups: 'chained' | 'opcodes') {
  const folder = tempFolder()
  const target = createTarget('arm64', fixups)
  const path = (object: number | 'main') => join(folder, `${object}.o`)
  const put = (object: number | 'main', source: string) => copyFileSync(compile('arm64', source), path(object))
  const main = `int printf(const char *, ...); int f0_0(int); int f59_0(int);
    int main(void) { printf("%d %d\\n", f0_0(1), f59_0(2)); return 0; }`
  put('main', main)
  for (let object = 0; object < OBJECTS; object++) put(object, objectSource(object))
  for (const object of [1, 2]) put(object, `${WEAK} ${objectSource(object)}`)
  const inputs = ['main' as const, ...Array.from({ length: OBJECTS }, (_, i) => i)].map(path)
  const output = join(folder, 'out')
  const options = { ...targetOptions(target), inputs: [...inputs, libSystem], output, branchReach: REACH }
  const run = () => {
    verifyImage(target, output)
    return runImage(target, output).stdout.trim()
  }
  return { options, put, run }
}

function thunks(output: string): string[] {
  const lines = mustRun('llvm-nm-22', [output]).split('\n')
  return lines.filter((line) => /\.thunk\.\d+$/.test(line)).sort()
}

for (const fixups of ['chained', 'opcodes'] as const) {
  test(`code that moves within its region leaves thunks where they are, and is a patch (${fixups})`, async () => {
    const { options, put, run } = createProgram(fixups)
    const session = context({ ...options, checkPatches: true })
    await session.rebuild()
    const before = thunks(options.output)
    assert.ok(before.length > OBJECTS, `${before.length} thunks`)
    assert.equal(run(), '9 10')
    // All functions behind move.
    put(4, objectSource(4, 'x * x * x + 12345 - x / 77'))
    const { mode, reason } = await session.rebuild()
    assert.equal(mode, 'patch', reason)
    assert.deepEqual(thunks(options.output), before)
    assert.equal(run(), '9 10')
    await session.dispose()
  })

  test(`another winner of a name moves no thunk of others, and the image of the others is taken over (${fixups})`, async () => {
    const { options, put, run } = createProgram(fixups)
    const session = context({ ...options, checkPatches: true })
    const full = await session.rebuild()
    const before = thunks(options.output)
    put(2, `${WEAK.replace('__attribute__((weak))', '')} ${objectSource(2)}`)
    const won = await session.rebuild()
    assert.equal(won.mode, 'warm', won.reason)
    assert.deepEqual(thunks(options.output), before)
    const [all, some] = [full, won].map(({ timings }) => timings.find(({ system }) => system === 'relocate')!.written)
    assert.ok(some < all / 2, `${some} of ${all}`)
    assert.equal(run(), '9 10')
    const { outputFiles } = await link({ ...options, layout: 'padded', write: false })
    assert.ok(readFileSync(options.output).equals(outputFiles[0].contents))
    await session.dispose()
  })
}
