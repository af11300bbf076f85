import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSynthetic } from '../../bench/synthetic.ts'
import { createMemoryHost, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { LC_SYMTAB, N_SECT } from '../../src/formats/macho/constants.ts'
import { compareImages } from '../compare/compareImages.ts'
import { describeDifferences } from '../compare/describeDifferences.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import {
  type Arch,
  archs,
  createTarget,
  forEachTarget,
  MACOS_13,
  targetOptions,
  type Target,
} from '../helpers/targets.ts'

/** What the padded layout may take of the tight one's file, and of one section. */
const MOST_FILE = 1.35
const MOST_SECTION = 1.5
/** Bytes of an entry, in the tables that have at least 64 slots, however few entries they hold. */
const ENTRY_SIZES: Record<string, number> = {
  '__TEXT,__stubs': 12,
  '__TEXT,__stub_helper': 12,
  '__DATA_CONST,__got': 8,
  '__DATA,__la_symbol_ptr': 8,
  '__DATA,__thread_ptrs': 8,
}

/** Sizes of an image's sections by `segment,section`. */
function sizesOf(bytes: Buffer): Map<string, number> {
  const found = new Map<string, number>()
  const text = (at: number) => bytes.toString('latin1', at, at + 16).replace(/\0.*/, '')
  let at = 32
  for (let command = bytes.readUInt32LE(16); command > 0; command--) {
    const count = bytes.readUInt32LE(at) === 0x19 ? bytes.readUInt32LE(at + 64) : 0
    for (let section = at + 72; section < at + 72 + count * 80; section += 80)
      found.set(`${text(section + 16)},${text(section)}`, Number(bytes.readBigUInt64LE(section + 40)))
    at += bytes.readUInt32LE(at + 4)
  }
  return found
}

/** Addresses by name; of names that several files have, none. */
function addresses(bytes: Buffer): Map<string, number> {
  const found = new Map<string, number>()
  const several = new Set<string>()
  let at = 32
  while (bytes.readUInt32LE(at) !== LC_SYMTAB) at += bytes.readUInt32LE(at + 4)
  const [symbols, count, strings] = [8, 12, 16].map((field) => bytes.readUInt32LE(at + field))
  for (let row = symbols; row < symbols + count * 16; row += 16) {
    const start = strings + bytes.readUInt32LE(row)
    const name = bytes.toString('latin1', start, bytes.indexOf(0, start))
    if ((bytes[row + 4] & 0x0e) !== N_SECT) continue
    if (found.has(name)) several.add(name)
    found.set(name, Number(bytes.readBigUInt64LE(row + 8)))
  }
  for (const name of several) found.delete(name)
  return found
}

/** Names whose address is another in the second image, of those in both. */
function moved(before: Buffer, after: Buffer): string[] {
  const now = addresses(after)
  return [...addresses(before)]
    .filter(([name, address]) => now.has(name) && now.get(name) !== address)
    .map(([name]) => name)
    .sort()
}

async function linkPadded(target: Target, inputs: readonly string[]): Promise<Buffer> {
  const { outputFiles } = await link({
    inputs: [...inputs, libSystem],
    ...targetOptions(target),
    layout: 'padded',
    write: false,
  })
  return Buffer.from(outputFiles[0].contents)
}

forEachTarget((target) => {
  test(`a padded program runs, says what the tight one says, and is not much larger (${target.name})`, () => {
    const synthetic = makeSynthetic({ arch: target.arch, objects: 50, functions: 40 }, tempFolder())
    const images = ['padded', 'tight'].map((layout) => {
      const output = join(tempFolder(), layout)
      const flags = [`@${synthetic.response}`, '-ignore_optimization_hints', `--layout=${layout}`]
      const { status, stderr } = colonnade([...target.flags, ...flags, '-o', output])
      assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
      return output
    })
    verifyImage(target, images[0])
    assert.equal(runImage(target, images[0]).stdout, `${synthetic.expected}\n`)
    const inputs = synthetic.inputs.map((name) => ({ name, bytes: readFileSync(name) }))
    const [padded, tight] = images.map((image) => readFileSync(image))
    const { differences } = compareImages(padded, tight, { inputs })
    const others = differences.filter(({ kind, subject }) => kind !== 'order' || !subject.endsWith(' symbols'))
    assert.deepEqual(describeDifferences(others, 5), [])
    assert.ok(padded.length <= tight.length * MOST_FILE, `${padded.length} of ${tight.length}`)
    const sizes = sizesOf(tight)
    for (const [name, size] of sizesOf(padded)) {
      const most = sizes.get(name)! * MOST_SECTION + (ENTRY_SIZES[name] ?? 0) * 64
      assert.ok(size <= most, `${name}: ${size} of ${sizes.get(name)}`)
    }
  })
})

const OTHER = (i: number) =>
  `int other${i}(int x) { return x * ${i + 3}; } int kept${i} = ${i + 1}; const int table${i}[] = { ${i}, 2, 3 };`
const others = (arch: Arch, count = 3) =>
  Array.from({ length: count }, (_, i) => compile(arch, OTHER(i), { name: `other${i}` }))
const PART = (body: string, more = '') => `
  int volatile seen;
  int one(int x) { return x + 1; }
  int two(int x) { ${body} return x + 2; }
  int three(int x) { for (int i = 0; i < x; i++) { seen += i; seen ^= x; seen -= 7; seen *= 3; } return seen; }
  int four(int x) { for (int i = 0; i < x; i++) { seen += x; seen ^= i; seen -= 9; seen *= 5; } return seen; }
  ${Array.from({ length: 20 }, (_, i) => `int more${i}(int x) { return x * ${i + 11} + seen * ${i}; }`).join('\n')}
  ${more}
`
/** Of the file above, and of those that share a region with it when they are second to eighth on the command line. */
const OWN = /^_(one|two|three|four|more\d+)$/
const SHARING = /^_other[0-5]$/

for (const arch of archs) {
  const target = createTarget(arch, 'chained')
  const inputs = (part: string, count = 3) => [
    compile(arch, 'int other0(int); int main(int c, char **v) { return other0(c); }', { name: 'main' }),
    compile(arch, part, { name: 'part', flags: ['-fno-unroll-loops', '-fno-vectorize'] }),
    ...others(arch, count),
  ]

  test(`a function that stays in its size class moves nothing (${arch})`, async () => {
    const statement = 'seen = x;'
    const sizes = new Set<number>()
    let before: Buffer | null = null
    let quiet = 0
    for (let count = 16; count < 26; count++) {
      const after = await linkPadded(target, inputs(PART(statement.repeat(count))))
      const places = addresses(after)
      sizes.add(places.get('_three')! - places.get('_two')!)
      if (before !== null && moved(before, after).length === 0) quiet++
      before = after
    }
    assert.ok(quiet >= 4, `${quiet} of 9`)
    assert.ok(sizes.size > 1, 'the function leaves its class at last')
  })

  test(`functions more move only what stands behind them in the region of their file and its small neighbours (${arch})`, async () => {
    const before = await linkPadded(target, inputs(PART(''), 10))
    const isElsewhere = (name: string) => !OWN.test(name) && !SHARING.test(name)
    let quiet = 0
    for (let count = 1; count <= 3; count++) {
      const added = Array.from({ length: count }, (_, i) => `int added${i}(int x) { return x * ${i + 5}; }`).join('\n')
      const behind = await linkPadded(target, inputs(PART('', added), 10))
      const ahead = await linkPadded(target, inputs(PART('').replace('int one', `${added} int one`), 10))
      assert.ok(addresses(behind).has(`_added${count - 1}`))
      const elsewhere = moved(before, ahead).filter(isElsewhere)
      if (elsewhere.length === 0) quiet++
      assert.ok(moved(before, ahead).includes('_one'))
      assert.ok(moved(before, behind).includes('_other0'))
      assert.deepEqual(
        moved(before, behind).filter((name) => !SHARING.test(name)),
        elsewhere,
      )
    }
    assert.ok(quiet >= 2, `${quiet} of 3`)
  })

  test(`a file of some size has a region of its own (${arch})`, async () => {
    const large = (more: string) => PART('', `${more} __asm__(".space 9000");`)
    const before = await linkPadded(target, inputs(large('')))
    const after = await linkPadded(target, inputs(large('int added(int x) { return x * 5; }')))
    assert.ok(addresses(after).has('_added'))
    assert.deepEqual(moved(before, after), [])
  })

  test(`room in code is filled with instructions that trap (${arch})`, async () => {
    const image = join(tempFolder(), 'out')
    writeFileSync(image, await linkPadded(target, inputs(PART(''))))
    const code = mustRun('llvm-objdump-22', ['-d', '--no-show-raw-insn', image])
    assert.match(code, arch === 'arm64' ? /\budf\b/ : /\bint3\b/)
  })

  test(`sections that are counted, walked or bounded by symbols stay packed (${arch})`, async () => {
    const source = `
      extern const char from[] __asm("section$start$__DATA$__const"), to[] __asm("section$end$__DATA$__const");
      int one = 1, two = 2, three = 3;
      int *const list[] = { &one, &two, &three };
      int *const more[] = { &one };
      __attribute__((section("__DATA,__mine"), used)) static int *mine[] = { &one, &two };
      __attribute__((section("__DATA,__mine"), used)) static int *again[] = { &three };
      static __thread int a = 1, b = 2;
      int main(void) { return to - from + a + b + *list[1] + *more[0]; }
    `
    const image = await linkPadded(target, [compile(arch, source, { flags: ['-O0'] })])
    const sizes = sizesOf(image)
    for (const [name, size] of [
      ['__DATA_CONST,__const', 32],
      ['__DATA,__mine', 24],
      ['__DATA,__thread_vars', 48],
      ['__DATA,__thread_data', 8],
    ] as const)
      assert.equal(sizes.get(name), size, name)
  })

  test(`an end label stays at the end of what it ends (${arch})`, async () => {
    const source = `
      .data
      .globl _list, _end
      .p2align 3
      _list: .quad 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
      _end:
      .text
      .globl _main
      _main: ret
      .subsections_via_symbols
    `
    const places = addresses(await linkPadded(target, [assemble(arch, source)]))
    assert.equal(places.get('_end')! - places.get('_list')!, 88)
  })
}

test('the layout does not depend on where the inputs come from', async () => {
  const inputs = [compile('arm64', `${PART('')} int main(void) { return one(1); }`), ...others('arm64')]
  const options: LinkOptions = {
    inputs: [...inputs, { library: 'System' }],
    arch: 'arm64',
    platform: MACOS_13,
    layout: 'padded',
    stripDebug: true,
    write: false,
  }
  const inMemory = inputs.map((path) => ({ path, contents: readFileSync(path) }))
  const one = await link(options)
  const other = await link({ ...options, inputs: [...inMemory, { library: 'System' }], host: createMemoryHost() })
  assert.deepEqual(Buffer.from(one.outputFiles[0].contents), Buffer.from(other.outputFiles[0].contents))
})

test('thunks serve branches that do not reach, between blocks with room', async () => {
  const far = (i: number) => `
    .text
    .p2align 2
    .globl _far${i}
  _far${i}:
    stp x29, x30, [sp, #-16]!
    bl _back
    bl _near
    mov w0, #-3
    bl _abs
    ldp x29, x30, [sp], #16
    ret
    .globl _room${i}
  _room${i}:
    .space 3060
    .subsections_via_symbols
  `
  const calls = `
    int puts(const char *); int far0(int), far1(int), far2(int);
    int back(int x) { return x * 3; }
    int near(int x) { return x + 1; }
    int main(int argc, char **argv) { puts("padded"); return far0(1) * 100 + far1(2) + far2(argc) - 306; }
  `
  const inputs = [
    compile('arm64', calls, { name: 'calls', flags: ['-fno-inline'] }),
    ...[0, 1, 2].map((i) => assemble('arm64', far(i), { name: `far${i}` })),
    libSystem,
  ]
  for (const fixups of ['chained', 'opcodes'] as const) {
    const output = join(tempFolder(), 'out')
    const options: LinkOptions = {
      inputs,
      arch: 'arm64',
      platform: MACOS_13,
      fixupChains: fixups === 'chained',
      output,
    }
    const target = createTarget('arm64', fixups)
    for (const branchReach of [3400, 4096, 6000]) {
      await link({ ...options, branchReach, layout: 'padded' })
      verifyImage(target, output)
      const { status, stdout } = runImage(target, output)
      assert.deepEqual([status, stdout], [0, 'padded\n'])
      assert.match(mustRun('llvm-nm-22', [output]), /_back\.thunk\.0/)
    }
  }
})

test('the layout is named by --layout=, and another name is an error', () => {
  const object = compile('arm64', 'int main(void) { return 0; }')
  const { status, stderr } = colonnade([...createTarget('arm64', 'chained').flags, '--layout=loose', object])
  assert.equal(status, 1)
  assert.match(stderr, /--layout=: expected tight or padded, but got 'loose'/)
})
