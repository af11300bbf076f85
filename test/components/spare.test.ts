import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columns } from '../../components/columns.ts'
import { createSpare, putSpare, takeParts, takeSpare, takeTail } from '../../components/spare.ts'

const LAYOUT = { a: 'u32', b: 'f64' } as const

test('spare columns are taken once, zero, for those of the same size', () => {
  const [spare, old] = [createSpare(), columns(100, LAYOUT)]
  const { a } = old
  a.fill(7, 0, 51)
  old.b.fill(7, 0, 51)
  const next = { ...columns(100, LAYOUT), b: old.b }
  putSpare(spare, 'Kind', old, next, 50)
  const [larger, shared, other] = [columns(101, LAYOUT), columns(100, LAYOUT, true), columns(100, LAYOUT)]
  takeSpare(spare, 'Kind', larger, 101)
  takeSpare(spare, 'Kind', shared, 100)
  takeSpare(spare, 'Other', other, 100)
  for (const made of [larger, shared, other]) assert.notEqual(made.a, a)
  takeSpare(spare, 'Kind', other, 100)
  assert.equal(other.a, a)
  assert.ok(a.every((value) => value === 0))
  assert.notEqual(other.b, next.b)
  takeSpare(spare, 'Kind', next, 100)
  assert.notEqual(next.a, a)
})

test('columns that have no rows yet become spare ones, or new ones of as many rows', () => {
  const [spare, old, empty] = [createSpare(), columns(100, LAYOUT, true), columns(0, LAYOUT, true)]
  putSpare(spare, 'Kind', { a: old.a }, { a: empty.a }, 100)
  takeSpare(spare, 'Kind', empty, 100)
  assert.equal(empty.a, old.a)
  assert.deepEqual([empty.b.length, empty.b.buffer instanceof SharedArrayBuffer], [101, true])
})

test('a spare tail is taken once, zero, where it is as large', () => {
  const spare = createSpare()
  const tail = new Uint8Array(100).subarray(0, 60).fill(7)
  spare.tail = tail
  assert.equal(takeTail(spare, 101, false), null)
  assert.equal(takeTail(spare, 80, true), null)
  const taken = takeTail(spare, 80, false)!
  assert.deepEqual([taken.buffer === tail.buffer, taken.length], [true, 80])
  assert.ok(taken.every((value) => value === 0))
  assert.equal(takeTail(spare, 80, false), null)
})

test('spare memory of an image is taken once where it is as large', () => {
  const spare = createSpare()
  const parts = new ArrayBuffer(100)
  spare.parts = parts
  assert.equal(takeParts(spare, 90).buffer, parts)
  assert.notEqual(takeParts(spare, 90).buffer, parts)
})
