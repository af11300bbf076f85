import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Link } from '../../components/link.ts'
import { arm64 } from '../../src/arch/arm64.ts'
import { createMessages } from '../../src/core/messages.ts'
import { createMemoryHost } from '../../src/host/memory.ts'
import { settle, version } from '../../src/settings.ts'
import type { LinkOptions } from '../../src/types.ts'
import { runPipeline } from '../../systems/index.ts'
import { assemble, compile } from '../helpers/clang.ts'

const MAIN = `
  static int seed = 3;
  __attribute__((noinline)) static int half(int x) { return x / 2 + seed; }
  static const char *const words[] = {"one", "two"};
  int other(int);
  int main(int argc, char **argv) { return half(argc) + other(argc) + words[argc & 1][0]; }`
const OTHER = `
  static long values[4] = {1, 2, 3, 4};
  __attribute__((noinline)) static long pick(int i) { values[i & 3]++; return values[i & 3]; }
  int other(int x) { return (int)pick(x); }`
const PLATFORM = { name: 'macos', minVersion: version(13), sdkVersion: version(13) } as const

interface Done {
  link: Link
  texts: string[]
}

/** Links the files as a large link does, or as a small one. */
async function linkFiles(
  paths: readonly string[],
  large: boolean,
  more: Partial<LinkOptions> = {},
  last = '',
): Promise<Done> {
  const host = { ...createMemoryHost(), collect: () => {} }
  const inputs = paths.map((file, i) => {
    host.put(`/in/${i}.o`, new Uint8Array(readFileSync(file)))
    return { path: `/in/${i}.o` }
  })
  const options = { inputs: [...inputs, { library: 'System' }], ...(large ? { threadsFrom: 0 } : {}), ...more }
  const messages = createMessages()
  const link = await runPipeline(settle(options, 'arm64', PLATFORM), arm64, host, messages, last)
  return { link, texts: messages.list.map(({ text }) => text) }
}

function assertSame(small: Done, large: Done): void {
  assert.deepEqual(large.texts, small.texts)
  assert.ok(Buffer.from(small.link.image).equals(large.link.image))
  assert.ok(Buffer.from(small.link.tail).equals(large.link.tail))
}

const DEBUG = { flags: ['-g'] }
const OBJECTS = () => [compile('arm64', MAIN), compile('arm64', OTHER)]

test('symbol and string tables of a large link lie apart, and go before it is laid out', async () => {
  const before = (await linkFiles(OBJECTS(), true, {}, 'load')).link
  assert.ok(before.arenas.list.some(({ isTables, bytes }) => isTables && bytes.length > 0))
  const after = (await linkFiles(OBJECTS(), true, {}, 'allocate')).link
  assert.ok(after.arenas.list.every(({ isTables, bytes }) => !isTables || bytes.length === 0))
  assert.ok(after.arenas.list[0].bytes.length > 0)
})

test('contents of inputs go once they have been copied', async () => {
  const { link } = await linkFiles(OBJECTS(), true, {}, 'writeIndirect')
  assert.equal(link.arenas.list[0].bytes.length, 0)
  assert.ok(link.arenas.list[link.names.pool].bytes.length > 0)
})

test('the output is that of inputs that are read whole', async () => {
  for (const more of [{}, { deadStrip: true }, { stripLocals: { except: ['_half'] } }, { fixupChains: false }])
    assertSame(await linkFiles(OBJECTS(), false, more), await linkFiles(OBJECTS(), true, more))
})

test('what debug maps and reports say is that of inputs that are read whole', async () => {
  const objects = [compile('arm64', MAIN, DEBUG), compile('arm64', OTHER, DEBUG)]
  assertSame(await linkFiles(objects, false), await linkFiles(objects, true))
  const [small, large] = [await linkFiles(objects, false, { map: true }), await linkFiles(objects, true, { map: true })]
  assertSame(small, large)
  assert.equal(large.link.reports.map, small.link.reports.map)
})

test('an object with contents behind its symbols is read whole', async () => {
  const bytes = new Uint8Array(readFileSync(compile('arm64', OTHER)))
  const view = new DataView(bytes.buffer)
  const moved = withContentsLast(bytes, view)
  const host = { ...createMemoryHost(), collect: () => {} }
  host.put('/moved.o', moved)
  const options = {
    inputs: [{ path: '/moved.o' }, { library: 'System' }],
    threadsFrom: 0,
    outputType: 'dylib' as const,
  }
  const messages = createMessages()
  const link = await runPipeline(settle(options, 'arm64', PLATFORM), arm64, host, messages, 'allocate')
  assert.deepEqual(messages.list, [])
  assert.ok(link.arenas.list[0].bytes.length > 0)
  assert.ok(link.arenas.list.every(({ isTables, words }) => !isTables || words.every((word) => word === 0)))
})

/** The object with a copy of its first section's contents behind its string table. */
function withContentsLast(bytes: Uint8Array, view: DataView): Uint8Array {
  const section = 32 + 72
  const [offset, size] = [view.getUint32(section + 48, true), view.getUint32(section + 40, true)]
  const moved = new Uint8Array(Math.ceil(bytes.length / 8) * 8 + size)
  moved.set(bytes)
  moved.set(bytes.subarray(offset, offset + size), moved.length - size)
  new DataView(moved.buffer).setUint32(section + 48, moved.length - size, true)
  return moved
}

test('a relocation that does not fit names a local symbol whose name has gone', async () => {
  const source = `
    .globl _main
    _main:
      adrp x0, _odd@PAGE
      ldr x0, [x0, _odd@PAGEOFF]
      ret
    .data
      .byte 1
    _odd:
      .byte 2
    .subsections_via_symbols`
  const objects = [assemble('arm64', source)]
  const [small, large] = [await linkFiles(objects, false), await linkFiles(objects, true)]
  assert.ok(small.texts.length > 0 && small.texts[0].includes('_odd'), small.texts.join())
  assert.deepEqual(large.texts, small.texts)
})

const DEBUG_SOURCE = `
  extern int missing(void);
  ${Array.from(
    { length: 4000 },
    (_, i) => `int f${i}(int x) { int y${i} = x * ${i}; return y${i} > 3 ? f0(y${i}) : x; }`,
  )
    .join('\n  ')
    .replaceAll('f0(y0)', 'y0')}
  int main(void) { return f1(2) + missing(); }`

test('debug information that only messages read is left in large objects, and read when there is a message', async () => {
  const object = compile('arm64', DEBUG_SOURCE, { flags: ['-g'], name: 'large' })
  const contents = new Uint8Array(readFileSync(object))
  assert.ok(contents.length > 1 << 20)
  const requests: [number, number][] = []
  const host = { ...createMemoryHost(), collect: () => {} }
  host.put('/large.o', contents)
  const { readInto } = host
  const readLarge: typeof readInto = (path, target, at, length, position) => {
    if (path === '/large.o') requests.push([position, length])
    return readInto(path, target, at, length, position)
  }
  const said = async (inputs: LinkOptions['inputs'], last: string) => {
    const messages = createMessages()
    const settings = settle({ inputs: [...inputs, { library: 'System' }], threadsFrom: 0 }, 'arm64', PLATFORM)
    await runPipeline(settings, arm64, { ...host, readInto: readLarge }, messages, last)
    return messages.list.map(({ text, notes }) => [text, ...notes].join('\n'))
  }
  await said([{ path: '/large.o' }], 'load')
  const read = requests.reduce((sum, [, length]) => sum + length, 0)
  assert.ok(read < contents.length * 0.9, `read ${read} of ${contents.length} bytes`)
  const fromFile = await said([{ path: '/large.o' }], '')
  assert.match(fromFile.join(), /undefined symbol: _missing\n.*large\.c:\d+/)
  assert.deepEqual(fromFile, await said([{ path: '/large.o', contents }], ''))
})
