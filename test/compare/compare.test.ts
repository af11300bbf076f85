import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as C from '../../src/formats/macho/constants.ts'
import { type Comparison, compareImages } from './compareImages.ts'
import { globalAddress, type Image, offsetAt, readImage } from './image.ts'
import type { InputFile } from './inputs.ts'
import { findCommand, type Section } from './machOFile.ts'

const SOURCES: Record<string, string> = {
  'one.c': `
    extern int puts(const char *); extern int printf(const char *, ...);
    extern int shared(int); extern int table[]; extern int pick(int); extern double scale(double);
    extern int weird(void) __attribute__((weak_import));
    _Thread_local int counter = 7; static _Thread_local int hidden;
    static int state = 3; static int zero[9];
    int *into = &table[3]; const char *text = "hello" ; int (*hook)(const char *) = puts;
    static int helper(int x) { state += x; zero[x & 7] = x; return state * 3; }
    __attribute__((constructor)) static void begin(void) { state = 5; }
    __asm__(".globl _odd\\n.p2align 4\\n_odd:\\n.cfi_startproc\\n.cfi_escape 0x2e, 0x10\\nret\\n.cfi_endproc");
    int main(int n, char **v) {
      hidden += counter++; puts(text); puts("same words");
      if (weird) n += weird();
      return helper(n) + shared(n) + pick(n) + (int)scale(n * 1.25) + *into + hidden + hook("x");
    }`,
  'two.c': `
    extern int puts(const char *); int table[8] = {1, 2, 3, 4, 5, 6, 7, 8}; int tentative[5];
    static int state = 4; static const int weights[] = {5, 9, 1, 7, 3, 2, 8, 6, 4, 0};
    static int helper(int x) { return (state -= x) ^ weights[x % 10]; }
    int (*const steps[])(int) = {helper, helper};
    int shared(int x) { puts("same words"); tentative[1] = x; return helper(x) + steps[x & 1](x); }
    double scale(double d) { return d * 3.14159 + (float)d * 2.5f; }
    extern void deep(void *);
    int pick(int n) {
      switch (n) { case 0: return shared(3); case 1: puts("a"); return 9; case 2: puts("b"); return 1;
        case 3: puts("c"); return scale(n); case 4: return table[n]; case 5: puts("d"); return 77; case 6: return -n; }
      return 0; }`,
  'three.cpp': `
    extern "C" int puts(const char *);
    struct Guard { ~Guard(); int n; }; Guard::~Guard() { puts("gone"); }
    struct Base { virtual int run(int); virtual ~Base(); }; struct Sub : Base { int run(int) override; };
    int Base::run(int x) { return x; } Base::~Base() {} int Sub::run(int x) { if (x > 4) throw x; return x; }
    template <class T> int twice(T x) { static int calls; return x + x + ++calls; }
    Sub object; Base *chosen = &object;
    extern "C" int guarded(int x) {
      Guard g; try { return chosen->run(x) + twice(x); } catch (int e) { puts("caught"); return e; } }`,
}

const SYSTEM = `_puts, _printf, dyld_stub_binder, __tlv_bootstrap, __Unwind_Resume, ___cxa_atexit, _weird`
const CXX = `___gxx_personality_v0, ___cxa_allocate_exception, ___cxa_throw, ___cxa_begin_catch, ___cxa_end_catch, __ZTIi,
  __ZTVN10__cxxabiv117__class_type_infoE, __ZTVN10__cxxabiv120__si_class_type_infoE, __ZSt9terminatev, __ZdlPv, __ZdlPvm`

function stub(name: string, symbols: string): string {
  return `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/lib/${name}.dylib'
current-version: 12.3
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ ${symbols} ]
...
`
}

function run(command: string, ...words: string[]): void {
  const done = spawnSync(command, words, { encoding: 'utf8' })
  assert.equal(done.status, 0, `${command} ${words.join(' ')}\n${done.stderr}`)
}

interface Fixture {
  dir: string
  arch: string
  inputs: InputFile[]
  link: (order: string[], ...options: string[]) => Uint8Array
}

function makeFixture(arch: string): Fixture {
  const dir = mkdtempSync(join(tmpdir(), 'compare-'))
  writeFileSync(join(dir, 'libSystem.tbd'), stub('libSystem.B', SYSTEM))
  writeFileSync(join(dir, 'libcxx.tbd'), stub('libc++.1', CXX))
  for (const [name, text] of Object.entries(SOURCES)) {
    writeFileSync(join(dir, name), text)
    const debug = name === 'two.c' ? ['-g'] : []
    run(
      'clang-22',
      '-target',
      `${arch}-apple-macos13`,
      '-O1',
      ...debug,
      '-c',
      join(dir, name),
      '-o',
      join(dir, object(name)),
    )
  }
  const names = Object.keys(SOURCES).map(object)
  const inputs = names.map((name) => ({ name, bytes: readFileSync(join(dir, name)) }))
  const link = (order: string[], ...options: string[]) => {
    const out = join(dir, 'image')
    const fixed = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', '-ignore_optimization_hints']
    const files = [...order.map((name) => join(dir, name)), join(dir, 'libSystem.tbd'), join(dir, 'libcxx.tbd')]
    run('ld64.lld-22', ...fixed, ...options, ...files, '-o', out)
    return new Uint8Array(readFileSync(out))
  }
  return { dir, arch, inputs, link }
}

const object = (source: string) => source.replace(/\..*/, '.o')
const ORDER = ['one.o', 'two.o', 'three.o']

function kindsOf(result: Comparison): string[] {
  return [...new Set(result.differences.map((d) => d.kind))].sort()
}

function planted(f: Fixture, options: string[], edit: (bytes: Uint8Array, view: DataView, image: Image) => void) {
  const theirs = f.link(ORDER, ...options)
  const ours = theirs.slice()
  edit(ours, new DataView(ours.buffer), readImage(theirs))
  return compareImages(ours, theirs, { inputs: f.inputs })
}

function assertFinds(result: Comparison, kind: string, subject: RegExp): void {
  const found = result.differences.filter((d) => d.kind === kind)
  const all = result.differences.map((d) => `${d.kind}: ${d.subject}`).join('\n')
  assert.ok(
    found.some((d) => subject.test(d.subject)),
    `no ${kind} difference of ${subject} in:\n${all}`,
  )
}

function sectionOf(image: Image, name: string): Section {
  const section = image.file.sections.find((s) => s.name === name)
  assert.ok(section, `no section ${name}`)
  return section
}

function offsetOfSymbol(image: Image, name: string): number {
  const address = globalAddress(image, name)
  assert.ok(address !== null, `no symbol ${name}`)
  return offsetAt(image, address)
}

for (const arch of ['arm64', 'x86_64']) {
  describe(`comparing two ${arch} images`, () => {
    let f: Fixture
    before(() => {
      f = makeFixture(arch)
    })
    after(() => rmSync(f.dir, { recursive: true }))

    for (const form of ['-fixup_chains', '-no_fixup_chains']) {
      test(`finds nothing between an image and itself (${form})`, () => {
        const image = f.link(ORDER, form)
        const result = compareImages(image, image.slice(), { inputs: f.inputs })
        assert.deepEqual(result.differences, [])
        for (const kind of ['bytes', 'field', 'fixup', 'export', 'unwind', 'symbol', 'stabs', 'indirect', 'literal']) {
          assert.ok(result.compared[kind]! > 0, `compared no ${kind}`)
        }
      })

      test(`finds only the order when the objects are linked in another order (${form})`, () => {
        const ours = f.link(ORDER, form)
        const theirs = f.link(['three.o', 'two.o', 'one.o'], form)
        const result = compareImages(ours, theirs, { inputs: f.inputs })
        assert.deepEqual(
          result.differences.filter((d) => d.kind !== 'order'),
          [],
        )
        assert.ok(result.differences.length > 0)
      })

      test(`finds a changed addend of a pointer (${form})`, () => {
        const result = planted(f, [form], (_, view, image) => {
          const at = offsetOfSymbol(image, '_into')
          view.setUint8(at, view.getUint8(at) + 4)
        })
        assertFinds(result, 'fixup', /^_into$/)
        assertFinds(result, 'field', /^_into\+0$/)
        assert.deepEqual(kindsOf(result), ['field', 'fixup'])
      })
    }

    test('finds no differences without inputs in images of equal layout', () => {
      const image = f.link(ORDER)
      assert.deepEqual(compareImages(image, image.slice()).differences, [])
    })

    test('finds a changed byte of code', () => {
      const result = planted(f, [], (bytes, _, image) => {
        bytes[offsetOfSymbol(image, '_scale')]! ^= 1
      })
      assertFinds(result, 'bytes', /^_scale$/)
      assert.deepEqual(kindsOf(result), ['bytes'])
    })

    test('finds a call to another place', () => {
      const result = planted(f, [], (_, view, image) => {
        const from = offsetOfSymbol(image, '_main')
        let at = from
        if (f.arch === 'x86_64') {
          while (view.getUint8(at) !== 0xe8) at++
          view.setInt32(at + 1, view.getInt32(at + 1, true) + 6, true)
        } else {
          while (view.getUint32(at, true) >>> 26 !== 0x25) at += 4
          view.setUint32(at, view.getUint32(at, true) + 3, true)
        }
      })
      assertFinds(result, 'field', /^_main\+\d+$/)
      assert.deepEqual(kindsOf(result), ['field'])
    })

    test('finds a symbol that lies in another section', () => {
      const ours = f.link(ORDER, '-rename_section', '__DATA', '__data', '__DATA', '__moved')
      const result = compareImages(ours, f.link(ORDER), { inputs: f.inputs })
      assertFinds(result, 'section', /^_table$/)
      assertFinds(result, 'symbol', /^_table$/)
      assertFinds(result, 'section header', /^__DATA,__moved$/)
    })

    test('finds a missing export', () => {
      const ours = f.link(ORDER, '-unexported_symbol', '_shared')
      const result = compareImages(ours, f.link(ORDER), { inputs: f.inputs })
      assertFinds(result, 'export', /^_shared$/)
      assert.equal(result.differences.find((d) => d.kind === 'export')!.ours, null)
    })

    test('finds dropped rebases', () => {
      const result = planted(f, ['-no_fixup_chains'], (bytes, view, image) => {
        const info = findCommand(image.file, C.LC_DYLD_INFO_ONLY)!
        bytes[view.getUint32(info.offset + 8, true)] = C.REBASE_OPCODE_DONE
      })
      assertFinds(result, 'fixup', /^_into$/)
      assert.equal(result.differences.find((d) => d.kind === 'fixup' && d.subject === '_into')!.ours, null)
    })

    test('finds a bind to another library, in opcodes and in chains', () => {
      const opcodes = planted(f, ['-no_fixup_chains'], (bytes, view, image) => {
        const info = findCommand(image.file, C.LC_DYLD_INFO_ONLY)!
        let at = view.getUint32(info.offset + 16, true)
        while ((bytes[at]! & 0xf0) !== C.BIND_OPCODE_SET_DYLIB_ORDINAL_IMM) at++
        bytes[at]! ^= 3
      })
      assert.ok(kindsOf(opcodes).includes('fixup'))
      const chains = planted(f, ['-fixup_chains'], (bytes, view, image) => {
        const at = view.getUint32(findCommand(image.file, C.LC_DYLD_CHAINED_FIXUPS)!.offset + 8, true)
        bytes[at + view.getUint32(at + 8, true)]! ^= 3
      })
      assert.ok(kindsOf(chains).includes('fixup'))
    })

    test('finds another library ordinal and another description of a symbol', () => {
      const result = planted(f, [], (_, view, image) => {
        const table = view.getUint32(findCommand(image.file, C.LC_SYMTAB)!.offset + 8, true)
        const undefinedOne = image.file.symbols.find((s) => s.name === '_puts' && s.sect === 0)!
        view.setUint16(table + undefinedOne.index * 16 + 6, 2 << 8, true)
        const defined = image.file.symbols.find((s) => s.name === '_table' && s.type < 0x20)!
        view.setUint16(table + defined.index * 16 + 6, C.N_WEAK_DEF, true)
      })
      assertFinds(result, 'symbol', /^_puts$/)
      assertFinds(result, 'symbol', /^_table$/)
      assert.equal(result.differences.length, 2)
    })

    test('finds a wrong unwind encoding and a wrong personality', () => {
      const encoding = planted(f, [], (bytes, view, image) => {
        const section = sectionOf(image, '__unwind_info')
        bytes[section.offset + view.getUint32(section.offset + 4, true)]! ^= 2
      })
      assert.deepEqual(kindsOf(encoding), ['unwind'])
      const personality = planted(f, [], (bytes, view, image) => {
        const section = sectionOf(image, '__unwind_info')
        bytes[section.offset + view.getUint32(section.offset + 12, true)]! ^= 8
      })
      assertFinds(personality, 'unwind', /^_guarded$/)
    })

    test('finds a wrong address of a language-specific data area', () => {
      const result = planted(f, [], (bytes, view, image) => {
        const { offset } = sectionOf(image, '__unwind_info')
        const index = offset + view.getUint32(offset + 20, true)
        bytes[offset + view.getUint32(index + 8, true) + 4]! ^= 4
      })
      assert.deepEqual(kindsOf(result), ['unwind'])
    })

    test('finds swapped entries of the indirect table', () => {
      const result = planted(f, [], (_, view, image) => {
        const table = view.getUint32(findCommand(image.file, C.LC_DYSYMTAB)!.offset + 56, true)
        const at = table + sectionOf(image, '__stubs').reserved1 * 4
        const first = view.getUint32(at, true)
        view.setUint32(at, view.getUint32(at + 4, true), true)
        view.setUint32(at + 4, first, true)
      })
      assert.deepEqual(kindsOf(result), ['indirect'])
      assert.equal(result.differences.length, 2)
    })

    test('finds a changed string, function start and entry of the debug map', () => {
      const result = planted(f, [], (bytes, view, image) => {
        bytes[sectionOf(image, '__cstring').offset]! ^= 1
        bytes[view.getUint32(findCommand(image.file, C.LC_FUNCTION_STARTS)!.offset + 8, true)]! ^= 4
        const table = view.getUint32(findCommand(image.file, C.LC_SYMTAB)!.offset + 8, true)
        const path = image.file.symbols.find((s) => s.type === C.N_OSO)!
        view.setUint32(table + path.index * 16 + 8, 1, true)
      })
      for (const kind of ['literal', 'function start', 'stabs']) assert.ok(kindsOf(result).includes(kind), kind)
    })

    test('finds changes of headers and load commands', () => {
      const result = planted(f, [], (_, view, image) => {
        view.setUint32(24, image.file.flags ^ C.MH_PIE, true)
        const dylib = findCommand(image.file, C.LC_LOAD_DYLIB)!
        view.setUint32(dylib.offset + 16, 0x10000, true)
        const segment = findCommand(image.file, C.LC_SEGMENT_64)!
        view.setUint32(segment.offset + segment.size + 56, 7, true)
        view.setUint32(segment.offset + segment.size + 72 + 52, 7, true)
      })
      assert.deepEqual(kindsOf(result), ['header', 'load command', 'section header', 'segment'])
      assert.equal(result.differences.length, 4)
    })

    test('finds changed frame instructions', () => {
      const result = planted(f, [], (bytes, _, image) => {
        const section = sectionOf(image, '__eh_frame')
        bytes[section.offset + 13]! ^= 1
      })
      assert.deepEqual(kindsOf(result), ['frame'])
    })

    test('finds a wrong offset in a thread-local descriptor', () => {
      const result = planted(f, [], (bytes, _, image) => {
        const counter = globalAddress(image, '_counter')!
        bytes[offsetAt(image, counter) + 16]! ^= 4
      })
      assertFinds(result, 'field', /^_counter\+16$/)
    })

    test('finds a pointer slot that holds another symbol', () => {
      const result = planted(f, ['-fixup_chains'], (_, view, image) => {
        const { offset } = sectionOf(image, '__got')
        const low = (at: number) => view.getUint32(at, true)
        const [first, second] = [low(offset), low(offset + 8)]
        view.setUint32(offset, second, true)
        view.setUint32(offset + 8, first, true)
      })
      assert.ok(result.differences.length > 0)
    })

    test('finds an unrelaxed load from where the other image computes the address', () => {
      const result = planted(f, [], (_, view, image) => {
        const from = offsetOfSymbol(image, '_main')
        let at = from
        if (f.arch === 'x86_64') {
          while (view.getUint16(at) !== 0x488d || (view.getUint8(at + 2) & 0xc7) !== 5) at++
          view.setUint8(at + 1, 0x8b)
        } else {
          while ((view.getUint32(at, true) & 0xffc00000) >>> 0 !== 0x91000000) at += 4
          view.setUint32(at, (view.getUint32(at, true) & 0x3fffff) | 0xf9400000, true)
        }
      })
      assertFinds(result, 'bytes', /^_main$/)
    })

    test('tells of a table that cannot be read and compares the others', () => {
      const result = planted(f, [], (_, view, image) => {
        view.setUint32(sectionOf(image, '__unwind_info').offset, 9, true)
        view.setUint32(24, image.file.flags ^ C.MH_PIE, true)
      })
      assertFinds(result, 'unreadable', /^addUnwindFacts$/)
      assertFinds(result, 'header', /^flags$/)
    })

    test('counts what an exception matches apart', () => {
      const theirs = f.link(ORDER)
      const ours = theirs.slice()
      new DataView(ours.buffer).setUint32(24, 0, true)
      const exception = { id: 'flags', reason: 'test', matches: (d: { kind: string }) => d.kind === 'header' }
      const result = compareImages(ours, theirs, { inputs: f.inputs, exceptions: [exception] })
      assert.deepEqual(result.differences, [])
      assert.deepEqual(result.excepted, { flags: 1 })
    })

    test('prints differences by kind and their number last, and exits with 1 if there are any', () => {
      const [ours, theirs] = [join(f.dir, 'ours'), join(f.dir, 'theirs')]
      writeFileSync(ours, f.link(ORDER))
      writeFileSync(theirs, f.link(ORDER, '-unexported_symbol', '_shared'))
      const cli = fileURLToPath(new URL('./cli.js', import.meta.url))
      const inputs = ORDER.map((name) => join(f.dir, name))
      const call = (...files: string[]) =>
        spawnSync(process.execPath, [cli, ...files, '--inputs', ...inputs, '--most', '1'], { encoding: 'utf8' })
      const same = call(ours, ours)
      assert.equal(same.status, 0, same.stderr)
      assert.match(same.stdout, /\n0 differences\n$/)
      const other = call(ours, theirs)
      assert.equal(other.status, 1, other.stderr)
      assert.match(other.stdout, /^export: 1\n {2}_shared\n/m)
      assert.match(other.stdout, /\n\d+ differences\n$/)
    })
  })
}

test('the list of exceptions has at most 15', async () => {
  const { exceptions } = await import('./exceptions.ts')
  assert.ok(exceptions.length <= 15)
  assert.equal(new Set(exceptions.map((e) => e.id)).size, exceptions.length)
})
