import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'

const TWINS = `
int total;
__attribute__((noinline)) int one(int x) { total += x; return total * 3; }
__attribute__((noinline)) int two(int x) { total += x; return total * 3; }
__attribute__((noinline)) int other(int x) { total += x; return total * 5; }
__attribute__((noinline)) int callsOne(int x) { return one(x) + 1; }
__attribute__((noinline)) int callsTwo(int x) { return two(x) + 1; }
__attribute__((noinline)) int callsOther(int x) { return other(x) + 1; }
int (*volatile taken)(int);
#ifdef TAKE
#define USE taken = two;
#else
#define USE
#endif
int main(void) { USE return callsOne(1) + callsTwo(1) + callsOther(1) == 4 + 7 + 16 ? 0 : 1; }
`

function addresses(image: string): Map<string, string> {
  const lines = mustRun('llvm-nm-22', [image]).split('\n')
  return new Map(lines.map((line) => line.split(' ')).map(([address, , name]) => [name, address]))
}

function same(image: string, a: string, b: string): boolean {
  const found = addresses(image)
  assert.ok(found.has(a) && found.has(b))
  return found.get(a) === found.get(b)
}

forEachTarget((target) => {
  test(`-icf all makes equal functions one, and then their callers (${target.name})`, () => {
    const image = linkFor(target, ['--icf=all', compile(target.arch, TWINS)])
    assert.ok(same(image, '_one', '_two'))
    assert.ok(same(image, '_callsOne', '_callsTwo'))
    assert.ok(!same(image, '_one', '_other'))
    assert.ok(!same(image, '_callsOne', '_callsOther'))
    verifyImage(target, image)
    assert.equal(runImage(target, image).status, 0)
  })

  test(`-icf safe leaves functions alone whose address is taken (${target.name})`, () => {
    const flags = ['-DTAKE', '-faddrsig']
    const image = linkFor(target, ['--icf=safe', compile(target.arch, TWINS, { flags })])
    assert.ok(!same(image, '_one', '_two'))
    assert.ok(!same(image, '_callsOne', '_callsTwo'))
    assert.ok(same(linkFor(target, ['--icf=safe', compile(target.arch, TWINS)]), '_one', '_two'))
    assert.equal(runImage(target, image).status, 0)
  })

  test(`nothing is folded without -icf (${target.name})`, () => {
    assert.ok(!same(linkFor(target, [compile(target.arch, TWINS)]), '_one', '_two'))
  })

  test(`folded functions share their unwind information (${target.name})`, () => {
    const source = `
      int main(void) { return 0; }
      __attribute__((noinline)) void may(int);
      struct Guard { int *at; ~Guard() { ++*at; } };
      int count;
      __attribute__((noinline)) void first(int x) { Guard guard{&count}; may(x); }
      __attribute__((noinline)) void second(int x) { Guard guard{&count}; may(x); }
      void may(int x) { if (x) count += x; else first(x + 1), second(x + 1); }
    `
    const object = compile(target.arch, source, { language: 'c++', flags: ['-fexceptions'] })
    const image = linkFor(target, ['--icf=all', '-U', '___gxx_personality_v0', '-U', '__Unwind_Resume', object])
    // On x86_64 clang ends the two at different distances from what follows.
    if (target.arch === 'arm64') assert.ok(same(image, '__Z5firsti', '__Z6secondi'))
    verifyImage(target, image)
  })
})

test('equal constant strings of Objective-C become one without -icf', () => {
  const target = createTarget('arm64', 'chained')
  const source = (name: string) => `
    struct S { const int *isa; int flags; const char *text; long length; };
    extern int ___CFConstantStringClassReference;
    __attribute__((section("__DATA,__cfstring"), used))
    struct S ${name} = { (const int *)&___CFConstantStringClassReference, 0x7c8, "same", 4 };
  `
  const objects = ['a', 'b'].map((name) => compile('arm64', source(name), { name }))
  const main = compile('arm64', 'int main(void) { return 0; }', { name: 'main' })
  const undefinedClass = ['-U', '____CFConstantStringClassReference']
  assert.ok(same(linkFor(target, [main, ...objects, ...undefinedClass]), '_a', '_b'))
  assert.ok(!same(linkFor(target, [main, ...objects, ...undefinedClass, '--no-deduplicate-strings']), '_a', '_b'))
})

test('functions with different unwind information stay apart', () => {
  const target = createTarget('x86_64', 'chained')
  const text = (name: string, offset: number) =>
    `.globl ${name}\n${name}:\n.cfi_startproc\n.cfi_def_cfa_offset ${offset}\nnop\nret\n.cfi_endproc\n`
  const source = `.subsections_via_symbols\n${text('_a', 16)}${text('_b', 16)}${text('_c', 32)}.globl _main\n_main: ret\n`
  const flags = ['-Xclang', '-femit-compact-unwind-non-canonical']
  const image = linkFor(target, ['--icf=all', compile('x86_64', source, { language: 'asm', flags })])
  assert.ok(same(image, '_a', '_b'))
  assert.ok(!same(image, '_a', '_c'))
})

test('an undefined symbol in folded functions is still an error', () => {
  const target = createTarget('arm64', 'chained')
  const source = 'void gone(void); void a(void) { gone(); } void b(void) { gone(); } int main(void) { return 0; }'
  const { status, stderr } = colonnade([...target.flags, '--icf=all', compile('arm64', source), '-o', '/dev/null'])
  assert.notEqual(status, 0)
  assert.match(stderr, /undefined symbol: _gone/)
})
