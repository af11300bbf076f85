// Unwind information that edits bring to linked files without any, and to those that keep their addresses.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { readImage } from '../../src/formats/macho/image.ts'
import { link, openImage } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { libcxx, libSystem, tempFolder } from '../helpers/paths.ts'
import { createTarget, forEachTarget, type Target, targetOptions } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM } from './build.ts'
import { outputOf } from './check.ts'
import { cleanupData, frameOf, LIBCXX, RUNTIME, runtime } from './frames.ts'

const MIDDLE = `extern int thrower(int); extern int run(int (*)(int)); int value = 3; int *pointer = &value;
  __attribute__((noinline)) int middle(int x) { return thrower(x) + 0; }
  int main() { return *pointer == 3 ? run(middle) : 1; }`
const NO_UNWIND = ['-fno-asynchronous-unwind-tables', '-fno-unwind-tables']

/** Edits a program whose exceptions are to pass `_middle`, which is opened again in between. */
function checkEdits(target: Target, file: Uint8Array, note: string | null): void {
  const open = (bytes: Uint8Array) => {
    const image = openImage(bytes)
    const callee = (name: string) => image.lookup(name) ?? image.addImport(name, note!)
    const resume = image.addImport('__Unwind_Resume', LIBSYSTEM)
    const personality = image.addImport('___gxx_personality_v0', LIBCXX)
    const callees = { inner: callee('_thrower'), note: callee('_note'), resume }
    return { image, middle: image.lookup('_middle')!, callees, personality }
  }
  const cleaning = ({ image, middle, callees, personality }: ReturnType<typeof open>) => {
    const data = image.lookup('_middle_data') ?? image.declareBlock('_middle_data')
    image.updateBlock(data, cleanupData(target))
    const update = frameOf(target, callees, true)
    image.updateBlock(middle, { ...update, unwind: { ...update.unwind!, personality, lsda: data } })
  }
  const program = open(file)
  const { image, middle, callees } = program
  image.updateBlock(middle, frameOf(target, callees, false))
  assert.equal(outputOf(target, image), '1002 0\n')
  cleaning(program)
  for (let i = 0; i < 1100; i++)
    image.updateBlock(image.declareBlock(`_other${i}`), frameOf(target, callees, false, 16))
  assert.equal(outputOf(target, image), '1002 1\n')
  const again = openImage(Uint8Array.from(image.flush({ record: true }).contents!))
  assert.equal(outputOf(target, again), '1002 1\n')
  image.compact()
  again.compact()
  assert.ok(Buffer.from(again.flush().contents!).equals(image.flush().contents!))
  assert.equal(outputOf(target, image), '1002 1\n')
  // What was flushed is a linked file with a table of its own.
  const linked = open(Uint8Array.from(image.flush().contents!))
  linked.image.updateBlock(linked.middle, frameOf(target, linked.callees, false))
  assert.equal(outputOf(target, linked.image), '1002 0\n')
}

forEachTarget((target) => {
  test(`a linked file without unwind information gets that of edits (${target.name})`, async () => {
    const library = await runtime(target)
    const output = join(tempFolder(), 'linked')
    const inputs = [compile(target.arch, MIDDLE, { flags: NO_UNWIND }), library, libSystem, libcxx]
    await link({ inputs, output, adhocCodesign: true, ...targetOptions(target) })
    const file = readFileSync(output)
    assert.ok(readImage(file).sections.every(({ name }) => name !== '__unwind_info'))
    checkEdits(target, file, library)
  })
})

const WHOLE = `${RUNTIME}
extern "C" { int value = 3; int *pointer = &value; extern char _mh_execute_header; const char *header = &_mh_execute_header; }
extern "C" __attribute__((noinline)) int middle(int x) { return thrower(x) + 0; }
struct Begun { Begun() { pointer++; pointer--; } } begun;
int main() { return *pointer == 3 && *(unsigned *)header == 0xfeedfacf ? run(middle) : 1; }`

for (const fixups of ['opcodes', 'chained'] as const) {
  const target = createTarget('x86_64', fixups)
  test(`a program that keeps its addresses gets room in front of them (${target.name})`, async () => {
    const output = join(tempFolder(), 'linked')
    const inputs = [compile('x86_64', WHOLE, { language: 'c++' }), libSystem, libcxx]
    await link({ inputs, output, pie: false, ...targetOptions(target) })
    const file = readFileSync(output)
    const image = openImage(file)
    const [middle, thrower] = ['_middle', '_thrower'].map((name) => image.lookup(name)!)
    const before = image.addressOf(middle)
    assert.equal(outputOf(target, image), '1002 0\n')
    checkEdits(target, file, null)
    image.updateBlock(middle, functionOf('x86_64', [{ add: 2 }]))
    assert.equal(outputOf(target, image), '1005 0\n')
    image.updateBlock(thrower, { ...functionOf('x86_64', []), unwind: { encoding: 0x01000000 } })
    assert.equal(image.addressOf(middle), before)
    assert.equal(outputOf(target, image), '1005 0\n')
    assert.ok(readImage(image.flush().contents!).segments[0].vmSize < 2 ** 32)
  })
}

test('unwind information is refused where nothing can be put in front', async () => {
  const target = createTarget('x86_64', 'opcodes')
  const output = join(tempFolder(), 'linked')
  const source = '__attribute__((optnone, noinline)) int step(int x) { return x; } int main() { return step(1); }'
  const inputs = [compile('x86_64', source), libSystem]
  const fixed = { pie: false, pagezeroSize: 0x4000, headerPad: 4096 }
  await link({ inputs, output, ...fixed, ...targetOptions(target) })
  const image = openImage(readFileSync(output))
  const update = functionOf('x86_64', [{ add: 20 }])
  const unwind = { encoding: 0x01000000 }
  const step = image.lookup('_step')!
  assert.throws(() => image.updateBlock(step, { ...update, unwind }), /takes room in front of the code: .*headerPad/)
  image.updateBlock(step, update)
  assert.equal(image.flush().messages.length, 0)
})
