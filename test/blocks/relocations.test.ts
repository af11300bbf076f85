import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockRelocation, BlockUpdate } from '../../src/blocks.ts'
import { forEachTarget } from '../helpers/targets.ts'
import { functionOf, LIBSYSTEM, newImage, type Step } from './build.ts'
import { statusOf } from './check.ts'

const u32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer)
const adds = (count: number): Step[] => Array(count).fill({ add: 1 })

forEachTarget((target) => {
  const { arch } = target
  const prefix = arch === 'arm64' ? 'ARM64_RELOC_' : 'X86_64_RELOC_'
  const [minus, plus] = [`${prefix}SUBTRACTOR`, `${prefix}UNSIGNED`]

  /** What stands in a block of an image, as little-endian words. */
  const wordsOf = (contents: Uint8Array, address: number, count: number): number[] => {
    const view = new DataView(contents.buffer, contents.byteOffset)
    return Array.from({ length: count }, (_, i) => view.getInt32(address - 0x100000000 + 4 * i, true))
  }

  test(`differences of two blocks follow both (${target.name})`, () => {
    const image = newImage(target)
    const [main, a, b, table, wide] = ['_main', '_a', '_b', '_table', '_wide'].map(image.declareBlock)
    image.updateBlock(main, functionOf(arch, [], 'zero'))
    image.updateBlock(a, functionOf(arch, [{ add: 1 }]))
    const difference = (offset: number, size: 4 | 8, addend = 0): BlockRelocation[] => [
      { offset, type: minus, target: a },
      { offset, type: plus, target: b, addend, size },
    ]
    const relocations = [...difference(0, 4), ...difference(4, 4, -7)]
    image.updateBlock(table, { section: '__TEXT,__const', align: 4, code: new Uint8Array(8), relocations })
    image.updateBlock(wide, {
      section: '__DATA,__data',
      align: 4,
      code: new Uint8Array(20),
      relocations: [{ offset: 4, type: minus, target: b }, { offset: 4, type: plus, target: a }, ...difference(12, 8)],
    })
    assert.deepEqual(
      image.flush().messages.map(({ text }) => text),
      ['undefined block: _b'],
    )
    image.updateBlock(b, functionOf(arch, [{ add: 2 }]))
    const check = () => {
      assert.equal(statusOf(target, image), 0)
      const contents = image.flush().contents!
      const distance = image.addressOf(b) - image.addressOf(a)
      assert.deepEqual(wordsOf(contents, image.addressOf(table), 2), [distance, distance - 7])
      const high = distance < 0 ? -1 : 0
      assert.deepEqual(wordsOf(contents, image.addressOf(wide), 5), [0, -distance, -1 - high, distance, high])
    }
    check()
    image.updateBlock(a, functionOf(arch, adds(80)))
    check()
    image.updateBlock(b, functionOf(arch, adds(300)))
    check()
    image.updateBlock(table, { section: '__TEXT,__const', code: new Uint8Array(400), relocations })
    check()
    for (let i = 0; i < 40; i++) image.updateBlock(image.declareBlock(`_more${i}`), { code: new Uint8Array(4096) })
    check()
  })

  test(`every way of a compiler to reach data and functions is taken (${target.name})`, () => {
    const image = newImage(target)
    const [main, cell, pointer] = ['_main', '_cell', '_pointer'].map(image.declareBlock)
    const abs = image.addImport('_abs', LIBSYSTEM)
    image.updateBlock(cell, { section: '__DATA,__data', code: u32(40, 0) })
    const toGot = arch === 'arm64' ? 'ARM64_RELOC_POINTER_TO_GOT' : 'X86_64_RELOC_GOT'
    const addend = arch === 'arm64' ? 0 : 4
    image.updateBlock(pointer, {
      section: '__DATA,__data',
      align: 4,
      code: new Uint8Array(12),
      relocations: [
        { offset: 0, type: toGot, target: cell, addend },
        { offset: 4, type: toGot, target: abs, addend },
      ],
    })
    image.updateBlock(main, throughEverything(arch, cell, pointer))
    assert.equal(statusOf(target, image), arch === 'arm64' ? 80 : 44)
    const words = wordsOf(image.flush().contents!, image.addressOf(pointer), 2)
    assert.deepEqual(words, [
      image.gotAddressOf(cell) - image.addressOf(pointer),
      image.gotAddressOf(abs) - image.addressOf(pointer) - 4,
    ])
    image.updateBlock(cell, { section: '__DATA,__data', code: new Uint8Array(400) })
    assert.equal(statusOf(target, image), arch === 'arm64' ? 0 : 4)
  })

  test(`relocations that make no sense are refused (${target.name})`, () => {
    const image = newImage(target)
    const main = image.declareBlock('_main')
    const abs = image.addImport('_abs', LIBSYSTEM)
    const [first, second] = [
      { offset: 0, type: minus, target: main },
      { offset: 0, type: plus, target: main },
    ]
    const wrong: object[][] = [
      [first],
      [first, first],
      [first, { ...second, offset: 8 }],
      [{ ...first, target: abs }, second],
      [first, { ...second, target: abs }],
      [{ ...first, addend: 1 }, second],
      [first, { ...second, size: 2 }],
      [first, { ...second, offset: 12 }],
      [first, second, first, second],
      [{ ...second, size: 4 }],
      [second],
      [{ ...second, offset: 4 }],
      [{ ...second, type: `${prefix}ADDEND` }],
    ]
    const sections = ['__TEXT,__text', '__DATA,__data'] as const
    for (const relocations of wrong) {
      const section = sections[relocations.length === 1 && relocations[0] !== second ? 1 : 0]
      const update = { section, code: new Uint8Array(16), relocations }
      assert.throws(() => image.updateBlock(main, update as BlockUpdate), TypeError, JSON.stringify(relocations))
    }
  })

  test(`what does not reach is a message with block, offset and target (${target.name})`, () => {
    const image = newImage(target)
    const [main, far] = ['_main', '_far'].map(image.declareBlock)
    image.updateBlock(main, functionOf(arch, [], 'zero'))
    image.updateBlock(far, {
      section: '__TEXT,__const',
      code: new Uint8Array(8),
      relocations: [
        { offset: 4, type: minus, target: main },
        { offset: 4, type: plus, target: far, addend: 0x7fffffff, size: 4 },
      ],
    })
    assert.deepEqual(
      image.flush().messages.map(({ id, text }) => [id, text]),
      [['relocation-out-of-range', `${plus} at _far+4 does not reach _far`]],
    )
  })
})

/** A main whose status is the sum of what it finds; on x86_64 it also writes to what it reads, by instructions with an immediate. */
function throughEverything(arch: 'arm64' | 'x86_64', cell: number, pointer: number): BlockUpdate {
  if (arch === 'arm64') {
    const words = [
      0x90000008, // adrp x8, cell@GOTPAGE
      0xf9400108, // ldr x8, [x8, cell@GOTPAGEOFF]
      0xb9400100, // ldr w0, [x8]
      0x90000009, // adrp x9, pointer
      0x91000129, // add x9, x9, pointer
      0xb980012a, // ldrsw x10, [x9]
      0x8b0a0129, // add x9, x9, x10
      0xf9400129, // ldr x9, [x9]
      0xb9400129, // ldr w9, [x9]
      0x0b090000, // add w0, w0, w9
      0xd65f03c0, // ret
    ]
    const at = (index: number, type: string, target: number) => ({
      offset: 4 * index,
      type: `ARM64_RELOC_${type}`,
      target,
    })
    return {
      code: u32(...words),
      relocations: [
        at(0, 'GOT_LOAD_PAGE21', cell),
        at(1, 'GOT_LOAD_PAGEOFF12', cell),
        at(3, 'PAGE21', pointer),
        at(4, 'PAGEOFF12', pointer),
      ],
    }
  }
  const code = [0x48, 0x8b, 0x05, 0, 0, 0, 0] // movq cell@GOTPCREL(%rip), %rax
  const relocations = [{ offset: 3, type: 'X86_64_RELOC_GOT_LOAD', target: cell, addend: 0 }]
  const add = (bytes: number[], field: number, type: string, addend = 0) => {
    relocations.push({ offset: code.length + field, type: `X86_64_RELOC_${type}`, target: cell, addend })
    code.push(...bytes)
  }
  code.push(0x8b, 0x00) // movl (%rax), %eax
  add([0x80, 0x05, 0, 0, 0, 0, 1], 2, 'SIGNED_1') // addb $1, cell(%rip)
  add([0x66, 0x83, 0x05, 0, 0, 0, 0, 1], 3, 'SIGNED_1') // addw $1, cell(%rip)
  add([0x66, 0x81, 0x05, 0, 0, 0, 0, 1, 0], 3, 'SIGNED_2') // addw $1, cell(%rip)
  add([0x81, 0x05, 0, 0, 0, 0, 1, 0, 0, 0], 2, 'SIGNED_4') // addl $1, cell(%rip)
  add([0x81, 0x05, 0, 0, 0, 0, 9, 0, 0, 0], 2, 'SIGNED_4', 4) // addl $9, cell+4(%rip)
  add([0x8b, 0x05, 0, 0, 0, 0], 2, 'SIGNED') // movl cell(%rip), %eax
  code.push(0xc3) // ret
  return { code: Uint8Array.from(code), relocations }
}
