import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import type { BlockImage } from '../../src/blocks.ts'
import { link } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { command } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, newImage } from './build.ts'
import { flushed, statusOf } from './check.ts'

const headerOf = (path: string) => command('llvm-objdump-22', ['--macho', '--private-headers', path]).stdout
const bytes = (...values: number[]) => Uint8Array.from(values)
const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

forEachTarget((target) => {
  const { arch } = target
  for (const calls of ['got', 'direct'] as const) {
    test(`thread-local variables come, grow, move and go (${target.name}, calls: ${calls})`, () => {
      const image = newImage(target, { calls })
      const [main, one, zeros, other] = ['_main', '_one', '_zeros', '_other'].map(image.declareBlock)
      const later = image.declareUndefined('_other')
      const steps = (...variables: number[]) => [
        ...variables.map((thread) => ({ thread, set: 3 })),
        ...variables.map((thread) => ({ thread, set: 0 })),
      ]
      image.updateBlock(main, functionOf(arch, [], 'zero'))
      assert.doesNotMatch(headerOf(flushed(target, image)), /TLV|thread/)
      image.updateBlock(one, { threadLocal: true, code: bytes(5, 0, 0, 0), align: 4 })
      image.updateBlock(zeros, { threadLocal: true, code: 4, align: 4 })
      image.updateBlock(main, functionOf(arch, steps(one, zeros), 'zero'))
      assert.equal(statusOf(target, image), 11)
      const header = headerOf(flushed(target, image))
      assert.match(header, /MH_HAS_TLV_DESCRIPTORS/)
      for (const name of ['vars', 'data', 'bss']) assert.match(header, new RegExp(`sectname __thread_${name}`))

      // Both grow, so that they move in the template; their descriptors stay.
      const before = image.addressOf(one)
      const big = new Uint8Array(500)
      big[0] = 9
      image.updateBlock(one, { threadLocal: true, code: big, align: 4 })
      image.updateBlock(zeros, { threadLocal: true, code: 800, align: 64 })
      assert.equal(statusOf(target, image), 15)
      assert.equal(image.addressOf(one), before)

      image.updateBlock(other, { threadLocal: true, code: bytes(7, 0, 0, 0) })
      image.exportSymbol(other)
      image.updateBlock(main, functionOf(arch, steps(one, zeros, other, later), 'zero'))
      assert.equal(statusOf(target, image), 9 + 7 + 3 + 3 * 4 - 3)
      const listed = command('llvm-objdump-22', ['--macho', '--exports-trie', flushed(target, image)]).stdout
      assert.match(listed, /_other \[per-thread\]/)

      // One goes, and its descriptor is used again; one becomes a plain variable.
      const freed = image.addressOf(zeros)
      image.updateBlock(main, functionOf(arch, steps(one, other), 'zero'))
      image.freeBlock(zeros)
      assert.equal(statusOf(target, image), 22)
      const again = image.declareBlock('_again')
      image.updateBlock(again, { threadLocal: true, code: bytes(30, 0, 0, 0) })
      assert.equal(image.addressOf(again), freed)
      image.updateBlock(main, functionOf(arch, steps(one, again), 'zero'))
      assert.equal(statusOf(target, image), 45)
      image.updateBlock(again, { section: '__DATA,__data', code: bytes(1, 0, 0, 0) })
      const found = [...new Set(image.flush().messages.map(({ text }) => text.replace(/^\S+ at \S+ /, '')))]
      assert.deepEqual(found, ['needs a thread-local variable, not _again'])
      image.updateBlock(main, functionOf(arch, [], 'zero'))
      for (const block of [one, other]) image.freeBlock(block)
      assert.equal(statusOf(target, image), 0)
      image.updateBlock(again, { threadLocal: true, code: bytes(2, 0, 0, 0) })
      image.updateBlock(main, functionOf(arch, steps(again), 'zero'))
      assert.equal(statusOf(target, image), 5)
      for (let i = 0; i < 100; i++)
        image.updateBlock(image.declareBlock(`_many${i}`), { threadLocal: true, code: bytes(i, 1, 2, 3) })
      assert.equal(statusOf(target, image), 5)
    })
  }

  test(`images share thread-local variables, and every thread has its own (${target.name})`, async () => {
    const folder = tempFolder()
    const path = join(folder, 'libcounter.dylib')
    const image = newImage(target, { outputType: 'dylib', installName: path, output: path, write: true })
    const [counter, bump] = ['_counter', '_bump'].map(image.declareBlock)
    image.updateBlock(counter, { threadLocal: true, code: bytes(10, 0, 0, 0) })
    image.updateBlock(bump, functionOf(arch, [{ thread: counter, set: 20 }]))
    for (const block of [counter, bump]) image.exportSymbol(block)
    assert.deepEqual(image.flush().messages, [])
    verifyImage(target, path)
    const main = compile(
      arch,
      `extern _Thread_local int counter; int bump(int); typedef struct opaque *pthread_t;
       int pthread_create(pthread_t *, void *, void *(*)(void *), void *); int pthread_join(pthread_t, void **);
       int printf(const char *, ...);
       static void *run(void *sum) { counter++; *(int *)sum = bump(0); return 0; }
       int main() {
         int sum = 0; pthread_t thread;
         bump(0);
         pthread_create(&thread, 0, run, &sum);
         pthread_join(thread, 0);
         printf("%d %d\\n", counter, sum);
         return 0;
       }`,
    )
    const output = join(folder, 'main')
    const fixupChains = target.fixups === 'chained'
    await link({ inputs: [main, path, { library: 'System' }], arch, platform, output, fixupChains })
    assert.equal(runImage(target, output).stdout, '20 11\n')
  })

  test(`a thread-local variable of another image is used (${target.name})`, async () => {
    const path = join(tempFolder(), 'libvariable.dylib')
    const fixupChains = target.fixups === 'chained'
    const inputs = [compile(arch, '_Thread_local int variable = 42;'), { library: 'System' }]
    await link({
      inputs,
      arch,
      platform,
      outputType: 'dylib',
      output: path,
      installName: path,
      currentVersion: 65536,
      compatibilityVersion: 65536,
      fixupChains,
    })
    const image = newImage(target)
    const main = image.declareBlock('_main')
    const variable = image.addImport('_variable', path)
    const named = image.declareUndefined('_variable')
    const steps = [
      { thread: variable, set: 7 },
      { thread: named, set: 0 },
    ]
    image.updateBlock(main, functionOf(arch, steps, 'zero'))
    assert.equal(statusOf(target, image), 49)
  })

  test(`thread-local variables are packed as a fresh image has them (${target.name})`, () => {
    const build = (image: BlockImage, detour: boolean) => {
      const [main, a, b] = ['_main', '_a', '_b'].map(image.declareBlock)
      if (detour) {
        const c = image.declareBlock('_c')
        for (const block of [c, b, a]) image.updateBlock(block, { threadLocal: true, code: new Uint8Array(100) })
        image.flush()
        image.freeBlock(c)
      }
      image.updateBlock(a, { threadLocal: true, code: bytes(1, 0, 0, 0) })
      image.updateBlock(b, { threadLocal: true, code: 64, align: 32 })
      const steps = [a, b].map((thread) => ({ thread, set: 1 }))
      image.updateBlock(main, functionOf(arch, steps, 'zero'))
      image.compact()
      return Buffer.from(image.flush().contents!)
    }
    const image = newImage(target)
    const contents = build(image, true)
    assert.ok(contents.equals(build(newImage(target), false)))
    assert.equal(statusOf(target, image), 1)
    const plain = (detour: boolean) => {
      const empty = newImage(target)
      empty.updateBlock(empty.declareBlock('_main'), functionOf(arch, [], 'zero'))
      if (detour) {
        const gone = empty.declareBlock('_gone')
        empty.updateBlock(gone, { threadLocal: true, code: 8 })
        empty.flush()
        empty.freeBlock(gone)
      }
      empty.compact()
      return Buffer.from(empty.flush().contents!)
    }
    assert.ok(plain(true).equals(plain(false)))
  })
})

test('wrong use of thread-local variables is refused', () => {
  const image = newImage(createTarget('arm64', 'chained'))
  const block = image.declareBlock('_a')
  const wrong = [
    { threadLocal: true, section: '__DATA,__data', code: bytes(1) },
    { threadLocal: true, code: 0 },
    { threadLocal: true, code: new Uint8Array(0) },
    { threadLocal: true, code: 8, relocations: [{ offset: 0, type: 'ARM64_RELOC_UNSIGNED', target: block }] },
  ] as const
  for (const update of wrong) assert.throws(() => image.updateBlock(block, update), TypeError)
  const made = image.addImport('_x', LIBSYSTEM)
  const load = { offset: 0, type: 'ARM64_RELOC_TLVP_LOAD_PAGE21', target: made }
  assert.throws(() =>
    image.updateBlock(block, { section: '__DATA,__data', code: bytes(1, 2, 3, 4), relocations: [load] }),
  )
})

forEachTarget((target) => {
  for (const calls of ['got', 'direct'] as const) {
    test(`random edits leave every thread-local variable its value (${target.name}, calls: ${calls})`, () => {
      const image = newImage(target, { calls })
      const random = randomFrom(calls === 'got' ? 31 : 32)
      const below = (limit: number) => Math.floor(random() * limit)
      const main = image.declareBlock('_main')
      const variables: { handle: number; value: number }[] = []
      const fill = (variable: { handle: number; value: number }) => {
        const [size, align] = [4 + below(below(3) === 0 ? 400 : 12), 2 ** below(8)]
        variable.value = below(3) === 0 ? 0 : below(10)
        const code = variable.value === 0 ? size : Uint8Array.of(variable.value, ...new Uint8Array(size - 1))
        image.updateBlock(variable.handle, { threadLocal: true, code, align })
      }
      for (let step = 1; step <= 120; step++) {
        const what = variables.length === 0 ? 0 : below(4)
        if (what === 0 && variables.length < 15) {
          const variable = { handle: image.declareBlock(`_v${step}`) as number, value: 0 }
          fill(variable)
          variables.push(variable)
        } else if (what === 1) {
          const [{ handle }] = variables.splice(below(variables.length), 1)
          image.updateBlock(main, functionOf(target.arch, [], 'zero'))
          if (below(2) === 0) image.freeBlock(handle)
          else image.updateBlock(handle, { section: '__DATA,__data', code: new Uint8Array(16) })
        } else if (variables.length > 0) fill(variables[below(variables.length)])
        if (step === 70) image.compact()
        if (step % 15 !== 0) continue
        const steps = variables.map(({ handle }) => ({ thread: handle, set: 7 }))
        image.updateBlock(main, functionOf(target.arch, steps, 'zero'))
        const sum = variables.reduce((total, { value }) => total + value, 0)
        assert.equal(statusOf(target, image), sum, `step ${step}`)
      }
    })
  }
})
