// Objects that are opened again, and those that a compiler wrote.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { type BlockHandle, type BlockUpdate, createImage, openImage } from '../../src/blocks.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { libcxx, libSystem } from '../helpers/paths.ts'
import { archs, forEachTarget } from '../helpers/targets.ts'
import { functionOf, save } from './build.ts'
import { linkAndRun } from './linkAndRun.ts'

/** Offset in the file: header, segment command, offset in section_64. */
const FIRST_SECTION_FLAGS = 32 + 72 + 64
const TEMPLATE = `.section __DATA,__thread_data,thread_local_regular
_x$tlv$init: .long 5, 6
.section __DATA,__thread_vars,thread_local_variables
_x: .quad __tlv_bootstrap, 0
`
/** Of a frame. */
const FRAME = { arm64: 0x04000000, x86_64: 0x01000000 } as const

/** Calls a function in a frame of its own. */
function callOf(arch: 'arm64' | 'x86_64', target: BlockHandle): BlockUpdate {
  const unwind = { encoding: FRAME[arch] }
  if (arch === 'x86_64') {
    // push %rbp; mov %rsp, %rbp; call; pop %rbp; ret
    const code = Uint8Array.of(0x55, 0x48, 0x89, 0xe5, 0xe8, 0, 0, 0, 0, 0x5d, 0xc3)
    return { code, relocations: [{ offset: 5, type: 'X86_64_RELOC_BRANCH', target }], unwind }
  }
  // stp x29, x30, [sp, #-16]!; mov x29, sp; bl; ldp x29, x30, [sp], #16; ret
  const words = Uint32Array.of(0xa9bf7bfd, 0x910003fd, 0x94000000, 0xa8c17bfd, 0xd65f03c0)
  return {
    code: new Uint8Array(words.buffer),
    relocations: [{ offset: 8, type: 'ARM64_RELOC_BRANCH26', target }],
    unwind,
  }
}

const C = `
int printf(const char *, ...);
static int counter = 3;
int zero[4];
static int hidden;
const int table[3] = { 1, 20, 300 };
int *const pointer = &counter;
_Thread_local int local = 5;
static const char *names[] = { "even", "odd" };
__attribute__((noinline)) double half(double x) { return x * 0.3; }
__attribute__((noinline)) int step(int x) { return x + 1; }
__attribute__((weak)) int shared(void) { return 7; }
__attribute__((noinline)) int f(int x) {
  printf("%d %s\\n", x, names[x & 1]);
  return step(x) + counter++ + hidden + local++;
}
int main() {
  hidden++;
  printf("%d %d\\n", f(3), f(4));
  printf("%d %d %d %d\\n", (int)half(10), *pointer, table[1] + zero[2], shared());
  return 0;
}`

const CXX = `
extern "C" int printf(const char *, ...);
static volatile int three = 3;
extern "C" __attribute__((noinline)) int amount() { return three; }
struct Says { ~Says() { printf("left\\n"); } };
template <class T> __attribute__((noinline)) T risky(T x) { Says says; if (x > 1) throw x; return x; }
int main() {
  int caught = 0;
  try { caught = risky(1); risky(amount()); } catch (int x) { caught += x * 10; }
  printf("%d\\n", caught);
  return 0;
}`

forEachTarget((target) => {
  const { arch } = target
  for (const optimize of ['-O0', '-O2'] as const)
    test(`a compiler's object is opened, and one function changed (${target.name}, ${optimize})`, async () => {
      const image = openImage(readFileSync(compile(arch, C, { flags: [optimize] })))
      assert.equal(await linkAndRun(target, [save(image.flush(), 'opened.o')]), '3 odd\n4 even\n13 16\n3 5 20 7\n')
      image.updateBlock(image.lookup('_step')!, {
        ...functionOf(arch, [{ add: 100 }]),
        unwind: { encoding: FRAME[arch] },
      })
      const result = image.flush()
      assert.equal(await linkAndRun(target, [save(result, 'edited.o')]), '3 odd\n4 even\n112 115\n3 5 20 7\n')
      // What was written is opened again, and only length of code that is padded may be another.
      const again = openImage(Uint8Array.from(result.contents!)).flush().contents!
      assert.ok(Buffer.from(openImage(again).flush().contents!).equals(again))
    })

  test(`exceptions pass functions of an object that was opened (${target.name})`, async () => {
    const image = openImage(readFileSync(compile(arch, CXX, { language: 'c++' })))
    const libraries = [libSystem, libcxx]
    const run = (name: string) => linkAndRun(target, [save(image.flush(), name)], 0, libraries)
    assert.equal(await run('opened.o'), 'left\nleft\n31\n')
    image.updateBlock(image.lookup('_amount')!, functionOf(arch, [{ add: 4 }], 'zero'))
    assert.equal(await run('edited.o'), 'left\nleft\n41\n')
  })

  test(`blocks of an object bring unwind information (${target.name})`, async () => {
    const image = createImage({ arch, outputType: 'object' })
    const [passed, thrower] = [image.declareBlock('_passed'), image.declareUndefined('_thrower')]
    image.updateBlock(passed, callOf(arch, thrower))
    image.exportSymbol(passed)
    const source = `extern "C" { int printf(const char *, ...); int passed(int); int thrower(int x) { throw x + 1; } }
      int main() { try { passed(41); } catch (int x) { printf("%d\\n", x); } return 0; }`
    const user = compile(arch, source, { language: 'c++' })
    const libraries = [libSystem, libcxx]
    const result = image.flush()
    assert.equal(await linkAndRun(target, [user, save(result, 'passed.o')], 0, libraries), '42\n')
    assert.ok(Buffer.from(openImage(result.contents!).flush().contents!).equals(result.contents!))
  })
})

for (const arch of archs) {
  const opening = (assembly: string) => () => openImage(readFileSync(assemble(arch, assembly)))
  const message = (reason: RegExp) => (trouble: unknown) => {
    assert.ok(trouble instanceof FormatError)
    assert.equal(trouble.id, 'not-editable')
    assert.match(trouble.message, reason)
    return true
  }

  test(`what blocks cannot say of an object is refused (${arch})`, () => {
    const end = '\n.subsections_via_symbols\n'
    for (const [assembly, reason] of [
      ['.text\n_a: ret\n', /subsections_via_symbols/],
      [`.section __DATA,__mine\n_a: .quad 1${end}`, /no section __DATA,__mine/],
      [`.data\n_a:\n_b: .quad 1${end}`, /_a and _b are names of one place/],
      [`.data\n.no_dead_strip _a\n_a: .quad 1${end}`, /_a has attributes 0x20/],
      [`.set _a, 5\n.globl _a${end}`, /_a has no section/],
      [`.linker_option "-lz"\n.data\n_a: .quad 1${end}`, /options for the linker/],
      [`.data\n_a: .quad 1\n.globl _end\n_end:${end}`, /_end is the end of its section/],
      [`.data\n_a: .quad 1\n.reference _wanted${end}`, /_wanted is asked for, and nothing refers to it/],
      [`${TEMPLATE}.quad _x$tlv$init + 4${end}`, /__thread_vars begins with nothing/],
      [`.section __TEXT,__cstring,cstring_literals\n.zero 5000000${end}`, /__TEXT,__cstring has too many literals/],
      [`.section __TEXT,__eh_frame\n.long 4, 0, 4, 8${end}`, /__eh_frame has no compact unwind/],
    ] as const)
      assert.throws(opening(assembly), message(reason))
    const kept = Uint8Array.from(readFileSync(assemble(arch, `.text\n_a: ret${end}`)))
    kept[FIRST_SECTION_FLAGS + 3] |= 0x10 // S_ATTR_NO_DEAD_STRIP
    assert.throws(() => openImage(kept), message(/__TEXT,__text has attributes/))
    const shared = Uint8Array.from(readFileSync(assemble(arch, `.text\n_a: ret\n.data\n_b: .zero 400${end}`)))
    // The size of __text, then its offset.
    const first = new DataView(shared.buffer, FIRST_SECTION_FLAGS - 24)
    first.setUint32(0, shared.length - 300, true)
    first.setUint32(8, 0, true)
    assert.throws(() => openImage(shared), message(/together larger than the file/))
  })

  test(`a damaged object is refused, or another one (${arch})`, () => {
    const file = readFileSync(compile(arch, C))
    const random = randomFrom(7)
    const below = (count: number) => Math.floor(random() * count)
    const check = (bytes: Uint8Array) => {
      try {
        openImage(bytes).flush()
      } catch (trouble) {
        assert.ok(trouble instanceof FormatError, `${trouble}`)
      }
    }
    for (let i = 0; i < 3000; i++) {
      const bytes = Uint8Array.from(file)
      for (let n = below(3); n >= 0; n--) bytes[below(bytes.length)] = below(256)
      check(bytes)
    }
    for (let size = 0; size < file.length; size += 7) check(file.slice(0, size))
  })
}
