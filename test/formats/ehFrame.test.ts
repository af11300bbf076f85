import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { ByteSink, FormatError, fixedName, readU32, readU64, writeU32 } from '../../src/core/bytes.ts'
import {
  DW_EH_PE_omit,
  DW_EH_PE_pcrel,
  DW_EH_PE_sdata4,
  DW_EH_PE_udata4,
  EH_CIE,
  EH_FDE,
  type EhFrames,
  ehPointerWidth,
  fdeEncoding,
  fdeEncodingFor,
  readEhPointer,
  splitEhFrame,
} from '../../src/formats/ehFrame.ts'
import type { Arch } from '../../src/types.ts'

const PERSONALITY = 0x9b

type Cie = { letters: string; data: number[]; version?: number; wide?: boolean }

function record(sink: ByteSink, wide: boolean, body: (at: number) => Uint8Array): number {
  const at = sink.length
  const content = body(at + (wide ? 12 : 4))
  if (wide) sink.u32(0xffffffff)
  if (wide) sink.u64(content.length)
  else sink.u32(content.length)
  sink.append(content)
  return at
}

function addCie(sink: ByteSink, { letters, data, version = 1, wide = false }: Cie): number {
  return record(sink, wide, () => {
    const body = new ByteSink()
    body.u32(0)
    body.u8(version)
    body.cstring(letters)
    body.uleb(1)
    body.sleb(-8)
    body.uleb(16)
    if (letters.startsWith('z')) body.uleb(data.length)
    body.append(Uint8Array.from(data))
    body.append(Uint8Array.from([0x0c, 7, 8]))
    return body.finish()
  })
}

function addFde(sink: ByteSink, cie: number, fields: number[], wide = false): number {
  return record(sink, wide, (at) => {
    const body = new ByteSink()
    body.u32(at - cie)
    body.append(Uint8Array.from(fields))
    return body.finish()
  })
}

const words = (...list: number[]): number[] => list.flatMap((word) => [word, word >>> 8, word >>> 16, word >>> 24])
const ZPLR: Cie = { letters: 'zPLR', data: [PERSONALITY, 4, 0, 0, 0, 0x10, 0x10] }
const fields64 = [...words(-80, -1, 32, 0), 8, ...words(-94, -1)]

function refused(bytes: Uint8Array, id: string): void {
  assert.throws(
    () => splitEhFrame(bytes, 0, bytes.length),
    (error) => error instanceof FormatError && error.id === id,
  )
}

describe('eh frame', () => {
  it('finds the fields of records that augment with zPLR', () => {
    const sink = new ByteSink()
    const cie = addCie(sink, ZPLR)
    const fde = addFde(sink, cie, fields64)
    const frames = splitEhFrame(sink.finish(), 0, sink.length)
    assert.equal(frames.count, 2)
    assert.deepEqual([...frames.kind], [EH_CIE, EH_FDE])
    assert.deepEqual([...frames.at], [cie, fde])
    assert.deepEqual([...frames.size], [fde, sink.length - fde])
    assert.deepEqual([...frames.cie], [0, 0])
    assert.deepEqual([...frames.cieAt], [4, 4])
    assert.deepEqual([...frames.personalityAt], [4 + 4 + 1 + 5 + 3 + 1 + 1, 0])
    assert.deepEqual([...frames.personalityEncoding], [PERSONALITY, DW_EH_PE_omit])
    assert.deepEqual([...frames.functionAt], [0, 8])
    assert.deepEqual([...frames.lengthAt], [0, 16])
    assert.deepEqual([...frames.lsdaAt], [0, 25])
    assert.deepEqual([...frames.functionEncoding], [DW_EH_PE_pcrel, DW_EH_PE_pcrel])
    assert.deepEqual([...frames.lsdaEncoding], [DW_EH_PE_pcrel, DW_EH_PE_pcrel])
    const bytes = sink.finish()
    assert.equal(readEhPointer(bytes, fde + frames.functionAt[1], frames.functionEncoding[1]), -80)
    assert.equal(readEhPointer(bytes, fde + frames.lsdaAt[1], frames.lsdaEncoding[1]), -94)
  })

  it('reads a section that lies inside a larger file', () => {
    const sink = new ByteSink()
    addFde(sink, addCie(sink, ZPLR), fields64)
    const section = sink.finish()
    const file = new Uint8Array(section.length + 30).fill(0xff)
    file.set(section, 13)
    assert.deepEqual(splitEhFrame(file, 13, 13 + section.length), splitEhFrame(section, 0, section.length))
  })

  it('reads 64-bit lengths', () => {
    const sink = new ByteSink()
    const cie = addCie(sink, { ...ZPLR, wide: true })
    addFde(sink, cie, fields64, true)
    const frames = splitEhFrame(sink.finish(), 0, sink.length)
    assert.deepEqual([...frames.cieAt], [12, 12])
    assert.equal(frames.functionAt[1], 16)
    assert.equal(frames.personalityAt[0], 8 + 19)
    assert.equal(frames.at[1] + frames.size[1], sink.length)
  })

  it('knows four-byte pointers, and augmentations without an LSDA, a personality or anything', () => {
    const sink = new ByteSink()
    const short = addCie(sink, {
      letters: 'zLR',
      data: [DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_pcrel | DW_EH_PE_sdata4],
    })
    addFde(sink, short, [...words(-64, 16), 4, ...words(-70)])
    const plain = addCie(sink, { letters: '', data: [], version: 3 })
    addFde(sink, plain, words(0x1000, 0, 64, 0))
    const signal = addCie(sink, { letters: 'zRSBG', data: [DW_EH_PE_pcrel] })
    addFde(sink, signal, [...words(-1, -1, 64, 0), 0])
    const none = addCie(sink, { letters: 'zPL', data: [DW_EH_PE_omit, DW_EH_PE_omit] })
    addFde(sink, none, [...words(0, 0, 64, 0), 0])
    addFde(sink, short, [...words(-64, 16), 0])
    const frames = splitEhFrame(sink.finish(), 0, sink.length)
    assert.deepEqual([...frames.cie], [0, 0, 2, 2, 4, 4, 6, 6, 0])
    assert.deepEqual([...frames.lengthAt], [0, 12, 0, 16, 0, 16, 0, 16, 12])
    assert.deepEqual([...frames.lsdaAt], [0, 17, 0, 0, 0, 0, 0, 0, 0])
    assert.deepEqual([...frames.personalityAt], new Array(9).fill(0))
  })

  it('stops at a length of zero', () => {
    const sink = new ByteSink()
    addCie(sink, ZPLR)
    sink.u32(0)
    sink.u32(0x7fffffff)
    assert.equal(splitEhFrame(sink.finish(), 0, sink.length).count, 1)
    assert.equal(splitEhFrame(new Uint8Array(0), 0, 0).count, 0)
  })

  it('takes CIE pointers from relocations where there are any, forward ones too', () => {
    const sink = new ByteSink()
    const fde = addFde(sink, 8, fields64)
    const cie = addCie(sink, ZPLR)
    const bytes = sink.finish()
    writeU32(bytes, fde + 4, 0)
    const pointers = { at: Uint32Array.from([fde + 4]), cie: Uint32Array.from([cie]) }
    const frames = splitEhFrame(bytes, 0, bytes.length, pointers)
    assert.deepEqual([...frames.kind], [EH_FDE, EH_CIE])
    assert.deepEqual([...frames.cie], [1, 1])
    assert.equal(frames.lsdaAt[0], 25)
  })

  it('refuses what it cannot read, each trouble with its id', () => {
    const made = (build: (sink: ByteSink) => void): Uint8Array => {
      const sink = new ByteSink()
      build(sink)
      return sink.finish()
    }
    const cie = (change: Partial<Cie>) => made((sink) => void addCie(sink, { ...ZPLR, ...change }))
    refused(cie({ version: 4 }), 'eh-frame-version')
    refused(cie({ letters: 'eh' }), 'eh-frame-augmentation')
    refused(cie({ letters: 'zPLRX' }), 'eh-frame-augmentation')
    refused(cie({ data: [PERSONALITY, 4, 0] }), 'eh-frame-truncated')
    refused(cie({ letters: 'zR', data: [0x50] }), 'eh-frame-encoding')
    refused(cie({ letters: 'zR', data: [0x90] }), 'eh-frame-encoding')
    refused(cie({ letters: 'zR', data: [DW_EH_PE_omit] }), 'eh-frame-encoding')
    refused(cie({ letters: 'zL', data: [0x01] }), 'eh-frame-encoding')
    refused(Uint8Array.from(words(0x100)), 'eh-frame-length')
    refused(Uint8Array.from(words(2, 0)), 'eh-frame-length')
    refused(Uint8Array.from([...words(0xffffffff), 0, 0]), 'eh-frame-truncated')
    refused(Uint8Array.from(words(0xffffffff, 8, 1, 0, 0)), 'eh-frame-length')
    refused(
      made((sink) => addFde(sink, addCie(sink, ZPLR) + 4, fields64)),
      'eh-frame-cie',
    )
    refused(
      made((sink) => addFde(sink, addCie(sink, ZPLR) + 1000, fields64)),
      'eh-frame-cie',
    )
    refused(
      made((sink) => addFde(sink, addFde(sink, addCie(sink, ZPLR), fields64), fields64)),
      'eh-frame-cie',
    )
    refused(
      made((sink) => addFde(sink, addCie(sink, ZPLR), words(0, 0, 1))),
      'eh-frame-truncated',
    )
    refused(
      made((sink) => addFde(sink, addCie(sink, ZPLR), [...words(0, 0, 1, 0), 4, 0, 0, 0, 0])),
      'eh-frame-truncated',
    )
    const long = new Array(200).fill(0x80).concat(0)
    refused(
      made((sink) => addFde(sink, addCie(sink, ZPLR), [...words(0, 0, 1, 0), ...long])),
      'eh-frame-length',
    )
    assert.throws(() => splitEhFrame(new Uint8Array(4), 0, 5), FormatError)
  })

  it('throws nothing but FormatError, and never points outside a record, whatever bytes change', () => {
    const sink = new ByteSink()
    const first = addCie(sink, ZPLR)
    addFde(sink, first, fields64)
    addFde(sink, addCie(sink, { letters: 'zR', data: [0x1b] }), [...words(-9, 16), 0])
    const bytes = sink.finish()
    const change = fc.record({ at: fc.nat({ max: bytes.length - 1 }), value: fc.integer({ min: 0, max: 255 }) })
    const property = fc.property(
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.nat({ max: bytes.length }),
      (list, end) => {
        const copy = bytes.slice()
        for (const { at, value } of list) copy[at] = value
        try {
          insideRecords(splitEhFrame(copy, 0, list.length === 3 ? end : copy.length))
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error))
        }
      },
    )
    fc.assert(property, { seed: 22, numRuns: 5000 })
  })

  it('says how an entry of the unwind info names an FDE', () => {
    assert.equal(fdeEncodingFor('x86_64'), 0x04000000)
    assert.equal(fdeEncodingFor('arm64'), 0x03000000)
    assert.equal(fdeEncoding('x86_64', 0x123456), 0x04123456)
    assert.equal(fdeEncoding('arm64', 0xffffff), 0x03ffffff)
    assert.equal(fdeEncoding('arm64', 0x1000000), 0x03000000)
  })

  it('reads pointers of every width', () => {
    const bytes = Uint8Array.from(words(0xfffffff0, 0xffffffff, 1))
    assert.deepEqual(
      [0, 2, 3, 4, 8, 0x0a, 0x0b, 0x0c, 0x9b, 0x01, 0x09, 0xff].map(ehPointerWidth),
      [8, 2, 4, 8, 8, 2, 4, 8, 4, 0, 0, 0],
    )
    assert.equal(readEhPointer(bytes, 0, DW_EH_PE_udata4), 0xfffffff0)
    assert.equal(readEhPointer(bytes, 0, DW_EH_PE_sdata4), -16)
    assert.equal(readEhPointer(bytes, 0, 0x02), 0xfff0)
    assert.equal(readEhPointer(bytes, 0, 0x0a), -16)
    assert.equal(readEhPointer(bytes, 0, 0x0c), -16)
    assert.equal(readEhPointer(bytes, 4, 0x04), 0x1ffffffff)
  })
})

function insideRecords(frames: EhFrames): void {
  for (let i = 0; i < frames.count; i++) {
    const size = frames.size[i]
    const width = ehPointerWidth(frames.functionEncoding[i])
    if (frames.kind[i] === EH_FDE) assert.ok(frames.lengthAt[i] + width <= size)
    if (frames.lsdaAt[i] !== 0) assert.ok(frames.lsdaAt[i] + ehPointerWidth(frames.lsdaEncoding[i]) <= size)
    if (frames.personalityAt[i] !== 0) {
      assert.ok(frames.personalityAt[i] + ehPointerWidth(frames.personalityEncoding[i]) <= size)
    }
    assert.equal(frames.kind[frames.cie[i]], EH_CIE)
  }
}

const SOURCE = `
extern int take(int *, int); struct A { int x; ~A(); };
int plain(int x) { int a[9]; return take(a, x) + 1; }
int caught(int x) { int a[33]; A a1; try { x += take(a, x); } catch (int e) { x = e; } return x + take(a, x); }
int third(int x) { int a[90]; int y = take(a, x); return take(a, x) + x + y; }
int fourth(int x) { int a[70]; A a1; return take(a, x) + take(a, x); }`

describe('eh frame of clang', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ehframe-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** Offset, address and bounds of __TEXT,__eh_frame in an object of one segment. */
  function compile(arch: Arch): { bytes: Uint8Array; address: number; from: number; to: number; path: string } {
    const source = join(folder, 'a.cc')
    const path = join(folder, `${arch}.o`)
    writeFileSync(source, SOURCE)
    execFileSync('clang-22', [
      '-target',
      `${arch}-apple-macos13`,
      '-O1',
      '-fomit-frame-pointer',
      '-femit-dwarf-unwind=always',
      '-c',
      source,
      '-o',
      path,
    ])
    const bytes = new Uint8Array(readFileSync(path))
    for (let i = 0, at = 32 + 72; i < readU32(bytes, 32 + 64); i++, at += 80) {
      if (fixedName(bytes, at) !== '__eh_frame') continue
      const from = readU32(bytes, at + 48)
      return { bytes, address: readU64(bytes, at + 32), from, to: from + readU64(bytes, at + 40), path }
    }
    return assert.fail('no __eh_frame')
  }

  for (const arch of ['x86_64', 'arm64'] as const) {
    it(`splits as llvm-objdump does on ${arch}`, () => {
      const { bytes, address, from, to, path } = compile(arch)
      const frames = splitEhFrame(bytes, from, to)
      const dump = execFileSync('llvm-objdump-22', ['--dwarf=frames', path], { encoding: 'utf8' })
      const heads = [
        ...dump.matchAll(
          /^([0-9a-f]{8}) [0-9a-f]{8} [0-9a-f]{8} (CIE|FDE)(?: cie=([0-9a-f]+) pc=([0-9a-f]+)\.\.\.([0-9a-f]+))?/gm,
        ),
      ]
      assert.equal(frames.count, heads.length)
      assert.ok(heads.length >= 4)
      heads.forEach(([, at, kind, cie, start, end], i) => {
        assert.equal(frames.at[i], Number.parseInt(at, 16))
        assert.equal(frames.kind[i], kind === 'CIE' ? EH_CIE : EH_FDE)
        if (kind === 'CIE') return
        const record = from + frames.at[i]
        assert.equal(frames.at[frames.cie[i]], Number.parseInt(cie, 16))
        const length = readEhPointer(bytes, record + frames.lengthAt[i], frames.functionEncoding[i] & 0x0f)
        assert.equal(length, Number.parseInt(end, 16) - Number.parseInt(start, 16))
        const place = address + frames.at[i] + frames.functionAt[i]
        const begin = place + readEhPointer(bytes, record + frames.functionAt[i], frames.functionEncoding[i])
        assert.equal(begin, Number.parseInt(start, 16))
      })
      assert.equal(frames.personalityAt.filter((at) => at !== 0).length, 1)
      assert.ok(frames.lsdaAt.some((at) => at !== 0))
    })
  }
})
