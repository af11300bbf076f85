import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyHint } from '../../src/arch/arm64Hints.ts'

const NOP = 0xd503201f
const SHIFT = 0x100000000

/** Applies a hint to instructions that stand one after the other from file offset 0, address SHIFT. */
function hinted(kind: number, instructions: readonly number[]): number[] {
  const view = new DataView(new ArrayBuffer(16))
  for (const [i, instruction] of instructions.entries()) view.setUint32(i * 4, instruction, true)
  applyHint(view, kind, 0, 4, 8, SHIFT)
  return instructions.map((_, i) => view.getUint32(i * 4, true))
}

/** adrp x0, page + n */
const adrp = (pages: number, register = 0): number =>
  (0x90000000 | ((pages & 3) << 29) | (((pages >> 2) & 0x7ffff) << 5) | register) >>> 0
/** add x1, x0, #n */
const add = (n: number): number => (0x91000001 | (n << 10)) >>> 0
/** ldr x2, [x1, #8 * n] */
const loadFrom1 = (n: number): number => (0xf9400022 | (n << 10)) >>> 0
/** ldr x1, [x0, #8 * n] */
const loadFrom0 = (n: number): number => (0xf9400001 | (n << 10)) >>> 0

test('adrp and add become adr when the address is near', () => {
  assert.deepEqual(hinted(7, [adrp(1), add(0x10)]), [0x10000000 | (0x1010 << 3) | 1, NOP])
  assert.deepEqual(hinted(7, [adrp(0x100), add(0)]), [adrp(0x100), add(0)])
  assert.deepEqual(hinted(7, [adrp(-0x100), add(0)]), [(0x10000000 | 0x800000 | 1) >>> 0, NOP])
})

test('adrp and add of different registers stay', () => {
  assert.deepEqual(hinted(7, [adrp(1, 5), add(0)]), [adrp(1, 5), add(0)])
})

test('a second adrp of the same page goes', () => {
  assert.deepEqual(hinted(1, [adrp(3), adrp(3)]), [adrp(3), NOP])
  assert.deepEqual(hinted(1, [adrp(3), adrp(4)]), [adrp(3), adrp(4)])
})

test('adrp and ldr become a literal load', () => {
  assert.deepEqual(hinted(2, [adrp(1), loadFrom0(2)]), [NOP, 0x58000000 | ((0x100c / 4) << 5) | 1])
})

test('narrow loads have no literal form', () => {
  const byte = 0x39400001
  assert.deepEqual(hinted(2, [adrp(1), byte]), [adrp(1), byte])
})

test('a signed word stays signed as a literal load', () => {
  assert.deepEqual(hinted(2, [adrp(1), 0xb9800001]), [NOP, (0x98000000 | ((0xffc / 4) << 5) | 1) >>> 0])
})

test('a prefetch is no load', () => {
  assert.deepEqual(hinted(2, [adrp(1), 0xf9800001]), [adrp(1), 0xf9800001])
})

test('adrp, add and ldr become one load, or two instructions when the address is far', () => {
  assert.deepEqual(hinted(3, [adrp(1), add(8), loadFrom1(1)]), [NOP, NOP, 0x58000000 | ((0x1008 / 4) << 5) | 2])
  assert.deepEqual(hinted(3, [adrp(0x200), add(8), loadFrom1(1)]), [adrp(0x200), NOP, (0xf9400002 | (2 << 10)) >>> 0])
  assert.deepEqual(hinted(3, [adrp(0x200), add(4), loadFrom1(1)]), [adrp(0x200), add(4), loadFrom1(1)])
})

test('a load through the GOT is shortened as what relaxation made of it', () => {
  assert.deepEqual(hinted(8, [adrp(1), add(0)]), [0x10000000 | (0x1000 << 3) | 1, NOP])
  assert.deepEqual(hinted(8, [adrp(1), loadFrom0(0)]), [NOP, 0x58000000 | ((0xffc / 4) << 5) | 1])
  const literal = 0x58000000 | ((0xffc / 4) << 5) | 1
  assert.deepEqual(hinted(4, [adrp(1), loadFrom0(0), loadFrom1(0)]), [NOP, literal, loadFrom1(0)])
})
