import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { sizeClass } from '../../src/core/sizeClass.ts'
import { link } from '../../src/node.ts'
import { hashedSlots } from '../../systems/kernels/entrySlots.ts'
import { compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

const byPlace = (a: number, b: number) => a - b

test('slots do not depend on the order of the entries, and no two entries share one', () => {
  const random = randomFrom(3)
  const hashes = Array.from({ length: 300 }, () => Math.floor(random() * 2 ** 31))
  const slots = hashedSlots(Uint32Array.from(hashes), 416, byPlace)
  assert.equal(new Set(slots).size, 300)
  const order = hashes.map((_, i) => i).sort(() => random() - 0.5)
  const shuffled = hashedSlots(
    Uint32Array.from(order, (i) => hashes[i]),
    416,
    byPlace,
  )
  assert.deepEqual(
    Array.from(shuffled),
    order.map((i) => slots[i]),
  )
})

test('entries with the same hash stand in the order of their keys', () => {
  const slots = hashedSlots(Uint32Array.of(5, 5, 5), 16, (a, b) => b - a)
  const behind = (a: number, b: number) => (b - a + 16) % 16
  assert.deepEqual([behind(slots[2], slots[1]), behind(slots[1], slots[0])], [1, 1])
})

test('an entry more moves few others, in tables as full as they may be', () => {
  const random = randomFrom(9)
  const hashes = Array.from({ length: 768 }, () => Math.floor(random() * 2 ** 31))
  const capacity = sizeClass(1024, 3, 16)
  let moved = 0
  let before = hashedSlots(Uint32Array.from(hashes.slice(0, 567)), capacity, byPlace)
  for (let count = 568; count <= 768; count++) {
    const after = hashedSlots(Uint32Array.from(hashes.slice(0, count)), capacity, byPlace)
    moved += before.filter((slot, i) => slot !== after[i]).length
    before = after
  }
  assert.ok(moved / 201 < 2, `${moved / 201} entries a time`)
})

const SOURCE = `
  int printf(const char *, ...); int puts(const char *); int getpid(void); unsigned long strlen(const char *);
  int (*const pointer)(const char *) = puts; unsigned long (*const far)(const char *) = strlen;
  int main(int argc, char **argv) {
    pointer(argc > 0 && getpid() > 0 && far("four") == 4 ? "yes" : "no");
    return printf("%d\\n", argc) < 0;
  }
`

forEachTarget((target) => {
  test(`tables with slots that nothing takes run, and tools read them (${target.name})`, async () => {
    const output = join(tempFolder(), 'out')
    await link({
      inputs: [compile(target.arch, SOURCE), libSystem],
      arch: target.arch,
      platform: { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 },
      fixupChains: target.fixups === 'chained',
      layout: 'padded',
      output,
    })
    verifyImage(target, output)
    assert.equal(runImage(target, output).stdout, 'yes\n1\n')
    const dump = (...flags: string[]) => mustRun('llvm-objdump-22', ['--macho', ...flags, output])
    const indirect = dump('--indirect-symbols')
    assert.match(indirect, /__stubs\) 64 entries/)
    assert.match(indirect, /LOCAL ABSOLUTE/)
    assert.equal(indirect.match(/_getpid/g)?.length, 2)
    const disassembly = dump('-d', '--section=__TEXT,__text')
    for (const name of ['getpid', 'printf']) assert.match(disassembly, new RegExp(`symbol stub for: _${name}\\b`))
    if (target.fixups === 'chained') {
      const chained = dump('--chained-fixups')
      assert.match(chained, /imports_count {2}= 64/)
      for (const name of ['_getpid', '_puts', '_strlen']) assert.match(chained, new RegExp(`\\(${name}\\)`))
    } else {
      assert.match(dump('--bind'), /__const .* _puts\n/)
      assert.match(dump('--lazy-bind'), /__la_symbol_ptr .* libSystem +_getpid\n/)
    }
    assert.match(mustRun('llvm-nm-22', [output]), /U _getpid\n/)
  })
})
