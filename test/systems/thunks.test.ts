import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, type Fixups, MACOS_13 } from '../helpers/targets.ts'

const CALLS = `
int puts(const char *); int printf(const char *, ...);
int far0(int), far1(int), far2(int);
static __attribute__((noinline)) int near0(int x) { __asm__ volatile(""); return x + far2(x) + 1; }
int back(int x) { return x * 3; }
int main(int argc, char **argv) { puts("thunks"); printf("%d\\n", near0(argc) + far0(argc) + far1(argc)); return 0; }
`

/** A function that calls back and into libSystem, followed by room that pushes the next one away. */
function farFunction(i: number, room: number, section = '__TEXT,__text'): string {
  return `
    .section ${section},regular,pure_instructions
    .p2align 2
    .globl _far${i}
  _far${i}:
    stp x29, x30, [sp, #-32]!
    str x19, [sp, #16]
    mov x19, x0
    bl _back
    add x19, x19, x0
    adrp x0, Ltext@PAGE
    add x0, x0, Ltext@PAGEOFF
    bl _puts
    mov x0, x19
    ldr x19, [sp, #16]
    ldp x29, x30, [sp], #32
    ret
    .globl _room${i}
  _room${i}:
    .space ${room}
    .cstring
  Ltext: .asciz "far${i}"
    .subsections_via_symbols
  `
}

function inputs(room: number): string[] {
  const far = [0, 1, 2].map((i) => assemble('arm64', farFunction(i, room), { name: `far${i}` }))
  return [compile('arm64', CALLS, { name: 'calls' }), ...far]
}

const SAID = 'thunks\nfar2\nfar0\nfar1\n14\n'

async function linkWithReach(
  fixups: Fixups,
  branchReach: number | undefined,
  extra: Partial<LinkOptions> = {},
): Promise<string> {
  const output = join(tempFolder(), 'out')
  const options: LinkOptions = {
    inputs: [...inputs(3000), libSystem],
    arch: 'arm64',
    platform: MACOS_13,
    fixupChains: fixups === 'chained',
    output,
    ...extra,
  }
  await link(branchReach === undefined ? options : { ...options, branchReach })
  return output
}

function thunkNames(image: string): string[] {
  return mustRun('llvm-nm-22', ['-p', image])
    .split('\n')
    .flatMap((line) => /\S+\.thunk\.\d+/.exec(line)?.[0] ?? [])
}

for (const fixups of ['chained', 'opcodes'] as const) {
  const target = createTarget('arm64', fixups)

  test(`branches beyond the reach go through thunks, to functions ahead and behind and to stubs (${fixups})`, async () => {
    const image = await linkWithReach(fixups, 4096)
    verifyImage(target, image)
    assert.equal(runImage(target, image).stdout, SAID)
    const names = thunkNames(image)
    for (const name of ['_far2.thunk.0', '_back.thunk.0', '_puts.thunk.0']) assert.ok(names.includes(name), name)
  })

  test(`code within the reach has no thunk (${fixups})`, async () => {
    const image = await linkWithReach(fixups, undefined)
    assert.equal(runImage(target, image).stdout, SAID)
    assert.deepEqual(thunkNames(image), [])
  })
}

test('every branch reaches its target or thunk when the reach is a little more than a function', async () => {
  const target = createTarget('arm64', 'chained')
  for (const reach of [3200, 3600, 5000, 7000, 9000]) {
    const image = await linkWithReach('chained', reach)
    assert.equal(runImage(target, image).stdout, SAID)
    for (const line of mustRun('llvm-objdump-22', ['-d', '--no-show-raw-insn', image]).split('\n')) {
      const found = /^\s*([0-9a-f]+):\s+bl?\s+0x([0-9a-f]+)/.exec(line)
      if (found === null || line.includes('br')) continue
      const distance = Number.parseInt(found[2], 16) - Number.parseInt(found[1], 16)
      assert.ok(distance >= -reach && distance < reach, line)
    }
  }
})

test('branches of a small section before the largest one, and those of the largest, all get their thunks', async () => {
  const target = createTarget('arm64', 'chained')
  const far = [0, 1, 2].map((i) => assemble('arm64', farFunction(i, 3000, '__TEXT,__far'), { name: `apart${i}` }))
  const many = assemble('arm64', '.globl _many\n_many:\n.rept 20\nbl _puts\n.endr\nret', { name: 'many' })
  const output = join(tempFolder(), 'out')
  await link({
    inputs: [compile('arm64', CALLS, { name: 'calls' }), many, ...far, libSystem],
    arch: 'arm64',
    platform: MACOS_13,
    output,
    branchReach: 4096,
  })
  verifyImage(target, output)
  assert.equal(runImage(target, output).stdout, SAID)
  const names = thunkNames(output)
  for (const name of ['_far1.thunk.0', '_far2.thunk.0', '_back.thunk.0', '_puts.thunk.0'])
    assert.ok(names.includes(name), `${name} in ${names.join(' ')}`)
})

test('the same code laid out twice has the same thunks, and -dead_strip keeps what they lead to', async () => {
  const target = createTarget('arm64', 'chained')
  const [one, two] = [await linkWithReach('chained', 4096), await linkWithReach('chained', 4096)]
  assert.deepEqual(mustRun('llvm-nm-22', ['-p', one]), mustRun('llvm-nm-22', ['-p', two]))
  assert.equal(runImage(target, await linkWithReach('chained', 4096, { deadStrip: true })).stdout, SAID)
})

test('a branch that no thunk can serve is an error, not a wrong jump', async () => {
  const source = '.text\n.globl _main\n_main: bl _puts\nret\n.space 4000\n.subsections_via_symbols\n'
  const failed = await linkWithReach('chained', 2048, {
    inputs: [assemble('arm64', source, { name: 'long' }), libSystem],
  }).then(
    () => null,
    (failure) => failure,
  )
  assert.ok(failed?.errors.some((message: { id: string }) => message.id === 'thunk-out-of-reach'))
})

test('code of more than 128 MiB is linked as ld64.lld links it: thunks of the same names at the same addresses', () => {
  const target = createTarget('arm64', 'chained')
  const objects = inputs(0x2c00000)
  const [ours, theirs] = [join(tempFolder(), 'out'), join(tempFolder(), 'out')]
  const args = [...target.flags, ...objects, libSystem, '-o']
  assert.equal(colonnade([...args, ours]).stderr, '')
  mustRun('ld64.lld-22', [...args, theirs])
  const listed = (image: string): string[] =>
    mustRun('llvm-nm-22', [image])
      .split('\n')
      .filter((line) => /thunk|_far|_back/.test(line))
  assert.ok(listed(ours).some((line) => line.endsWith('.thunk.0')))
  assert.deepEqual(listed(ours), listed(theirs))
  const code = mustRun('llvm-objdump-22', ['--disassemble-symbols=_main,_far2', '--no-show-raw-insn', ours])
  for (const callee of ['_far1', '_back', '_puts.thunk.0', '_printf.thunk.0'])
    assert.ok(code.includes(`<${callee}>`), callee)
  for (const path of [ours, theirs, ...objects]) rmSync(path)
})
