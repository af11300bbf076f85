import assert from 'node:assert/strict'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { targets } from '../helpers/targets.ts'

const [target] = targets
const hello = compile(target.arch, 'int main(void) { return 0; }')

function linkTo(output: string, ...inputs: string[]): { status: number; stderr: string } {
  return colonnade([...target.flags, '-o', output, ...inputs, libSystem])
}

test('an output that is an input is refused, and the input stays as it is', () => {
  const folder = tempFolder()
  const input = join(folder, 'main.o')
  copyFileSync(hello, input)
  mkdirSync(join(folder, 'sub'))
  symlinkSync(input, join(folder, 'sub/main.o'))
  for (const output of [input, join(folder, 'sub/../main.o'), join(folder, 'sub/main.o')]) {
    const { status, stderr } = linkTo(output, input)
    assert.equal(status, 1)
    assert.match(stderr, /error: output file is one of the inputs: .*main\.o/)
    assert.deepEqual(readFileSync(input), readFileSync(hello))
  }
  assert.deepEqual(readdirSync(folder).sort(), ['main.o', 'sub'])
})

test('a hard link to an input is replaced, and the input stays as it is', () => {
  const folder = tempFolder()
  const input = join(folder, 'main.o')
  copyFileSync(hello, input)
  linkSync(input, join(folder, 'out'))
  assert.equal(linkTo(join(folder, 'out'), input).status, 0)
  assert.deepEqual(readFileSync(input), readFileSync(hello))
})

test('a directory as output is refused and left alone', () => {
  const folder = tempFolder()
  writeFileSync(join(folder, 'kept'), 'kept')
  const { status, stderr } = linkTo(folder, hello)
  assert.equal(status, 1)
  assert.match(stderr, /error: .*Is a directory/)
  assert.deepEqual(readdirSync(folder), ['kept'])
})

test('an output below a file or in a directory that is not there is refused', () => {
  const folder = tempFolder()
  writeFileSync(join(folder, 'file'), 'kept')
  for (const output of [join(folder, 'file/out'), join(folder, 'nowhere/out')]) {
    const { status, stderr } = linkTo(output, hello)
    assert.equal(status, 1)
    assert.match(stderr, /error: failed to open .*out: (Not a directory|No such file or directory)/)
  }
  assert.deepEqual(readdirSync(folder), ['file'])
})

test('an input that cannot be linked leaves an existing output as it was, and no other file', () => {
  const folder = tempFolder()
  const output = join(folder, 'out')
  const broken = join(folder, 'broken.o')
  writeFileSync(output, 'old')
  writeFileSync(broken, readFileSync(hello).subarray(0, 100))
  const { status, stderr } = linkTo(output, broken)
  assert.equal(status, 1)
  assert.match(stderr, /error: .*broken\.o: load commands extend past the end of the file/)
  assert.equal(readFileSync(output, 'utf8'), 'old')
  assert.deepEqual(readdirSync(folder).sort(), ['broken.o', 'out'])
})

test('a directory as input is refused', () => {
  const folder = tempFolder()
  const output = join(folder, 'out')
  const { status, stderr } = linkTo(output, folder)
  assert.equal(status, 1)
  assert.match(stderr, /error: cannot open .*: Is a directory/)
  assert.equal(existsSync(output), false)
})
