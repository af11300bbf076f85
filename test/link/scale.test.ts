import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { link, type LinkOptions } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'

interface Section {
  segment: string
  name: string
  size: number
  flags: number
}

const S_4BYTE_LITERALS = 3
const S_ATTR_DEBUG = 0x02000000
const HEADER = 32
const SEGMENT = 72
const SECTION = 80
const SYMTAB = 24

/** An object whose sections, symbols and strings are all zero: a file that is a hole behind its load commands. Returns its path. */
function sparseObject(name: string, sections: readonly Section[], symbols: number): string {
  const commands = SEGMENT + SECTION * sections.length + SYMTAB
  const bytes = new Uint8Array(HEADER + commands)
  const view = new DataView(bytes.buffer)
  const word = (at: number, value: number): void => view.setUint32(at, value, true)
  const words = (at: number, values: readonly number[]): void => {
    for (let i = 0; i < values.length; i++) word(at + i * 4, values[i])
  }
  const text = (at: number, value: string): void => bytes.set(Buffer.from(value), at)
  // Header: magic, CPU_TYPE_ARM64, subtype, MH_OBJECT, commands, their size, flags.
  words(0, [0xfeedfacf, 0x0100000c, 0, 1, 2, commands, 0x2000])
  word(HEADER, 0x19)
  word(HEADER + 4, SEGMENT + SECTION * sections.length)
  word(HEADER + 64, sections.length)
  let end = 4096
  let address = 0
  sections.forEach(({ segment, name, size, flags }, i) => {
    const at = HEADER + SEGMENT + SECTION * i
    text(at, name)
    text(at + 16, segment)
    word(at + 32, address)
    word(at + 40, size)
    word(at + 48, end)
    word(at + 52, 2)
    word(at + 64, flags)
    end += Math.ceil(size / 8) * 8
    address += Math.ceil(size / 8) * 8
  })
  const symtab = HEADER + SEGMENT + SECTION * sections.length
  words(symtab, [2, SYMTAB, end, symbols, end + symbols * 16, 8])
  const path = join(tempFolder(), name)
  const file = openSync(path, 'w')
  writeSync(file, bytes)
  ftruncateSync(file, end + symbols * 16 + 8)
  closeSync(file)
  return path
}

const MAIN = `
  static const float quarter = 0.25f, zero = 0;
  int values[2] = {1, 2};
  static int twice(int x) { return x * 2 + values[x & 1]; }
  int puts(const char *);
  int main(int argc, char **argv) { puts(argc > 1 ? "some" : "none"); return twice(argc) + (argc * quarter > 1); }`

async function imageOf(inputs: LinkOptions['inputs'], more: Partial<LinkOptions> = {}): Promise<Uint8Array> {
  const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
  const options = {
    inputs: [...inputs, libSystem],
    arch: 'arm64',
    platform,
    output: 'out',
    write: false,
    ...more,
  } as const
  const { outputFiles } = await link(options)
  return outputFiles![0].contents
}

test('more than 2^24 symbols and blocks: those behind are resolved, folded and placed as those before', async () => {
  const literals = (count: number): Section[] => [
    { segment: '__TEXT', name: '__literal4', size: count * 4, flags: S_4BYTE_LITERALS },
  ]
  const main = compile('arm64', MAIN)
  const many = sparseObject('many.o', literals(2 ** 24 + 1000), 2 ** 24 + 1000)
  const few = sparseObject('many.o', literals(1), 1)
  const [large, small] = [await imageOf([many, main], { threads: 1 }), await imageOf([few, main], { threads: 1 })]
  assert.ok(Buffer.from(small).equals(large))
  rmSync(many)
})

test('more than 4 GiB of inputs, most of it debug information that stays in the files', async () => {
  const sections = (size: number): Section[] => [
    { segment: '__DATA', name: '__data', size: 24, flags: 0 },
    { segment: '__DWARF', name: '__debug_line', size, flags: S_ATTR_DEBUG },
  ]
  const main = compile('arm64', MAIN)
  const objects = (size: number): string[] => ['a.o', 'b.o', 'c.o'].map((name) => sparseObject(name, sections(size), 1))
  const many = objects(0x60000000)
  const large = await imageOf([...many, main], { threads: 2 })
  assert.ok(process.memoryUsage.rss() < 2 ** 31)
  assert.ok(Buffer.from(await imageOf([...objects(8), main])).equals(large))
  for (const path of many) rmSync(path)
})

test('a segment of more than 4 GiB is an error that names who asks for most', async () => {
  const source = (i: number): string => `static char room${i}[0x7fff0000]; char *get${i}(void) { return room${i}; }`
  const objects = [0, 1, 2].map((i) => compile('arm64', source(i), { name: `room${i}` }))
  await assert.rejects(
    imageOf(objects, { outputType: 'dylib' }),
    (failure: { errors: { id: string; text: string }[] }) => {
      assert.deepEqual(
        failure.errors.map(({ id }) => id),
        ['segment-too-large'],
      )
      assert.match(failure.errors[0].text, /segment __DATA has 6442\d+ bytes, at most 4 GiB are possible/)
      return true
    },
  )
})
