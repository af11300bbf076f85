import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError } from '../../src/core/bytes.ts'
import { splitEhFrame } from '../../src/formats/ehFrame.ts'
import { createPlainScratch, listPlainFrames } from '../../src/formats/ehFramePlain.ts'

/** version 1, "zR" or "zLR", code align 1, data align -8, return register 16, pcrel absolute pointers. */
function cie(lsda: boolean): number[] {
  const letters = lsda ? [0x7a, 0x4c, 0x52, 0] : [0x7a, 0x52, 0]
  const data = lsda ? [2, 0x10, 0x10] : [1, 0x10]
  return record(0, [1, ...letters, 1, 0x78, 16, ...data, 0x0c, 7, 8, 0x90, 1])
}

function fde(distance: number, lsda: boolean): number[] {
  const pointers = new Array<number>(16).fill(1)
  return record(distance, [...pointers, ...(lsda ? [8, ...new Array<number>(8).fill(2)] : [0]), 0x0e, 0x10])
}

function record(id: number, body: number[]): number[] {
  const length = (body.length + 4 + 3) & ~3
  const padding = new Array<number>(length - 4 - body.length).fill(0)
  return [...word(length), ...word(id), ...body, ...padding]
}

function word(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]
}

/** A CIE and `count` FDEs of it, twice. */
function section(count: number): number[] {
  const bytes: number[] = []
  for (const lsda of [false, true]) {
    const start = bytes.length
    bytes.push(...cie(lsda))
    for (let i = 0; i < count; i++) bytes.push(...fde(bytes.length + 4 - start, lsda))
  }
  return bytes
}

function plain(bytes: Uint8Array, scratch = createPlainScratch()) {
  const [at, size] = [new Uint32Array(bytes.length), new Uint32Array(bytes.length)]
  const view = new DataView(bytes.buffer)
  const count = listPlainFrames(bytes, view, 0, bytes.length, at, size, 0, scratch)
  return count < 0 ? null : { at: [...at.subarray(0, count)], size: [...size.subarray(0, count)] }
}

test('The plain reader lists the records that the thorough one finds', () => {
  const bytes = Uint8Array.from([...section(3), ...word(0)])
  const frames = splitEhFrame(bytes, 0, bytes.length)
  assert.equal(frames.count, 8)
  assert.deepEqual(plain(bytes), { at: [...frames.at], size: [...frames.size] })
})

test('A CIE that differs from the last is read again', () => {
  const scratch = createPlainScratch()
  const [first, second] = [Uint8Array.from(section(1)), Uint8Array.from(section(2))]
  assert.notEqual(plain(first, scratch), null)
  assert.equal(plain(second, scratch)!.at.length, 6)
})

test('An FDE whose CIE is not the last one is left to the thorough reader', () => {
  const bytes = section(1)
  const away = bytes.length
  bytes.push(...fde(away + 4, false))
  assert.equal(splitEhFrame(Uint8Array.from(bytes), 0, bytes.length).count, 5)
  assert.equal(plain(Uint8Array.from(bytes)), null)
})

test('Whatever byte is wrong, both readers agree or the plain one leaves the section to the other', () => {
  const good = Uint8Array.from(section(2))
  const place = fc.integer({ min: 0, max: good.length - 1 })
  const change = fc.tuple(place, fc.constantFrom(0, 1, 4, 8, 16, 0x7f, 0x80, 0xff))
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 5 }), (changes, cut) => {
      const bytes = good.slice(0, good.length - cut)
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      const found = attempt(() => plain(bytes))
      const thorough = attempt(() => splitEhFrame(bytes, 0, bytes.length))
      if (found === null) return
      if (found instanceof FormatError) assert.ok(thorough instanceof FormatError, found.message)
      else if (thorough instanceof FormatError) assert.fail(`the plain reader takes what is wrong: ${thorough.message}`)
      else assert.deepEqual(found, { at: [...thorough!.at], size: [...thorough!.size] })
    }),
    { seed: 4, numRuns: 3000 },
  )
})

function attempt<T>(read: () => T): T | FormatError {
  try {
    return read()
  } catch (trouble) {
    if (trouble instanceof FormatError) return trouble
    throw trouble
  }
}
