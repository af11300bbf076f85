import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError, writeU32be } from '../../src/core/bytes.ts'
import { isFat, pickSlice, readFat } from '../../src/formats/fat.ts'
import { CPU_TYPE_ARM64, CPU_TYPE_X86_64, FAT_MAGIC, FAT_MAGIC_64 } from '../../src/formats/macho/constants.ts'

function fat32(count: number, slices: number[][], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  writeU32be(bytes, 0, FAT_MAGIC)
  writeU32be(bytes, 4, count)
  slices.flat().forEach((word, i) => {
    writeU32be(bytes, 8 + i * 4, word)
  })
  return bytes
}

const TWO = [
  [CPU_TYPE_X86_64, 3, 64, 16, 4],
  [CPU_TYPE_ARM64, 0x80000002, 96, 32, 5],
]

test('a universal file lists its slices in order', () => {
  assert.deepEqual(readFat(fat32(2, TWO, 128)), [
    { cputype: CPU_TYPE_X86_64, cpusubtype: 3, offset: 64, size: 16, align: 4 },
    { cputype: CPU_TYPE_ARM64, cpusubtype: 0x80000002, offset: 96, size: 32, align: 5 },
  ])
})

test('offsets count from the start of the universal file, wherever it lies', () => {
  const arena = new Uint8Array(200)
  arena.set(fat32(2, TWO, 128), 40)
  assert.equal(readFat(arena, 40, 168)[1].offset, 96)
  assert.throws(() => readFat(arena, 40, 167), { id: 'fat-slice-bounds' })
})

test('a 64-bit universal file is read', () => {
  const bytes = new Uint8Array(100)
  const table = [FAT_MAGIC_64, 1, CPU_TYPE_ARM64, 0, 0, 60, 0, 40, 14, 0]
  table.forEach((word, i) => {
    writeU32be(bytes, i * 4, word)
  })
  assert.deepEqual(readFat(bytes), [{ cputype: CPU_TYPE_ARM64, cpusubtype: 0, offset: 60, size: 40, align: 14 }])
  writeU32be(bytes, 16, 0xffffffff)
  assert.throws(() => readFat(bytes), { id: 'fat-slice-bounds' })
})

test('a slice is picked by type and subtype without capability bits', () => {
  const slices = readFat(fat32(2, TWO, 128))
  assert.equal(pickSlice(slices, CPU_TYPE_ARM64, 2), slices[1])
  assert.equal(pickSlice(slices, CPU_TYPE_ARM64, 0), null)
  assert.equal(pickSlice(slices, CPU_TYPE_X86_64, 3), slices[0])
})

test('tables and slices beyond the end of the file are errors', () => {
  assert.throws(() => readFat(fat32(3, TWO, 50)), {
    id: 'fat-slice-bounds',
    message: 'slice extends beyond end of file',
    offset: 8,
  })
  assert.throws(() => readFat(fat32(9, [], 40).fill(0, 8)), { id: 'fat-slice-overlap' })
  assert.throws(() => readFat(fat32(1, [], 20)), {
    id: 'fat-arch-bounds',
    message: 'fat_arch struct extends beyond end of file',
    offset: 8,
  })
})

test('a Java class file is not a universal file', () => {
  assert.equal(isFat(fat32(45, [], 20)), false)
  assert.equal(isFat(fat32(2, [], 20)), true)
  assert.equal(isFat(new Uint8Array(4)), false)
})

test('mutated universal files give slices inside the file or a FormatError', () => {
  const change = fc.tuple(fc.nat(63), fc.nat(255))
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
      const bytes = fat32(2, TWO, 128)
      for (const [at, value] of changes) bytes[at] = value
      try {
        for (const slice of readFat(bytes)) assert.ok(slice.offset + slice.size <= bytes.length)
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { seed: 2, numRuns: 1000 },
  )
})
