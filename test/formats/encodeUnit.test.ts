import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { type DebugFunction, encodeUnit } from '../../src/formats/dwarf/encodeUnit.ts'
import { sourceLine } from '../../src/formats/dwarf/sourceLine.ts'

const EMPTY = { from: 0, to: 0 }

test('lines of any distance are read back as they were', () => {
  const random = randomFrom(3)
  const below = (limit: number) => Math.floor(random() * limit)
  const functions: DebugFunction[] = []
  let address = 2 ** 32
  for (let i = 0; i < 50; i++) {
    const rows: number[] = []
    let offset = 0
    let line = 1 + below(100000)
    for (let row = 0; row < 1 + below(30); row++) {
      rows.push(offset, line, below(300))
      offset += 1 + below(below(4) === 0 ? 100000 : 12)
      line = Math.max(1, line + below(2000) - 1000 * below(3))
    }
    functions.push({ name: `_f${i}`, external: i % 2 === 0, address, size: offset, lines: Uint32Array.from(rows) })
    address += offset + below(3) * 16
  }
  const { lines } = encodeUnit('/some/where/source.toy', 0, 0, functions)
  const sections = {
    info: EMPTY,
    abbrev: EMPTY,
    str: EMPTY,
    lineStr: EMPTY,
    strOffsets: EMPTY,
    line: { from: 0, to: lines.length },
  }
  for (const { address: start, size, lines: rows } of functions)
    for (let i = 0; i < rows.length; i += 3) {
      const end = i + 3 < rows.length ? rows[i + 3] : size
      for (const at of [rows[i], end - 1])
        assert.deepEqual(sourceLine(lines, sections, start + at), { file: '/some/where/source.toy', line: rows[i + 1] })
    }
})
