import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import type { BlockImage, BlockUpdate } from '../../src/blocks.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { link, openImage } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { command } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, targetOptions } from '../helpers/targets.ts'
import { functionOf, host, newImage, type Step } from './build.ts'

const adds = (count: number): Step[] => Array(count).fill({ add: 1 })

/** A function whose every 4 bytes or so are of a line of their own. */
function withLines(update: BlockUpdate, file: string, line: number): BlockUpdate {
  const size = (update.code as Uint8Array).length
  const lines = [0, 4, 8].filter((offset) => offset < size).map((offset, i) => ({ offset, line: line + i, column: 3 }))
  return { ...update, file, lines }
}

const dwarfOf = (output: string) => join(`${output}.dSYM/Contents/Resources/DWARF`, output.replace(/^.*\//, ''))

/** What llvm-dwarfdump finds at an address: function, file and line. */
function lookup(path: string, address: number): string {
  const { stdout } = command('llvm-dwarfdump-22', [`--lookup=0x${address.toString(16)}`, path])
  const name = /DW_AT_name\s+\("(\w+)"\)\n\s+DW_AT_linkage_name/.exec(stdout)?.[1]
  const line = /Line info: file '([^']*)', line (\d+)/.exec(stdout)
  return `${name} ${line?.[1]}:${line?.[2]}`
}

function checkDwarf(output: string): void {
  const { status, stdout } = command('llvm-dwarfdump-22', ['--verify', dwarfOf(output)])
  assert.equal(status, 0, stdout)
  assert.match(stdout, /No errors/)
  const uuidOf = (path: string) => /UUID: (\S+)/.exec(command('llvm-dwarfdump-22', ['--uuid', path]).stdout)?.[1]
  assert.equal(uuidOf(dwarfOf(output)), uuidOf(output))
}

function flush(image: BlockImage): void {
  assert.deepEqual(image.flush().messages, [])
}

forEachTarget((target) => {
  const { arch } = target
  test(`lines of blocks go into a bundle that follows the image (${target.name})`, () => {
    const output = join(tempFolder(), 'program')
    const image = newImage(target, { output, write: true })
    const [main, helper, other, plain] = ['_main', '_helper', '_other', '_plain'].map(image.declareBlock)
    image.updateBlock(plain, functionOf(arch, []))
    const called = [{ call: helper }, { call: other }, { add: -3 }]
    image.updateBlock(main, functionOf(arch, called, 'zero'))
    image.updateBlock(helper, functionOf(arch, adds(1)))
    image.updateBlock(other, functionOf(arch, adds(2)))
    flush(image)
    assert.ok(!existsSync(`${output}.dSYM`))
    assert.equal(image.debugFile(), null)

    image.updateBlock(main, withLines(functionOf(arch, called, 'zero'), '/src/main.toy', 10))
    image.updateBlock(helper, withLines(functionOf(arch, adds(1)), '/src/main.toy', 100))
    image.updateBlock(other, withLines(functionOf(arch, adds(2)), 'other.toy', 7))
    image.exportSymbol(other)
    flush(image)
    verifyImage(target, output)
    assert.equal(runImage(target, output).status, 0)
    checkDwarf(output)
    const path = dwarfOf(output)
    const at = (block: number, offset: number) => lookup(path, image.addressOf(block) + offset)
    assert.equal(at(main, 0), 'main main.toy:10')
    assert.equal(at(main, 4), 'main main.toy:11')
    assert.equal(at(helper, 8), 'helper main.toy:102')
    assert.equal(at(other, 5), 'other other.toy:8')
    assert.match(at(plain, 0), /undefined/)
    assert.deepEqual(readFileSync(path), Buffer.from(image.debugFile()!))
    const plist = readFileSync(`${output}.dSYM/Contents/Info.plist`, 'utf8')
    assert.match(plist, /<string>com.apple.xcode.dsym.program<\/string>/)
    const names = command('llvm-nm-22', [path]).stdout
    assert.match(names, new RegExp(`${image.addressOf(helper).toString(16)} t _helper`))
    assert.match(names, new RegExp(`${image.addressOf(other).toString(16)} T _other`))

    // Nothing is written when nothing has changed.
    const before = statSync(path).mtimeMs
    flush(image)
    assert.equal(statSync(path).mtimeMs, before)

    // One moves, one gets a name, one goes, one has lines no more.
    image.updateBlock(helper, withLines(functionOf(arch, [...adds(80), { add: -79 }]), '/src/main.toy', 200))
    flush(image)
    checkDwarf(output)
    assert.equal(at(helper, 8), 'helper main.toy:202')
    assert.equal(at(main, 0), 'main main.toy:10')
    image.renameBlock(helper, '_renamed')
    flush(image)
    assert.equal(at(helper, 0), 'renamed main.toy:200')
    image.updateBlock(main, withLines(functionOf(arch, [], 'zero'), 'elsewhere/new.toy', 1))
    image.freeBlock(helper)
    image.updateBlock(other, functionOf(arch, adds(2)))
    flush(image)
    checkDwarf(output)
    assert.equal(at(main, 0), 'main new.toy:1')
    assert.match(at(other, 0), /undefined/)

    // All moves; then the bundle is taken away.
    for (let i = 0; i < 30; i++)
      image.updateBlock(
        image.declareBlock(`_wide${i}`),
        withLines({ code: new Uint8Array(3000) }, `wide${i % 4}.toy`, i + 1),
      )
    flush(image)
    checkDwarf(output)
    assert.equal(at(main, 0), 'main new.toy:1')
    image.compact()
    flush(image)
    checkDwarf(output)
    assert.equal(at(main, 0), 'main new.toy:1')
    rmSync(`${output}.dSYM`, { recursive: true })
    image.updateBlock(plain, functionOf(arch, adds(3)))
    flush(image)
    checkDwarf(output)
    image.dispose()
  })

  test(`lines of edits of a linked file go into a bundle that has its segments (${target.name})`, async () => {
    const folder = tempFolder()
    const [linked, output] = [join(folder, 'linked'), join(folder, 'program')]
    const source = '__attribute__((optnone, noinline)) int step(int x) { return x; } int main() { return step(1); }'
    await link({ inputs: [compile(arch, source), libSystem], output: linked, ...targetOptions(target) })
    const image = openImage(linked, { host, output, write: true })
    const [step, helper] = [image.lookup('_step')!, image.declareBlock('_helper')]
    const frame = { unwind: { encoding: arch === 'arm64' ? 0x04000000 : 0x01000000 } }
    image.updateBlock(helper, withLines(functionOf(arch, adds(2)), '/src/main.toy', 100))
    for (const unwind of [{}, frame]) {
      image.updateBlock(step, { ...withLines(functionOf(arch, [{ call: helper }]), '/src/main.toy', 10), ...unwind })
      flush(image)
      verifyImage(target, output)
      assert.equal(runImage(target, output).status, 3)
      checkDwarf(output)
      const path = dwarfOf(output)
      assert.equal(lookup(path, image.addressOf(helper) + 8), 'helper main.toy:102')
      const [own, companion] = [output, path].map((file) => readImage(readFileSync(file)))
      const places = ({ segments }: typeof own) =>
        segments.flatMap(({ name, vmAddress, sections }) => [
          `${name} ${vmAddress}`,
          ...sections.map((one) => `${one.segment},${one.name} ${one.address} ${one.size}`),
        ])
      const wanted = places(own)
      assert.deepEqual(places(companion).slice(0, wanted.length), wanted)
      const names = command('llvm-nm-22', [path]).stdout
      assert.match(names, new RegExp(`${image.addressOf(image.lookup('_main')!).toString(16)} T _main`))
      assert.match(names, new RegExp(`${image.addressOf(helper).toString(16)} s _helper`))
    }
    image.dispose()
  })

  test(`a debugger finds lines and sets breakpoints by them (${target.name})`, () => {
    const output = join(tempFolder(), 'program')
    const image = newImage(target, { output, write: true })
    const [main, helper] = ['_main', '_helper'].map(image.declareBlock)
    image.updateBlock(main, withLines(functionOf(arch, [{ call: helper }], 'zero'), '/src/main.toy', 10))
    image.updateBlock(helper, withLines(functionOf(arch, adds(5)), '/src/helper.toy', 42))
    flush(image)
    const address = `0x${(image.addressOf(helper) + 4).toString(16)}`
    // Elsewhere than on macOS it does not look for bundles.
    const found = `target symbols add ${dwarfOf(output)}`
    const commands = [
      `target create ${output}`,
      found,
      `image lookup -v -a ${address}`,
      'breakpoint set -f main.toy -l 11',
    ]
    const asked = commands.flatMap((one) => ['-o', one])
    const { stdout, stderr } = command('lldb-22', ['--batch', '--no-lldbinit', ...asked])
    assert.match(stdout, /Summary: program`helper \+ 4 at helper\.toy:43/, stderr)
    assert.match(stdout, /CompileUnit: .*file = "\/src\/helper\.toy"/)
    assert.match(stdout, /Breakpoint 1: where = program`main \+ \d+ at main\.toy:11:3/)
    image.dispose()
  })
})

test('a companion file names its image and holds none of its code', () => {
  const target = createTarget('arm64', 'chained')
  const image = newImage(target)
  const main = image.declareBlock('_main')
  image.updateBlock(main, withLines(functionOf('arm64', [], 'zero'), 'a.toy', 1))
  const { contents } = image.flush()
  const companion = readImage(image.debugFile()!)
  const whole = readImage(contents!)
  assert.deepEqual(companion.uuid, whole.uuid)
  assert.deepEqual(
    companion.segments
      .filter(({ name }) => name !== '__DWARF')
      .map(({ name, vmAddress, vmSize }) => [name, vmAddress, vmSize]),
    whole.segments.map(({ name, vmAddress, vmSize }) => [name, vmAddress, vmSize]),
  )
})

test('a bundle that cannot be written is a warning, and the image is there', () => {
  const target = createTarget('x86_64', 'chained')
  const output = join(tempFolder(), 'program')
  writeFileSync(`${output}.dSYM`, 'a file where the bundle should be')
  const image = newImage(target, { output, write: true })
  image.updateBlock(image.declareBlock('_main'), withLines(functionOf('x86_64', [], 'zero'), 'a.toy', 1))
  const { messages, contents } = image.flush()
  assert.deepEqual(
    messages.map(({ severity, id }) => [severity, id]),
    [['warning', 'cannot-write']],
  )
  assert.notEqual(contents, null)
  assert.equal(runImage(target, output).status, 0)
  image.dispose()
})

test('lines that make no sense are refused', () => {
  const image = newImage(createTarget('arm64', 'chained'))
  const block = image.declareBlock('_a')
  const code = new Uint8Array(16)
  const file = 'a.toy'
  const wrong: object[] = [
    { code, lines: [{ offset: 0, line: 1 }] },
    { code, file: '', lines: [{ offset: 0, line: 1 }] },
    { code, file: 'a\0b', lines: [{ offset: 0, line: 1 }] },
    { code, file, lines: [{ offset: 16, line: 1 }] },
    { code, file, lines: [{ offset: -1, line: 1 }] },
    { code, file, lines: [{ offset: 0, line: 1.5 }] },
    { code, file, lines: [{ offset: 0, line: -1 }] },
    { code, file, lines: [{ offset: 0, line: 1, column: 2 ** 40 }] },
    {
      code,
      file,
      lines: [
        { offset: 8, line: 1 },
        { offset: 4, line: 2 },
      ],
    },
    { code, file, section: '__DATA,__data', lines: [{ offset: 0, line: 1 }] },
  ]
  for (const update of wrong)
    assert.throws(() => image.updateBlock(block, update as BlockUpdate), TypeError, JSON.stringify(update))
  image.updateBlock(block, { code, lines: [] })
  assert.equal(image.debugFile(), null)
})

test('a bundle that is patched is the one that is made at once', () => {
  const target = createTarget('arm64', 'chained')
  const output = join(tempFolder(), 'program')
  const images = [newImage(target, { output, write: true }), newImage(target, { output })]
  const handles = images.map((image) =>
    Array.from({ length: 40 }, (_, i) => image.declareBlock(i === 0 ? '_main' : `_f${i}`)),
  )
  const random = randomFrom(9)
  let patched = 0
  for (let round = 0; round < 60; round++) {
    const block = Math.floor(random() * 40)
    const kind = round < 40 ? 0 : Math.floor(random() * 8)
    const [size, line, file] = [1 + Math.floor(random() * 20), Math.floor(random() * 1000), Math.floor(random() * 3)]
    for (const [i, image] of images.entries()) {
      const handle = handles[i][round < 40 ? round : block]
      if (kind === 1) image.renameBlock(handle, block === 0 ? '_main' : `_renamed${round}`)
      else if (kind === 2) image.exportSymbol(handle, { hidden: round % 2 === 0 })
      else if (kind === 3) image.updateBlock(handle, functionOf('arm64', adds(size), 'zero'))
      else image.updateBlock(handle, withLines(functionOf('arm64', adds(size), 'zero'), `file${file}.toy`, line + 1))
    }
    const before = existsSync(dwarfOf(output)) ? statSync(dwarfOf(output)).ino : 0
    for (const image of images) flush(image)
    if (statSync(dwarfOf(output)).ino === before) patched++
    assert.ok(readFileSync(dwarfOf(output)).equals(images[1].debugFile()!), `round ${round}`)
  }
  assert.ok(patched > 5, `${patched}`)
  checkDwarf(output)
  images[0].dispose()
})
