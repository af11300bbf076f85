import assert from 'node:assert/strict'
import { copyFileSync, statSync, utimesSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { archive, compile } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { archs, createTarget, forEachTarget, type Target } from '../helpers/targets.ts'

const MAIN = `
int counter; static int hidden = 3; extern int other(int);
static __attribute__((noinline)) int twice(int x) { return x * 2 + hidden; }
int main(int argc, char **argv) { hidden += argc; counter += other(twice(argc)); return counter == 0; }
`
const OTHER = `
static __attribute__((noinline)) int inner(int x) { return x * 7; }
int other(int x) { return inner(x) + 1; }
`

function objects(target: Target): [string, string] {
  const main = compile(target.arch, MAIN, { name: 'main', flags: ['-g'] })
  return [main, compile(target.arch, OTHER, { name: 'other', flags: ['-g'] })]
}

/** Stabs of an image: type, section, desc, value, text. */
function stabsOf(image: string): string[] {
  const lines = mustRun('dsymutil-22', ['-s', image]).split('\n')
  return lines.flatMap((line) => {
    const found = /\((N_\w+)\s*\) ([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)(?:\s+'(.*)')?/.exec(line)
    return found === null ? [] : [`${found[1]} ${found[4].replace(/^0+(?=.)/, '')} ${found[5] ?? ''}`.trim()]
  })
}

function textsOf(image: string, type: string): string[] {
  return stabsOf(image)
    .filter((line) => line.startsWith(`${type} `))
    .map((line) => line.split(' ').slice(2).join(' '))
}

forEachTarget((target) => {
  test(`dsymutil finds every function and variable through the debug map (${target.name})`, () => {
    const image = linkFor(target, objects(target))
    mustRun('dsymutil-22', [image, '-o', `${image}.dSYM`])
    const dump = mustRun('llvm-dwarfdump-22', [`${image}.dSYM`])
    const symbols = mustRun('llvm-nm-22', [image])
      .split('\n')
      .map((line) => line.split(' '))
    for (const name of ['main', 'twice', 'other', 'inner', 'counter', 'hidden']) {
      const address = symbols.find(([, , symbol]) => symbol === `_${name}`)?.[0]
      assert.ok(address !== undefined, name)
      const hex = BigInt(`0x${address}`).toString(16)
      const entry = dump
        .split('DW_TAG_')
        .find((text) => text.includes(`DW_AT_name\t("${name}")`) && /DW_AT_(low_pc|location)/.test(text))
      assert.match(entry ?? '', new RegExp(`(low_pc|location)\\s+\\(.*0x0*${hex}\\)`), name)
    }
    assert.match(mustRun('llvm-dwarfdump-22', ['--verify', `${image}.dSYM`]), /No errors/)
  })
})

for (const arch of archs) {
  const target = createTarget(arch, 'chained')

  test(`the debug map names source, object, functions with sizes, and variables (${arch})`, () => {
    const [main, other] = objects(target)
    const image = linkFor(target, [main, other])
    const shape = stabsOf(image).map((line) => line.replace(/ 1000\w+ /, ' @ '))
    const at = shape.indexOf('N_FUN @ _twice')
    assert.ok(at > 0 && /^N_FUN [1-9a-f]\w*$/.test(shape[at + 1]))
    assert.equal(shape[0], `N_SO 0 ${main.replace(/o$/, 'c')}`)
    assert.equal(shape[1], `N_OSO 0 ${main}`)
    for (const line of [
      'N_STSYM @ _hidden',
      'N_GSYM @ _counter',
      'N_FUN @ _main',
      'N_FUN @ _inner',
      `N_OSO 0 ${other}`,
    ])
      assert.ok(shape.includes(line), line)
    assert.equal(shape.filter((line) => line === 'N_SO 0').length, 2)
    assert.equal(shape.at(-1), 'N_SO 0')
  })
}

test('an object in an archive is named by archive and member, a relative path is made absolute', () => {
  const target = createTarget('arm64', 'chained')
  const [main, other] = objects(target)
  const library = archive('libother.a', [other])
  const output = join(tempFolder(), 'out')
  const { status } = colonnade([...target.flags, '-o', output, basename(main), library, libSystem], {
    cwd: dirname(main),
  })
  assert.equal(status, 0)
  assert.deepEqual(textsOf(output, 'N_OSO'), [main, `${library}(other.o)`])
})

test('-oso_prefix takes the prefix away from the paths of objects', () => {
  const target = createTarget('x86_64', 'opcodes')
  const [main, other] = objects(target)
  const image = linkFor(target, ['-oso_prefix', `${dirname(main)}/`, main, other])
  assert.deepEqual(textsOf(image, 'N_OSO'), ['main.o', other])
})

test('times of objects stand in the map only when ZERO_AR_DATE is 0', () => {
  const target = createTarget('x86_64', 'chained')
  const [main, other] = objects(target)
  const copy = join(tempFolder(), 'main.o')
  copyFileSync(main, copy)
  utimesSync(copy, 16, 16)
  assert.equal(statSync(copy).mtimeMs, 16000)
  const output = join(tempFolder(), 'out')
  const times = (env: Record<string, string>): (string | undefined)[] => {
    const { status } = colonnade([...target.flags, '-o', output, copy, other, libSystem], { env })
    assert.equal(status, 0)
    return stabsOf(output)
      .filter((line) => line.startsWith('N_OSO'))
      .map((line) => line.split(' ')[1])
  }
  assert.equal(times({ ZERO_AR_DATE: '0' })[0], '10')
  assert.deepEqual(times({}), ['0', '0'])
})

test('-S leaves the debug map out, -add_ast_path adds a Swift module to it', () => {
  const target = createTarget('arm64', 'opcodes')
  const inputs = objects(target)
  assert.deepEqual(stabsOf(linkFor(target, ['-S', ...inputs])), [])
  assert.deepEqual(
    stabsOf(linkFor(target, ['-add_ast_path', '/a/b.swiftmodule', ...inputs]))[0],
    'N_AST 0 /a/b.swiftmodule',
  )
})

test('the UUID does not depend on where the objects lie', () => {
  const target = createTarget('arm64', 'chained')
  const [main, other] = objects(target)
  const copy = join(tempFolder(), 'a folder with a longer name.o')
  copyFileSync(main, copy)
  const uuid = (image: string): string | undefined =>
    /uuid (\S+)/.exec(mustRun('llvm-objdump-22', ['--macho', '--private-headers', image]))?.[1]
  const first = uuid(linkFor(target, [main, other]))
  assert.ok(first !== undefined)
  assert.equal(uuid(linkFor(target, [copy, other])), first)
})
