import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { FormatError, fixedName, readU32, readU64, writeU32 } from '../../src/core/bytes.ts'
import {
  decodeUnwindInfo,
  planUnwindInfo,
  UNWIND_HAS_LSDA,
  UNWIND_PERSONALITY_MASK,
  UNWIND_SECOND_LEVEL_COMPRESSED,
  UNWIND_SECOND_LEVEL_REGULAR,
  type UnwindInfo,
  type UnwindRows,
  unwindPlanError,
  writeUnwindInfo,
} from '../../src/formats/unwind.ts'
import {
  COMPACT_UNWIND_ENCODING,
  COMPACT_UNWIND_ENTRY_SIZE,
  COMPACT_UNWIND_FUNCTION,
  COMPACT_UNWIND_LENGTH,
  COMPACT_UNWIND_LSDA,
  COMPACT_UNWIND_PERSONALITY,
} from '../../src/formats/unwind/compactUnwind.ts'
import type { Arch } from '../../src/types.ts'

type Row = { start: number; length: number; encoding: number; personality: number; lsda: number }

function toRows(list: Row[]): UnwindRows {
  return {
    count: list.length,
    start: Uint32Array.from(list, (row) => row.start),
    length: Uint32Array.from(list, (row) => row.length),
    encoding: Uint32Array.from(list, (row) => row.encoding),
    personality: Uint32Array.from(list, (row) => row.personality),
    lsda: Uint32Array.from(list, (row) => row.lsda),
  }
}

const GOT = Uint32Array.from([0, 0x8000, 0x8008, 0x8010, 0x8018])

function encode(rows: UnwindRows, arch: Arch, got = GOT): Uint8Array {
  const plan = planUnwindInfo(rows, arch)
  assert.equal(unwindPlanError(plan), null)
  const bytes = new Uint8Array(plan.size + 16).fill(0xaa)
  writeUnwindInfo(plan, bytes, 8, got, rows.lsda)
  assert.deepEqual([...bytes.subarray(0, 8), ...bytes.subarray(plan.size + 8)], new Array(16).fill(0xaa))
  return bytes.subarray(8, 8 + plan.size)
}

/** What an unwinder finds: the last entry at or below the address. */
function lookUp(info: UnwindInfo, address: number): { start: number; encoding: number; lsda: number; got: number } {
  let i = 0
  while (i + 1 < info.count && info.start[i + 1] <= address) i++
  const personality = info.personality[i]
  const got = personality === 0 ? 0 : info.personalities[personality - 1]
  return {
    start: info.start[i],
    encoding: (info.encoding[i] & ~UNWIND_PERSONALITY_MASK) >>> 0,
    lsda: info.lsda[i],
    got,
  }
}

/** Rows of functions one after the other, from gaps. */
function chain(list: { gap: number; length: number; encoding: number; personality: number; lsda: number }[]): Row[] {
  let start = 0x1000
  return list.map(({ gap, length, encoding, personality, lsda }) => {
    const row = { start: start + gap, length, encoding, personality, lsda }
    start = row.start + length
    return row
  })
}

const anyRow = fc.record({
  gap: fc.constantFrom(0, 0, 0, 4, 0x3000, 0x900000),
  length: fc.integer({ min: 1, max: 600 }),
  encoding: fc.oneof(
    fc.constantFrom(0, 0x01000000, 0x02010000, 0x03000001, 0x04000000),
    fc.integer({ min: 0x04000000, max: 0x0400ffff }),
  ),
  personality: fc.constantFrom(0, 0, 0, 1, 2, 3),
  lsda: fc.constantFrom(0, 0, 0, 0x5000, 0x5010),
})

function decodeUnlessRefused(bytes: Uint8Array): UnwindInfo | null {
  try {
    return decodeUnwindInfo(bytes)
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error))
    assert.match(error.id, /^unwind-info-[a-z]+$/)
    return null
  }
}

function refused(bytes: Uint8Array, at: number, value: number, id: string): void {
  const copy = bytes.slice()
  writeU32(copy, at, value)
  assert.throws(
    () => decodeUnwindInfo(copy),
    (error) => error instanceof FormatError && error.id === id,
  )
}

describe('unwind info', () => {
  it('gives back for every function what was put in, in any order of rows', () => {
    const property = fc.property(
      fc.array(anyRow, { maxLength: 300 }),
      fc.constantFrom<Arch>('x86_64', 'arm64'),
      fc.integer(),
      (list, arch, seed) => {
        const rows = chain(list)
        const shuffled = rows.map((row, i) => ({ row, key: Math.sin(seed + i) }))
        shuffled.sort((a, b) => a.key - b.key)
        const bytes = encode(toRows(rows), arch)
        const again = encode(toRows(shuffled.map(({ row }) => row)), arch)
        if (rows.length === 0) return assert.equal(bytes.length, 0)
        const info = decodeUnwindInfo(bytes)
        assert.equal(info.end, rows.at(-1)!.start + rows.at(-1)!.length)
        for (const row of rows) {
          const found = lookUp(info, row.start + row.length - 1)
          assert.equal(found.encoding, row.encoding)
          assert.equal(found.lsda, row.lsda)
          assert.equal(found.got, GOT[row.personality])
          if (row.lsda !== 0) assert.equal(found.start, row.start)
        }
        const other = decodeUnwindInfo(again)
        assert.deepEqual([other.start, other.lsda, other.common.length], [info.start, info.lsda, info.common.length])
      },
    )
    fc.assert(property, { seed: 22, numRuns: 200 })
  })

  it('gives the same plan for rows far out of order', () => {
    const list = Array.from({ length: 1000 }, (_, i): Row => {
      return { start: 16 * i, length: 16, encoding: 0x02000000 + (i % 7) * 0x1000, personality: 0, lsda: 0 }
    })
    const late = list.filter((_, i) => i % 100 === 50)
    const near = [...list.filter((_, i) => i % 100 !== 50), ...late]
    const plan = planUnwindInfo(toRows(list), 'arm64')
    for (const rows of [near, list.toReversed()]) {
      const other = planUnwindInfo(toRows(rows), 'arm64')
      assert.deepEqual(other.folded.start, plan.folded.start)
      assert.deepEqual(other.folded.encoding, plan.folded.encoding)
    }
  })

  it('joins neighbours that unwind alike and keeps those with an LSDA or a size in the code apart', () => {
    const like = (encoding: number, personality = 0, lsda = 0) => ({ gap: 0, length: 16, encoding, personality, lsda })
    const count = (arch: Arch, ...list: ReturnType<typeof like>[]) =>
      planUnwindInfo(toRows(chain(list)), arch).folded.count
    assert.equal(count('x86_64', like(0x02010000), like(0x02010000), like(0x02010000)), 1)
    assert.equal(count('x86_64', like(0), like(0)), 1)
    assert.equal(count('x86_64', like(0x02010000), like(0x02020000), like(0x02010000)), 3)
    assert.equal(count('x86_64', like(0x02010000, 1), like(0x02010000, 2)), 2)
    assert.equal(count('x86_64', like(0x42010000, 1, 8), like(0x42010000, 1, 8)), 2)
    assert.equal(count('x86_64', like(0x03000001), like(0x03000001)), 2)
    assert.equal(count('arm64', like(0x03000001), like(0x03000001)), 1)
  })

  it('puts "no unwind info" of an empty section before the function at the same address', () => {
    const real = { start: 64, length: 16, encoding: 0x02010000, personality: 0, lsda: 0x900 }
    const empty = { start: 64, length: 0, encoding: 0, personality: 0, lsda: 0 }
    const info = decodeUnwindInfo(encode(toRows([real, empty]), 'x86_64'))
    assert.deepEqual([...info.encoding], [0, 0x02010000])
    assert.deepEqual([...info.lsda], [0, 0x900])
  })

  it('orders common encodings by use, then by the larger, and keeps at most 127', () => {
    const codes = [5, 9, 9, 7, 5, 9, 3]
    const plain = chain(
      codes.map((low) => ({ gap: 0, length: 4, encoding: 0x02000000 + low, personality: 0, lsda: 1 })),
    )
    const low = [...decodeUnwindInfo(encode(toRows(plain), 'x86_64')).common].map((encoding) => encoding & 0xff)
    assert.deepEqual(low, [9, 5, 7, 3])
    const many = chain(
      Array.from({ length: 300 }, (_, i) => ({ gap: 0, length: 4, encoding: 0x04000000 + i, personality: 0, lsda: 0 })),
    )
    const common = decodeUnwindInfo(encode(toRows(many), 'x86_64')).common
    assert.deepEqual(
      [...common],
      Array.from({ length: 127 }, (_, i) => 0x04000000 + 299 - i),
    )
  })

  it('uses regular pages where the table of encodings of a compressed one fills early', () => {
    const rows = chain(
      Array.from({ length: 1300 }, (_, i) => ({
        gap: 0,
        length: 4,
        encoding: 0x04000000 + i,
        personality: 0,
        lsda: 0,
      })),
    )
    const info = decodeUnwindInfo(encode(toRows(rows), 'x86_64'))
    assert.deepEqual([...info.pageFirst], [0, 511, 1022])
    assert.deepEqual([...info.pageKind], new Array(3).fill(UNWIND_SECOND_LEVEL_REGULAR))
    assert.deepEqual(
      [...info.encoding],
      rows.map((row) => row.encoding),
    )
  })

  it('ends a compressed page where offsets leave 24 bits', () => {
    const rows = Array.from({ length: 1400 }, (_, i) => ({
      start: 0x1000 + i * 16 + (i >= 700 ? 0xfffff0 - 700 * 16 : 0),
      length: 16,
      encoding: i % 2 === 0 ? 0x02010000 : 0x02020000,
      personality: 0,
      lsda: 0,
    }))
    const info = decodeUnwindInfo(encode(toRows(rows), 'x86_64'))
    assert.deepEqual([...info.pageFirst], [0, 701])
    assert.deepEqual([...info.pageKind], [UNWIND_SECOND_LEVEL_COMPRESSED, UNWIND_SECOND_LEVEL_COMPRESSED])
  })

  it('refuses a fourth personality in the words of ld64.lld', () => {
    const rows = chain([1, 2, 3, 4].map((personality) => ({ gap: 0, length: 4, encoding: 1, personality, lsda: 0 })))
    const plan = planUnwindInfo(toRows(rows), 'arm64')
    assert.equal(unwindPlanError(plan), 'too many personalities (4) for compact unwind to encode')
  })

  it('plans a hundred thousand functions of three kinds into full pages', () => {
    const count = 100_000
    const rows: UnwindRows = {
      count,
      start: new Float64Array(count).map((_, i) => 0x4000 + i * 32),
      length: new Uint32Array(count).fill(32),
      encoding: new Uint32Array(count).map((_, i) => [0, 0x02010000, 0x02020000][i % 3]),
      personality: new Uint32Array(count),
      lsda: new Float64Array(count),
    }
    const plan = planUnwindInfo(rows, 'x86_64')
    assert.equal(plan.pages.count, Math.ceil(count / 1021))
    assert.equal(plan.size, 28 + 3 * 4 + (plan.pages.count + 1) * 12 + plan.pages.count * 4096)
    assert.equal(decodeUnwindInfo(encode(rows, 'x86_64')).count, count)
  })
})

describe('unwind info decoder', () => {
  const list = [1, 2, 3, 0].map((personality, i) => ({
    gap: 0,
    length: 8,
    encoding: 0x02000000 + i,
    personality,
    lsda: personality * 16,
  }))
  const bytes = encode(toRows(chain(list)), 'x86_64')
  const index = 28 + 4 * 4 + 3 * 4
  const page = readU32(bytes, index + 4)

  it('refuses sections that contradict themselves', () => {
    refused(bytes, 0, 2, 'unwind-info-version')
    refused(bytes, 8, 0x7fffffff, 'unwind-info-bounds')
    refused(bytes, 12, 0xfffffff0, 'unwind-info-bounds')
    refused(bytes, 16, 2, 'unwind-info-personality')
    refused(bytes, 24, 0, 'unwind-info-index')
    refused(bytes, 24, 0x10000000, 'unwind-info-bounds')
    refused(bytes, index, 1, 'unwind-info-lsda')
    refused(bytes, index + 4, bytes.length - 4, 'unwind-info-bounds')
    refused(bytes, index + 8, 3, 'unwind-info-lsda')
    refused(bytes, index + 12, 0, 'unwind-info-order')
    refused(bytes, index + 20, 0xfffffff0, 'unwind-info-lsda')
    refused(bytes, index + 24, 1, 'unwind-info-lsda')
    refused(bytes, page, 4, 'unwind-info-page')
    refused(bytes, page + 4, 0xffff000c, 'unwind-info-page')
    refused(bytes, page + 12, 0xff000000, 'unwind-info-encoding')
    refused(bytes, page + 16, 0x00ff0000, 'unwind-info-order')
    refused(bytes, page + 12, 0x00000001, 'unwind-info-page')
  })

  it('refuses an index that names one page over and over', () => {
    const plain = chain(
      Array.from({ length: 1000 }, (_, i) => ({ gap: 0, length: 4, encoding: 1 + (i % 2), personality: 0, lsda: 0 })),
    )
    const once = encode(toRows(plain), 'arm64')
    const indexAt = readU32(once, 20)
    const bomb = new Uint8Array(once.length + 12 * 1000)
    bomb.set(once)
    for (let i = 0; i < 1000; i++) bomb.set(once.subarray(indexAt, indexAt + 12), once.length + i * 12)
    writeU32(bomb, 20, once.length)
    writeU32(bomb, 24, 1000)
    assert.throws(() => decodeUnwindInfo(bomb), FormatError)
  })

  it('refuses every truncation', () => {
    const used = page + 12 + 4 * 4
    for (let length = 0; length < used; length++) {
      assert.throws(() => decodeUnwindInfo(bytes.subarray(0, length)), FormatError)
    }
  })

  it('throws nothing but FormatError whatever bytes change', () => {
    const change = fc.record({ at: fc.nat({ max: page + 40 }), value: fc.integer({ min: 0, max: 255 }) })
    const property = fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const copy = bytes.slice()
      for (const { at, value } of changes) copy[at] = value
      const info = decodeUnlessRefused(copy)
      if (info) assert.ok(info.count <= bytes.length >>> 2)
    })
    fc.assert(property, { seed: 23, numRuns: 3000 })
    const noise = fc.property(fc.uint8Array({ maxLength: 200 }), (some) => void decodeUnlessRefused(some))
    fc.assert(noise, { seed: 24, numRuns: 500 })
  })
})

// Just enough of a Mach-O reader to have ld64.lld's bytes beside ours.
type Sect = {
  name: string
  address: number
  size: number
  offset: number
  relocations: number
  relocationCount: number
}
type File = {
  bytes: Uint8Array
  sections: Sect[]
  symbols: { name: string; type: number; sect: number; value: number }[]
}

function readMachO(path: string): File {
  const bytes = new Uint8Array(readFileSync(path))
  const file: File = { bytes, sections: [], symbols: [] }
  let at = 32
  for (let i = 0; i < readU32(bytes, 16); i++) {
    if (readU32(bytes, at) === 0x19) readSections(file, at)
    if (readU32(bytes, at) === 2) readSymbols(file, at)
    at += readU32(bytes, at + 4)
  }
  return file
}

function readSections({ bytes, sections }: File, segment: number): void {
  for (let s = 0; s < readU32(bytes, segment + 64); s++) {
    const at = segment + 72 + s * 80
    const [offset, , relocations, relocationCount] = [48, 52, 56, 60].map((field) => readU32(bytes, at + field))
    const name = `${fixedName(bytes, at + 16)},${fixedName(bytes, at)}`
    sections.push({
      name,
      address: readU64(bytes, at + 32),
      size: readU64(bytes, at + 40),
      offset,
      relocations,
      relocationCount,
    })
  }
}

function readSymbols({ bytes, symbols }: File, command: number): void {
  const [from, count, strings] = [8, 12, 16].map((field) => readU32(bytes, command + field))
  for (let i = 0, at = from; i < count; i++, at += 16) {
    const name = Buffer.from(bytes.subarray(strings + readU32(bytes, at))).toString('latin1')
    const value = readU64(bytes, at + 8)
    symbols.push({ name: name.slice(0, name.indexOf('\0')), type: bytes[at + 4], sect: bytes[at + 5], value })
  }
}

function section(file: File, name: string): Sect {
  const found = file.sections.find((sect) => sect.name === name)
  assert.ok(found, `no ${name}`)
  return found
}

function contents(file: File, name: string): Uint8Array {
  const { offset, size } = section(file, name)
  return file.bytes.subarray(offset, offset + size)
}

/** The rows a decoded section stands for: one an entry, so that encoding them must give the section back. */
function rowsOf(info: UnwindInfo): UnwindRows {
  const { count, start } = info
  return {
    count,
    start,
    length: start.map((from, i) => (i + 1 < count ? start[i + 1] : info.end) - from),
    encoding: info.encoding.map((encoding) => encoding & ~UNWIND_PERSONALITY_MASK),
    personality: Uint32Array.from(info.personality),
    lsda: info.lsda,
  }
}

/** The rows an object asks for: its __compact_unwind, and nothing for its other functions, moved to where they were linked. */
function rowsFromObject(object: File, linked: File, keep: (row: Row) => Row): UnwindRows {
  const text = section(object, '__TEXT,__text')
  const { address, offset } = section(linked, '__TEXT,__text')
  const base = address - offset
  const move = offset - text.address
  const compact = section(object, '__LD,__compact_unwind')
  const exceptions = object.sections.find((sect) => sect.name === '__TEXT,__gcc_except_tab')
  const exceptionsTo = exceptions ? section(linked, '__TEXT,__gcc_except_tab').address - base - exceptions.address : 0
  const targets = new Map<number, number>()
  for (let i = 0; i < compact.relocationCount; i++) {
    const at = compact.relocations + i * 8
    const word = readU32(object.bytes, at + 4)
    const symbol = object.symbols[word & 0xffffff]
    const external = ((word >>> 27) & 1) === 1
    const place = readU32(object.bytes, at)
    const addend = readU64(object.bytes, compact.offset + place)
    const personality = place % COMPACT_UNWIND_ENTRY_SIZE === COMPACT_UNWIND_PERSONALITY
    targets.set(
      place,
      personality ? (external ? 1 + (word & 0xffffff) : addend) : addend + (external ? symbol.value : 0),
    )
  }
  const rows = new Map<number, Row>()
  for (const { type, sect, value } of object.symbols) {
    const inText = (type & 0xe0) === 0 && (type & 0x0e) === 0x0e && object.sections[sect - 1] === text
    if (inText) rows.set(value, { start: value + move, length: 0, encoding: 0, personality: 0, lsda: 0 })
  }
  for (let at = 0; at < compact.size; at += COMPACT_UNWIND_ENTRY_SIZE) {
    const start = targets.get(at + COMPACT_UNWIND_FUNCTION)!
    const lsda = targets.get(at + COMPACT_UNWIND_LSDA)
    const entry = compact.offset + at
    rows.set(start, {
      start: start + move,
      length: readU32(object.bytes, entry + COMPACT_UNWIND_LENGTH),
      encoding: readU32(object.bytes, entry + COMPACT_UNWIND_ENCODING),
      personality: targets.get(at + COMPACT_UNWIND_PERSONALITY) ?? 0,
      lsda: lsda === undefined ? 0 : lsda + exceptionsTo,
    })
  }
  return toRows([...rows.values()].sort((a, b) => a.start - b.start).map(keep))
}

const triple = { x86_64: 'x86_64-apple-macos13', arm64: 'arm64-apple-macos13' }

/** C++ whose functions differ in frame and saved registers; every other catches. */
function cppSource(functions: number): string {
  const lines = ['extern int take(int *, int); struct A { int x; ~A(); };']
  for (let i = 0; i < functions; i++) {
    const body = `int a[${1 + ((i * 7) % 90)}]; a[0] = x; int y = take(a, x) + x; `
    const caught = i % 2 === 0 ? `A a1; try { y += take(a, y); } catch (int e) { y = e; } ` : ''
    const leaf = i % 7 === 3
    lines.push(
      leaf ? `int f${i}(int x) { return x + ${i}; }` : `int f${i}(int x) { ${body}${caught}return y + take(a, y); }`,
    )
  }
  return lines.join('\n')
}

/** Functions with encodings of their own, three personalities, LSDAs, and frames only DWARF can say. */
function asmSource(functions: number, dwarf: boolean): string {
  const lines = ['.text']
  for (let i = 0; i < functions; i++) {
    const personality = i % 4 === 0 ? 0 : i % 4
    lines.push(`.globl _g${i}`, `_g${i}:`, '.cfi_startproc')
    if (personality !== 0) lines.push(`.cfi_personality 155, _p${personality}`)
    if (personality === 2) lines.push('.cfi_lsda 16, Llsda')
    lines.push('pushq %rbp', '.cfi_def_cfa_offset 16', '.cfi_offset %rbp, -16', 'movq %rsp, %rbp')
    lines.push('.cfi_def_cfa_register %rbp')
    lines.push(`subq $${128 + i * 16}, %rsp`)
    const free = ['%rbx', '%r12', '%r13', '%r14', '%r15']
    for (let r = 0, rest = Math.imul(i, 0x9e3779b1) >>> 8; r < i % 6; r++) {
      const [saved] = free.splice(rest % free.length, 1)
      lines.push(`.cfi_offset ${saved}, ${-24 - r * 8}`)
      rest = Math.floor(rest / (free.length + 1))
    }
    if (dwarf && i % 3 === 0) lines.push('.cfi_offset %r9, 40')
    lines.push('nop', 'retq', '.cfi_endproc')
    if (i % 10 === 9) lines.push(`_plain${i}:`, 'nop', 'retq')
  }
  lines.push('.section __TEXT,__gcc_except_tab', 'Llsda: .long 0, 0', '.subsections_via_symbols')
  return lines.join('\n')
}

describe('unwind info beside ld64.lld', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'unwind-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  function build(name: string, source: string, arch: Arch, flags: string[]): { object: File; linked: File } {
    const input = join(folder, name)
    const object = `${input}.${arch}.o`
    const output = `${input}.${arch}.dylib`
    writeFileSync(input, source)
    execFileSync('clang-22', ['-target', triple[arch], '-c', ...flags, input, '-o', object])
    const platform = [
      '-arch',
      arch,
      '-platform_version',
      'macos',
      '13.0',
      '13.0',
      '-dylib',
      '-undefined',
      'dynamic_lookup',
    ]
    execFileSync('ld64.lld-22', [...platform, object, '-o', output])
    return { object: readMachO(object), linked: readMachO(output) }
  }

  /** Encodes what was decoded, checks that nothing changed, and returns it. */
  function sameAgain(linked: File, arch: Arch): UnwindInfo {
    const bytes = contents(linked, '__TEXT,__unwind_info')
    const info = decodeUnwindInfo(bytes)
    const got = Uint32Array.from([0, ...info.personalities])
    assert.ok(Buffer.from(encode(rowsOf(info), arch, got)).equals(bytes), 'bytes differ')
    return info
  }

  for (const arch of ['x86_64', 'arm64'] as const) {
    it(`writes the same bytes for C++ on ${arch}, from its section and from the object's __compact_unwind`, () => {
      const { object, linked } = build(`many.cc`, cppSource(1500), arch, ['-O1'])
      const info = sameAgain(linked, arch)
      assert.ok(info.pageKind.length >= 2, `${info.pageKind.length} pages`)
      assert.ok(info.lsda.some((lsda) => lsda !== 0))
      assert.equal(info.personalities.length, 1)
      const rows = rowsFromObject(object, linked, (row) => ({ ...row, personality: row.personality === 0 ? 0 : 1 }))
      const bytes = encode(rows, arch, Uint32Array.from([0, info.personalities[0]]))
      assert.ok(Buffer.from(bytes).equals(contents(linked, '__TEXT,__unwind_info')), 'bytes differ')
    })
  }

  it('writes the same bytes for three personalities and hundreds of encodings', () => {
    const { object, linked } = build('wide.s', asmSource(3000, false), 'x86_64', [
      '-femit-compact-unwind-non-canonical',
    ])
    const info = sameAgain(linked, 'x86_64')
    assert.equal(info.personalities.length, 3)
    assert.equal(info.common.length, 127)
    assert.ok(info.pageKind.length >= 3, `${info.pageKind.length} pages`)
    const ids = new Map<number, number>([[0, 0]])
    const keep = (row: Row): Row => {
      if (!ids.has(row.personality)) ids.set(row.personality, ids.size)
      return { ...row, personality: ids.get(row.personality)! }
    }
    const bytes = encode(rowsFromObject(object, linked, keep), 'x86_64', Uint32Array.from([0, ...info.personalities]))
    assert.ok(Buffer.from(bytes).equals(contents(linked, '__TEXT,__unwind_info')), 'bytes differ')
  })

  it('writes the same bytes where entries point into __eh_frame, some with an LSDA', () => {
    const { linked } = build('dwarf.s', asmSource(3000, true), 'x86_64', ['-femit-compact-unwind-non-canonical'])
    const info = sameAgain(linked, 'x86_64')
    const dwarf = info.encoding.filter((encoding) => (encoding & 0x0f000000) === 0x04000000)
    assert.equal(dwarf.length, 1000)
    assert.ok(info.lsda.some((lsda, i) => lsda !== 0 && (info.encoding[i] & UNWIND_HAS_LSDA) === 0))
    assert.ok(info.pageKind.includes(UNWIND_SECOND_LEVEL_REGULAR))
  })
})
