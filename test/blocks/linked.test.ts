// Edits of what was linked: it keeps its place, and new code, data and imports stand behind it.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { FormatError } from '../../src/core/bytes.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { link, openImage } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { lld } from '../helpers/lld.ts'
import { libcxx, libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, type Target } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, textOf } from './build.ts'
import { flushed, outputOf } from './check.ts'

const PROGRAM = `
int printf(const char *, ...);
int puts(const char *);
int counter = 5;
int zero;
int *pointer = &counter;
static int hidden(int x) { return x * 3; }
__attribute__((noinline)) int step(int x) { return hidden(x) + 1; }
__attribute__((noinline)) int other(int x) { return x + *pointer + zero; }
int (*table[])(int) = { step, other };
int main() {
  puts("linked");
  int sum = 0;
  for (int i = 0; i < 2; i++) sum += table[i](10);
  printf("%d %d\\n", sum, step(1));
  return 0;
}`

const macOS13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

async function linked(target: Target, source: string, options: Partial<LinkOptions> = {}): Promise<Uint8Array> {
  const output = join(tempFolder(), 'linked')
  const inputs = [compile(target.arch, source), { library: 'System' }]
  const common = { arch: target.arch, platform: macOS13, fixupChains: target.fixups === 'chained', headerPad: 2048 }
  await link({ inputs, output, adhocCodesign: true, ...common, ...options })
  return readFileSync(output)
}

forEachTarget((target) => {
  const { arch } = target
  test(`what was linked runs as before when it is opened and flushed (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    assert.equal(outputOf(target, image), 'linked\n46 4\n')
    assert.deepEqual(image.flush().ranges, [])
  })

  test(`a linked function is replaced for all its callers, again and again, and put back (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    const step = image.lookup('_step')!
    image.updateBlock(step, functionOf(arch, [{ add: 100 }]))
    assert.equal(outputOf(target, image), 'linked\n125 101\n')
    image.updateBlock(step, functionOf(arch, [...Array(80).fill({ add: 1 })]))
    assert.equal(outputOf(target, image), 'linked\n105 81\n')
    const before = image.addressOf(step)
    const helper = image.declareBlock('_helper')
    image.updateBlock(helper, functionOf(arch, [{ add: 1000 }]))
    image.updateBlock(step, functionOf(arch, [{ call: helper }, { call: image.lookup('_other')! }]))
    assert.equal(outputOf(target, image), 'linked\n1030 1006\n')
    assert.equal(image.addressOf(step), before)
    image.freeBlock(step)
    image.freeBlock(helper)
    assert.equal(outputOf(target, image), 'linked\n46 4\n')
    assert.throws(() => image.freeBlock(step), /was linked, and stays/)
  })

  test(`new code uses functions, variables and imports of what was linked, and new ones (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    const [main, text, cell] = [image.lookup('_main')!, image.declareBlock('_text'), image.declareBlock('_cell')]
    const printf = image.addImport('_printf', LIBSYSTEM)
    const abs = image.addImport('_abs', LIBSYSTEM)
    image.updateBlock(text, textOf('edited %d\n'))
    const unsigned = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    image.updateBlock(cell, {
      section: '__DATA,__data',
      code: new Uint8Array(16),
      relocations: [
        { offset: 0, type: unsigned, target: image.lookup('_counter')! },
        { offset: 8, type: unsigned, target: abs },
      ],
    })
    const body = image.declareBlock('_body')
    image.exportSymbol(body)
    image.updateBlock(body, functionOf(arch, [{ add: -30 }, { callThroughGot: abs }, { load: cell }]))
    const exit = image.addImport('_exit', LIBSYSTEM)
    const steps = [{ call: image.declareUndefined('_step') }, { call: image.declareUndefined('_body') }]
    const ending = [{ print: text, with: printf }, { add: -34 }, { call: exit }]
    image.updateBlock(main, functionOf(arch, [...steps, ...ending], 'zero'))
    assert.equal(outputOf(target, image), 'edited 34\n')
  })

  test(`a linked variable gets other contents in place, pointers too (${target.name})`, async () => {
    const image = openImage(await linked(target, PROGRAM))
    image.updateBlock(image.lookup('_counter')!, { code: Uint8Array.of(50, 0, 0, 0) })
    assert.equal(outputOf(target, image), 'linked\n91 4\n')
    const type = arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const other = image.declareBlock('_other_counter')
    image.updateBlock(other, { section: '__DATA,__data', code: Uint8Array.of(7, 0, 0, 0) })
    const relocations = [{ offset: 0, type, target: other }]
    image.updateBlock(image.lookup('_pointer')!, { code: new Uint8Array(8), relocations })
    assert.equal(outputOf(target, image), 'linked\n48 4\n')
    const both = [0, 8].map((offset) => ({ offset, type, target: image.lookup('_other')! }))
    image.updateBlock(image.lookup('_table')!, { code: new Uint8Array(16), relocations: both })
    assert.equal(outputOf(target, image), 'linked\n34 4\n')
    assert.throws(() => image.updateBlock(image.lookup('_zero')!, { code: 4 }), /expected bytes/)
    assert.throws(() => image.updateBlock(image.lookup('_pointer')!, { code: new Uint8Array(4) }), /half a pointer/)
    assert.throws(() => image.updateBlock(image.lookup('_table')!, { code: new Uint8Array(64) }), /do not fit/)
    assert.equal(outputOf(target, image), 'linked\n34 4\n')
  })
})

const CXX = `
extern "C" int printf(const char *, ...);
extern "C" void *malloc(unsigned long);
struct Base { virtual int value() { return 1; } virtual ~Base() {} };
struct Derived : Base { int value() override { return 2; } };
template <class T> __attribute__((noinline)) T twice(T x) { return x * 2; }
thread_local int local = 7;
static int set = twice(21);
struct Says { ~Says() { printf("bye\\n"); } } says;
extern "C" __attribute__((noinline)) int risky(int x) { if (x > 1) throw x; return x; }
extern const char *const names[] = { "one", "two" };
extern "C" const char __dso_handle;
int main() {
  int caught = 0;
  try { risky(1); risky(5); } catch (int x) { caught = x; }
  Base *base = new Derived;
  local += set;
  printf("%d %d %d %s\\n", caught, base->value(), local, names[caught > 1]);
  delete base;
  return 0;
}`

/** Linked by `linker` with no more room behind the load commands than linkers leave. */
async function linkedTight(target: Target, linker: 'ours' | 'lld'): Promise<Uint8Array> {
  const object = compile(target.arch, CXX, { language: 'c++' })
  const output = join(tempFolder(), 'linked')
  if (linker === 'lld') {
    const { status, stderr } = lld([...target.flags, '-adhoc_codesign', object, libSystem, libcxx, '-o', output])
    assert.equal(status, 0, stderr)
  } else {
    const common = { arch: target.arch, platform: macOS13, fixupChains: target.fixups === 'chained' }
    await link({ inputs: [object, libSystem, libcxx], output, adhocCodesign: true, ...common })
  }
  return readFileSync(output)
}

forEachTarget((target) => {
  for (const linker of ['ours', 'lld'] as const)
    test(`a program without room for load commands gets it, and does all that it did (${target.name}, ${linker})`, async () => {
      const file = await linkedTight(target, linker)
      const image = openImage(file)
      assert.equal(outputOf(target, image), '5 2 49 two\nbye\n')
      const before = image.addressOf(image.lookup('_risky')!)
      image.updateBlock(image.lookup('_risky')!, functionOf(target.arch, [{ add: 3 }]))
      assert.equal(outputOf(target, image), '0 2 49 one\nbye\n')
      assert.equal(image.addressOf(image.lookup('_risky')!), before)
      const local = image.lookup('__ZL3set')!
      assert.throws(() => image.updateBlock(local, { code: 4 }), /expected bytes for what was linked/)
      image.freeBlock(image.lookup('_risky')!)
      assert.equal(outputOf(target, image), '5 2 49 two\nbye\n')
      // What was flushed is a linked file again.
      const contents = Uint8Array.from(image.flush().contents!)
      const again = openImage(contents)
      again.updateBlock(again.lookup('_risky')!, functionOf(target.arch, [{ add: 4 }]))
      assert.equal(outputOf(target, again), '0 2 49 one\nbye\n')
    })

  test(`a linked library keeps its exports, and gets others (${target.name})`, async () => {
    const library = join(tempFolder(), 'libvalue.dylib')
    const source = 'int value(int x) { return x + 1; } int unused(void) { return 0; } int data = 3;'
    const versions = { currentVersion: 0x10000, compatibilityVersion: 0x10000 }
    const made = { outputType: 'dylib', installName: library, ...versions } as const
    const image = openImage(await linked(target, source, made))
    image.updateBlock(image.lookup('_value')!, functionOf(target.arch, [{ add: 10 }]))
    const extra = image.declareBlock('_extra')
    image.updateBlock(extra, functionOf(target.arch, [{ add: 100 }, { call: image.lookup('_value')! }]))
    image.exportSymbol(extra)
    image.unexportSymbol(image.lookup('_unused')!)
    image.renameBlock(image.lookup('_data')!, '_other_data')
    writeFileSync(library, readFileSync(flushed(target, image)))
    const CALLER = `int value(int); int extra(int); extern int other_data; int printf(const char *, ...);
      int main() { printf("%d %d %d\\n", value(1), extra(1), other_data); return 0; }`
    const output = join(tempFolder(), 'caller')
    const common = { arch: target.arch, platform: macOS13, fixupChains: target.fixups === 'chained' }
    await link({ inputs: [compile(target.arch, CALLER), library, { library: 'System' }], output, ...common })
    assert.equal(runImage(target, output).stdout, '11 111 3\n')
    const USES = 'int unused(void); int main() { return unused(); }'
    const failing = link({ inputs: [compile(target.arch, USES), library, { library: 'System' }], output, ...common })
    await assert.rejects(failing, /unused/)
  })
})

forEachTarget((target) => {
  const { arch } = target
  test(`code uses thread-local variables of what was linked, or brings the first ones (${target.name})`, async () => {
    const source = `_Thread_local int local = 5; int printf(const char *, ...);
      __attribute__((optnone, noinline)) int get(int x) { return x; } int main() { printf("%d %d\\n", get(1), get(1)); return 0; }`
    const image = openImage(await linked(target, source.replace('return x;', 'return x + local;')))
    const [get, local] = ['_get', '_local'].map((name) => image.lookup(name)!)
    image.updateBlock(get, functionOf(arch, [{ thread: local, set: 30 }]))
    assert.equal(outputOf(target, image), '6 31\n')
    const variable = { threadLocal: true, code: Uint8Array.of(40, 0, 0, 0) }
    assert.throws(() => image.updateBlock(image.declareBlock('_mine'), variable), /has thread-local variables/)

    const other = openImage(await linked(target, source.replace('_Thread_local', '')))
    const mine = other.declareBlock('_mine')
    other.updateBlock(mine, variable)
    other.updateBlock(other.lookup('_get')!, functionOf(arch, [{ thread: mine, set: 2 }]))
    assert.equal(outputOf(target, other), '41 3\n')
  })
})

test('whatever byte of a linked file is wrong, it is told or does no harm', async () => {
  const random = randomFrom(9)
  for (const fixups of ['chained', 'opcodes'] as const) {
    const target = createTarget('x86_64', fixups)
    const bytes = await linkedTight(target, 'ours')
    const { commandsSize, segments } = readImage(bytes)
    const tables = segments[segments.length - 1].fileOffset
    let told = 0
    for (let i = 0; i < 2500; i++) {
      const wrong = Uint8Array.from(bytes)
      const at = i % 2 === 0 ? random() * (32 + commandsSize) : tables + random() * (bytes.length - tables)
      wrong[Math.floor(at)] = [0, 1, 0x7f, 0x80, 0xff, Math.floor(random() * 256)][Math.floor(random() * 6)]
      try {
        openImage(i % 7 === 0 ? wrong.subarray(0, Math.floor(random() * bytes.length)) : wrong).flush()
      } catch (trouble) {
        assert.ok(trouble instanceof FormatError, `${i}: ${(trouble as Error).stack}`)
        told++
      }
    }
    assert.ok(told > 200, `${told}`)
  }
})

test('what cannot be done to a linked file is refused, with the reason', async () => {
  const target = createTarget('arm64', 'chained')
  const image = openImage(await linked(target, PROGRAM))
  const step = image.lookup('_step')!
  const code = functionOf('arm64', [])
  assert.throws(() => image.updateBlock(step, { ...code, section: '__DATA,__data' }), /a function is not in/)
  assert.throws(() => image.updateBlock(step, { ...code, threadLocal: true }), /stays as it is/)
  assert.throws(() => image.updateBlock(step, { code: new Uint8Array(0) }), /at least one byte/)
  assert.throws(() => image.exportSymbol(image.declareBlock('_step')), /exported already/)
  assert.throws(() => image.freeImport(image.addImport('_printf', LIBSYSTEM)), /references to the import are left/)
  assert.equal(outputOf(target, image), 'linked\n46 4\n')
})
