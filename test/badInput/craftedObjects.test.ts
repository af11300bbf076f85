import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { assemble, compile } from '../helpers/clang.ts'
import { archs } from '../helpers/targets.ts'
import { type Outcome, attemptObject } from './attempt.ts'
import { startWatchdog } from './watchdog.ts'
import {
  command,
  MAIN,
  MAIN_SYMBOL,
  type MadeObject,
  type MadeSection,
  type MadeSymbol,
  makeObject,
} from './objectBuilder.ts'

startWatchdog()

const ZEROFILL = 1
const UNDEFINED_EXT = 1
const data = (size: number, more: MadeSection = {}): MadeSection => ({
  segment: '__DATA',
  name: '__data',
  contents: new Uint8Array(size),
  align: 3,
  ...more,
})
const withMain = (...sections: MadeSection[]): MadeObject => ({ sections: [MAIN, ...sections] })
const many = (count: number, make: (i: number) => MadeSection): MadeSection[] =>
  Array.from({ length: count }, (_, i) => make(i))
const common = (name: string, value: number): MadeSymbol => ({ name, type: UNDEFINED_EXT, section: 0, value })
/** symoff of an object with one section. */
const SYMBOLS_AT = 192
/** UNSIGNED, 8 bytes, extern. */
const pointerTo = (symbol: number): number => (symbol | 0x0e000000) >>> 0

function refuses(
  title: string,
  made: MadeObject,
  id: string,
  spoil: (bytes: Uint8Array, view: DataView) => void = () => {},
  forms = [true, false],
): void {
  test(`refuses ${title}`, async () => {
    for (const fixupChains of forms) {
      const bytes = makeObject(made)
      spoil(bytes, new DataView(bytes.buffer))
      const outcome = await attemptObject(bytes, fixupChains)
      assert.deepEqual([outcome.verdict, outcome.text], ['refused', outcome.text])
      assert.ok(outcome.ids.includes(id), `${outcome.ids}: ${outcome.text}`)
    }
  })
}

function links(
  title: string,
  made: MadeObject,
  check: (outcome: Outcome) => void = () => {},
  spoil: (view: DataView) => void = () => {},
): void {
  test(`links ${title}`, async () => {
    for (const fixupChains of [true, false]) {
      const bytes = makeObject(made)
      spoil(new DataView(bytes.buffer))
      const outcome = await attemptObject(bytes, fixupChains)
      assert.deepEqual([outcome.verdict, outcome.text], ['linked', ''])
      check(outcome)
    }
  })
}

links('the object that the others are made from', {})
refuses('an alignment of 2^32', withMain(data(8, { align: 32 })), 'bad-alignment')
refuses('an alignment of 2^31 that would fill the file', withMain(data(8, { align: 31 })), 'image-too-large')
refuses('an alignment of 2^30 that would fill the file', withMain(data(8, { align: 30 })), 'image-too-large')
refuses(
  'zero-fill of 4 GiB in all',
  withMain(...many(3, (i) => ({ segment: '__DATA', name: `__bss${i}`, flags: ZEROFILL, size: 0x7fffffff }))),
  'segment-too-large',
)
refuses(
  'a zero-fill section of 4 GiB',
  withMain({ segment: '__DATA', name: '__bss', flags: ZEROFILL, size: 16 }),
  'section-too-large',
  (_, view) => view.setUint32(32 + 72 + 80 + 44, 1, true),
)
refuses(
  'tentative definitions of 8 GiB',
  { symbols: [MAIN_SYMBOL, common('_a', 0xffffffff), common('_b', 0xffffffff)] },
  'segment-too-large',
)
links('a tentative definition of 1 GiB', { symbols: [MAIN_SYMBOL, common('_a', 0x40000000)] }, ({ image }) =>
  assert.ok(image!.length < 0x100000),
)
links(
  'zero-fill of 1 GiB without its bytes',
  withMain({ segment: '__DATA', name: '__bss', flags: ZEROFILL, size: 0x40000000 }),
  ({ image }) => assert.ok(image!.length < 0x100000),
)
refuses(
  'zero-fill with relocations',
  withMain({
    segment: '__DATA',
    name: '__bss',
    flags: ZEROFILL,
    size: 0x7fffffff,
    relocations: [[0x7ffffff0, pointerTo(0)]],
  }),
  'zero-fill-relocations',
)
refuses('a symbol in section 200 of 1', { symbols: [MAIN_SYMBOL, { name: '_x', section: 200 }] }, 'bad-symbol')
refuses('a symbol behind the end of its section', { symbols: [{ name: '_main', value: 5 }] }, 'symbol-outside-section')
refuses('a symbol without a name', { symbols: [MAIN_SYMBOL, { name: '' }] }, 'bad-symbol')
refuses(
  'symbols that all have one very long name',
  {
    symbols: [
      MAIN_SYMBOL,
      { name: `_${'x'.repeat(4 << 20)}` },
      ...Array.from({ length: 40000 }, () => ({ name: '_y' })),
    ],
  },
  'bad-symbol',
  (_, view) => {
    const records = view.getUint32(SYMBOLS_AT, true)
    for (let i = 2; i < 40002; i++) view.setUint32(records + i * 16, view.getUint32(records + 16, true), true)
  },
)
refuses('a string table that does not end', {}, 'bad-symbol', (bytes) => bytes.fill(0x41, bytes.length - 6))
links('N_INDR that nothing refers to', { symbols: [MAIN_SYMBOL, { name: '_alias', type: 0xb, section: 0, value: 1 }] })
refuses(
  'more output sections than a byte counts',
  withMain(...many(300, (i) => data(4, { name: `__s${i}` }))),
  'too-many-sections',
)
refuses(
  'more segments than opcodes count',
  withMain(...many(40, (i) => data(4, { segment: `__S${i}` }))),
  'too-many-sections',
  () => {},
  [false],
)
refuses(
  'more names of sections than there are columns',
  withMain(...many(2000, (i) => data(4, { name: `__s${i}` }))),
  'too-many-sections',
)
links('300 sections of one name', withMain(...many(300, () => data(4))))
refuses(
  'a cstring section without an end',
  withMain({ name: '__cstring', flags: 2, contents: Uint8Array.from([65, 66]) }),
  'unterminated-string',
)
links('an empty cstring section', withMain({ name: '__cstring', flags: 2, contents: new Uint8Array(0) }))
links('cstrings of one byte', withMain({ name: '__cstring', flags: 2, contents: Uint8Array.from([0]) }))
refuses(
  'initializers of 12 bytes',
  withMain(data(12, { name: '__mod_init_func', flags: 9, relocations: [[0, pointerTo(0)]] })),
  'bad-pointer-section',
)
refuses(
  'an initializer that is not code',
  {
    sections: [MAIN, data(8), data(8, { name: '__mod_init_func', flags: 9, relocations: [[0, pointerTo(1)]] })],
    symbols: [MAIN_SYMBOL, { name: '_x', section: 2, value: 16 }],
  },
  'bad-initializer',
  () => {},
  [true],
)
refuses(
  'thread-local descriptors of 16 bytes',
  withMain(data(16, { name: '__thread_vars', flags: 0x13 })),
  'bad-pointer-section',
)
refuses(
  'relocations that overlap',
  withMain(
    data(16, {
      relocations: [
        [0, pointerTo(0)],
        [4, pointerTo(0)],
      ],
    }),
  ),
  'bad-relocation',
)
refuses('a SUBTRACTOR alone', withMain(data(16, { relocations: [[0, 0x5e000000]] })), 'bad-relocation')
refuses('a relocation of symbol 9 of 1', withMain(data(16, { relocations: [[0, pointerTo(9)]] })), 'bad-relocation')
refuses('sections that share their bytes', withMain(...many(40, () => data(512))), 'sections-overlap', (_, view) => {
  for (let i = 1; i <= 40; i++) {
    view.setUint32(32 + 72 + i * 80 + 48, 0, true)
    view.setUint32(32 + 72 + i * 80 + 40, 20000, true)
  }
})
refuses('data-in-code outside of the code', { commands: [command(0x29, [0, 8])] }, 'bad-data-in-code', (_, view) =>
  view.setUint32(0, 0xfeedfacf, true),
)
refuses('a linker option of 2^32 words', { commands: [command(0x2d, [0xffffffff], '-lfoo')] }, 'bad-linker-option')
refuses('a load command of no bytes', { commands: [command(0x7777, [])] }, 'bad-load-command', (_, view) =>
  view.setUint32(32 + 152 + 24 + 4, 0, true),
)
links(
  'a load command of zeros, as padding, that ncmds counts 2^32 times',
  { commands: [command(0x2d, [1], '-lSystem\0'), new Uint8Array(64)] },
  () => {},
  (view) => view.setUint32(16, 0xffffffff, true),
)
refuses('names of 16 MiB', { symbols: [MAIN_SYMBOL, { name: 'x'.repeat(0x1000001) }] }, 'bad-symbol')
refuses(
  'many names that share a long string',
  { symbols: [MAIN_SYMBOL, { name: 'x'.repeat(100000) }, ...Array.from({ length: 5000 }, () => ({ name: '' }))] },
  'bad-symbol',
  (_, view) => {
    const symbols = view.getUint32(32 + 72 + 80 + 8, true)
    for (let i = 2; i < 5002; i++) view.setUint32(symbols + i * 16, 7, true)
  },
)

/** ncmds says one less than there are: the last is not a command. */
const forgetLast = (view: DataView): void => view.setUint32(16, view.getUint32(16, true) - 1, true)
const options = command(0x2d, [1], '-lSystem\0')
links('load commands with zeros behind the last one', { commands: [options, new Uint8Array(64)] }, () => {}, forgetLast)
links(
  'load commands with a huge one behind the last',
  { commands: [options, command(0x2d, [0xffffffff], 'x')] },
  () => {},
  (view) => {
    forgetLast(view)
    view.setUint32(32 + 152 + 24 + options.length + 4, 0xfffffff8, true)
  },
)

test('refuses unwind entries for code outside of __TEXT, as ld64.lld does, and links such code without', async () => {
  const source =
    'int f(void) __attribute__((section("__FOO,__code"))); int f(void) { return 1; } int main(void) { return f(); }'
  for (const arch of archs) {
    const read = (...flags: string[]) => new Uint8Array(readFileSync(compile(arch, source, { flags })))
    const refused = await attemptObject(read(), true, arch)
    assert.deepEqual([refused.verdict, [...new Set(refused.ids)]], ['refused', ['unwind-outside-text']])
    const linked = await attemptObject(
      read('-fno-asynchronous-unwind-tables', '-fno-unwind-tables', '-fno-exceptions'),
      true,
      arch,
    )
    assert.deepEqual([linked.verdict, linked.text], ['linked', ''])
  }
})

test('refuses a frame of __eh_frame that describes data', async () => {
  const frame = '.cfi_startproc\n.quad 1\n.cfi_escape 0x0f, 0x03, 0x77, 0x08, 0x06\n.quad 2\n.cfi_endproc'
  const source = `.globl _main\n_main: ret\n.section __DATA,__data\n_x: ${frame}\n`
  const refused = await attemptObject(new Uint8Array(readFileSync(assemble('x86_64', source))), true)
  assert.deepEqual([refused.verdict, [...new Set(refused.ids)]], ['refused', ['eh-frame-range']])
})

const absolute = (name: string, type: number, low: number, high: number): [MadeObject, (view: DataView) => void] => [
  { symbols: [MAIN_SYMBOL, { name, type, section: 0 }] },
  (view) => {
    const at = view.getUint32(32 + 152 + 8, true) + 16 + 8
    view.setUint32(at, low, true)
    view.setUint32(at + 4, high, true)
  },
]
const [negative, makeNegative] = absolute('_minus_one', 2, 0xffffffff, 0xffffffff)
links(
  'a local constant of -1',
  negative,
  ({ image }) => assert.ok(Buffer.from(image!).includes(Buffer.from('02000000ffffffffffffffff', 'hex'))),
  makeNegative,
)
const [wide, makeWide] = absolute('_wide', 3, 1, 0x00400000)
refuses('a constant that is not exact', wide, 'bad-symbol', (_, view) => makeWide(view))
refuses('stubs in an object', withMain(data(8, { flags: 8 })), 'bad-pointer-section')
refuses(
  'a huge addend to a symbol of another image',
  {
    sections: [
      MAIN,
      data(8, { contents: Uint8Array.from([1, 0, 0, 0, 0, 0, 0x40, 0]), relocations: [[0, pointerTo(1)]] }),
    ],
    symbols: [MAIN_SYMBOL, { name: '_puts', type: 1, section: 0 }],
  },
  'relocation-failed',
)
