import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ByteSink, FormatError, fixedName, readU32 } from '../../src/core/bytes.ts'
import * as dw from '../../src/formats/dwarf/constants.ts'
import { type ByteRange, type DwarfSections, readCompileUnit, sourceLine, unitPath } from '../../src/formats/dwarf.ts'
import type { Arch } from '../../src/types.ts'
import { compile, type Language } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { tempFolder } from '../helpers/paths.ts'

type Sections = { -readonly [name in keyof DwarfSections]: ByteRange } & { line: ByteRange }
type Input = { bytes: Uint8Array; sections: Sections }

const ARCHES: readonly Arch[] = ['arm64', 'x86_64']
const EMPTY = { from: 0, to: 0 }
const SECTIONS: Record<string, keyof Sections> = {
  __debug_info: 'info',
  __debug_abbrev: 'abbrev',
  __debug_str: 'str',
  __debug_line_str: 'lineStr',
  __debug_str_offs: 'strOffsets',
  __debug_line: 'line',
}
const NONE: Sections = { info: EMPTY, abbrev: EMPTY, str: EMPTY, lineStr: EMPTY, strOffsets: EMPTY, line: EMPTY }

const SOURCE = `
extern int missing(int);
__attribute__((section("__TEXT,__other"))) int f(int x) {
  return missing(x);
}
int g(int x) { return missing(x + 1) + f(x); }
#line 0
int h(int x) { return missing(x + 2); }
#line 50 "/absolute/h.h"
int k(int x) { return missing(x + 3); }
#line 300 "relative/inc/i.h"
static int inner(int x) { return missing(x + 4); }
#line 7000 "relative/inc/j.h"
int l(int x) { return inner(x); }
`

/** Reads an object file and finds its DWARF: LC_SEGMENT_64 is the first load command of an object. */
function openObject(path: string): Input {
  const bytes = new Uint8Array(readFileSync(path))
  const sections: Sections = { ...NONE }
  const count = readU32(bytes, 32 + 64)
  for (let at = 32 + 72, i = 0; i < count; i++, at += 80) {
    const kind = SECTIONS[fixedName(bytes, at)]
    const from = readU32(bytes, at + 48)
    if (kind !== undefined) sections[kind] = { from, to: from + readU32(bytes, at + 40) }
  }
  return { bytes, sections }
}

function withDwarf(arch: Arch, version: number, language: Language = 'c', flags: string[] = []): string {
  return compile(arch, SOURCE, { language, flags: [`-gdwarf-${version}`, ...flags], name: 'lines' })
}

/** Lays sections out one behind the other, with bytes of none between them. */
function lay(parts: Partial<Record<keyof Sections, Uint8Array>>): Input {
  const sink = new ByteSink()
  const sections: Sections = { ...NONE }
  for (const [name, part] of Object.entries(parts)) {
    sink.append(Uint8Array.from([0xff, 0xff, 0xff]))
    const from = sink.length
    sink.append(part)
    sections[name as keyof Sections] = { from, to: sink.length }
  }
  sink.append(Uint8Array.from([0xff, 0xff, 0xff]))
  return { bytes: sink.finish().slice(), sections }
}

function build(write: (sink: ByteSink) => void): Uint8Array {
  const sink = new ByteSink()
  write(sink)
  return sink.finish().slice()
}

/** Attribute, form, bytes of the value, and implicit constant. */
type Attribute = [attribute: number, form: number, value: number[], implicit?: number]
type Shape = { version: number; wide: boolean; type?: number; tag?: number }

function unitOf(
  { version, wide, type = dw.DW_UT_compile }: Shape,
  abbreviations: number,
  values: number[],
): Uint8Array {
  const body = build((sink) => {
    const offset = () => (wide ? sink.u64(abbreviations) : sink.u32(abbreviations))
    sink.u16(version)
    if (version === 5) for (const byte of [type, 8]) sink.u8(byte)
    offset()
    if (version < 5) sink.u8(8)
    if (type === dw.DW_UT_type) sink.append(new Uint8Array(wide ? 16 : 12))
    if (type === dw.DW_UT_skeleton) sink.u64(1)
    sink.append(Uint8Array.from(values))
  })
  return build((sink) => {
    if (wide) sink.u32(0xffffffff)
    if (wide) sink.u64(body.length)
    else sink.u32(body.length)
    sink.append(body)
  })
}

function abbreviation(sink: ByteSink, code: number, tag: number, attributes: readonly Attribute[]): void {
  sink.uleb(code)
  sink.uleb(tag)
  sink.u8(1)
  for (const [attribute, form, , implicit] of attributes) {
    sink.uleb(attribute)
    sink.uleb(form)
    if (implicit !== undefined) sink.sleb(implicit)
  }
  sink.u16(0)
}

const OTHER: Attribute[] = [[0x49, dw.DW_FORM_implicit_const, [], -70000]]

/** One unit whose own entry has these attributes. Its abbreviation is the second. */
function unitWith(shape: Shape, attributes: readonly Attribute[]): Input {
  const { version, wide } = shape
  const abbrev = build((sink) => {
    sink.append(Uint8Array.from([9, 9, 9]))
    abbreviation(sink, 1, 0x24, OTHER)
    abbreviation(sink, 200, shape.tag ?? dw.DW_TAG_compile_unit, attributes)
    sink.u8(0)
  })
  const strOffsets = build((sink) => {
    if (version === 5) sink.append(new Uint8Array(wide ? 16 : 8))
    for (const offset of [0, 7, 14]) wide ? sink.u64(offset) : sink.u32(offset)
  })
  const str = build((sink) => ['wrong!', 'name.c', '/where'].forEach((text) => void sink.cstring(text)))
  const lineStr = build((sink) => ['lines', '/line/dir', 'line.c'].forEach((text) => void sink.cstring(text)))
  const info = unitOf(shape, 3, [0xc8, 0x01, ...attributes.flatMap(([, , value]) => value)])
  return lay({ lineStr, info, str, abbrev, strOffsets })
}

const ascii = (text: string): number[] => [...new TextEncoder().encode(text), 0]
const word = (value: number, width: number): number[] => [value, ...new Array(width - 1).fill(0)]
const read = ({ bytes, sections }: Input) => readCompileUnit(bytes, sections)
const NAME: Attribute = [dw.DW_AT_name, dw.DW_FORM_string, ascii('inline.c')]

/** A value of every form that a unit's entry can have, for the attribute 0x3fff. */
function everyForm(version: number, wide: boolean): Attribute[] {
  const size = wide ? 8 : 4
  const offset = word(1, size)
  const forms: [number, number[], number?][] = [
    [dw.DW_FORM_addr, word(1, 8)],
    [dw.DW_FORM_block2, [2, 0, 1, 2]],
    [dw.DW_FORM_block4, [1, 0, 0, 0, 1]],
    [dw.DW_FORM_data2, [1, 2]],
    [dw.DW_FORM_data4, [1, 2, 3, 4]],
    [dw.DW_FORM_data8, word(1, 8)],
    [dw.DW_FORM_string, ascii('text')],
    [dw.DW_FORM_block, [0x82, 0, 1, 2]],
    [dw.DW_FORM_block1, [3, 1, 2, 3]],
    [dw.DW_FORM_data1, [1]],
    [dw.DW_FORM_flag, [1]],
    [dw.DW_FORM_sdata, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    [dw.DW_FORM_strp, offset],
    [dw.DW_FORM_udata, [0x80, 1]],
    [dw.DW_FORM_ref_addr, version === 2 ? word(1, 8) : offset],
    [dw.DW_FORM_ref1, [1]],
    [dw.DW_FORM_ref2, [1, 1]],
    [dw.DW_FORM_ref4, word(1, 4)],
    [dw.DW_FORM_ref8, word(1, 8)],
    [dw.DW_FORM_ref_udata, [0x80, 0x80, 1]],
    [dw.DW_FORM_indirect, [dw.DW_FORM_indirect, dw.DW_FORM_data2, 1, 2]],
    [dw.DW_FORM_sec_offset, offset],
    [dw.DW_FORM_exprloc, [2, 1, 2]],
    [dw.DW_FORM_flag_present, []],
    [dw.DW_FORM_strx, [0x81, 0]],
    [dw.DW_FORM_addrx, [0x81, 1]],
    [dw.DW_FORM_ref_sup4, word(1, 4)],
    [dw.DW_FORM_strp_sup, offset],
    [dw.DW_FORM_data16, word(1, 16)],
    [dw.DW_FORM_line_strp, offset],
    [dw.DW_FORM_ref_sig8, word(1, 8)],
    [dw.DW_FORM_implicit_const, [], -300],
    [dw.DW_FORM_loclistx, [0x81, 1]],
    [dw.DW_FORM_rnglistx, [0x81, 1]],
    [dw.DW_FORM_ref_sup8, word(1, 8)],
    [dw.DW_FORM_strx1, word(1, 1)],
    [dw.DW_FORM_strx2, word(1, 2)],
    [dw.DW_FORM_strx3, word(1, 3)],
    [dw.DW_FORM_strx4, word(1, 4)],
    [dw.DW_FORM_addrx1, word(1, 1)],
    [dw.DW_FORM_addrx2, word(1, 2)],
    [dw.DW_FORM_addrx3, word(1, 3)],
    [dw.DW_FORM_addrx4, word(1, 4)],
    [dw.DW_FORM_GNU_addr_index, [0x81, 1]],
    [dw.DW_FORM_GNU_str_index, [0x81, 1]],
    [dw.DW_FORM_GNU_ref_alt, offset],
    [dw.DW_FORM_GNU_strp_alt, offset],
    [dw.DW_FORM_LLVM_addrx_offset, [0x81, 1, 1, 2, 3, 4]],
  ]
  return forms.map(
    ([form, value, implicit]) => [0x3fff, form, value, ...(implicit === undefined ? [] : [implicit])] as Attribute,
  )
}

const SHAPES: Shape[] = [2, 3, 4, 5].flatMap((version) => [false, true].map((wide) => ({ version, wide })))

describe('compile unit', () => {
  for (const arch of ARCHES) {
    for (const version of [2, 3, 4, 5]) {
      for (const language of ['c', 'c++'] as const) {
        it(`is what llvm-dwarfdump reads from ${language} for ${arch}, DWARF ${version}`, () => {
          const path = withDwarf(arch, version, language)
          const text = mustRun('llvm-dwarfdump-22', ['--debug-info', '-r', '0', path])
          const value = (name: string) => new RegExp(`${name}\\s+\\("(.*)"\\)`).exec(text)?.[1]
          const unit = read(openObject(path))
          assert.deepEqual(unit, { name: value('DW_AT_name'), directory: value('DW_AT_comp_dir') })
          assert.ok(unit?.name.startsWith('/'))
        })
      }
    }
  }

  it('has no name in an object without DWARF', () => {
    assert.equal(read(openObject(compile('arm64', SOURCE))), null)
  })

  it('is found behind every form, in every version and offset size', () => {
    for (const shape of SHAPES) {
      const input = unitWith(shape, [...everyForm(shape.version, shape.wide), NAME])
      assert.deepEqual(read(input), { name: 'inline.c', directory: '' }, JSON.stringify(shape))
    }
  })

  it('has strings of every string form', () => {
    for (const shape of SHAPES) {
      const size = shape.wide ? 8 : 4
      const texts: [number, number[], string][] = [
        [dw.DW_FORM_strp, word(7, size), 'name.c'],
        [dw.DW_FORM_line_strp, word(16, size), 'line.c'],
        [dw.DW_FORM_strx, [0x81, 0], 'name.c'],
        [dw.DW_FORM_GNU_str_index, [1], 'name.c'],
        [dw.DW_FORM_strx1, word(1, 1), 'name.c'],
        [dw.DW_FORM_strx2, word(1, 2), 'name.c'],
        [dw.DW_FORM_strx3, word(1, 3), 'name.c'],
        [dw.DW_FORM_strx4, word(1, 4), 'name.c'],
        [dw.DW_FORM_indirect, [dw.DW_FORM_strp, ...word(7, size)], 'name.c'],
      ]
      for (const [form, value, name] of texts) {
        const directory: Attribute = [dw.DW_AT_comp_dir, dw.DW_FORM_strp, word(14, size)]
        const input = unitWith(shape, [directory, [dw.DW_AT_name, form, value]])
        assert.deepEqual(read(input), { name, directory: '/where' }, `${JSON.stringify(shape)}, form ${form}`)
      }
    }
  })

  it('counts string indexes from a base that comes behind them', () => {
    const shape = { version: 5, wide: false }
    const input = unitWith(shape, [
      [dw.DW_AT_name, dw.DW_FORM_strx1, [0]],
      [dw.DW_AT_str_offsets_base, dw.DW_FORM_sec_offset, word(12, 4)],
      [dw.DW_AT_comp_dir, dw.DW_FORM_strx1, [1]],
    ])
    assert.deepEqual(read(input), { name: 'name.c', directory: '/where' })
  })

  it('is the first behind type units, skeletons and partial units', () => {
    const unit = unitWith({ version: 5, wide: false }, [NAME])
    const { bytes, sections } = unit
    const abbrev = bytes.slice(sections.abbrev.from, sections.abbrev.to)
    const own = bytes.slice(sections.info.from, sections.info.to)
    const before = [dw.DW_UT_type, dw.DW_UT_skeleton, 3].map((type) =>
      unitOf({ version: 5, wide: type === 3, type }, 3, [0xc8, 1, ...ascii('hidden')]),
    )
    const partial = unitOf({ version: 4, wide: false }, 3, [1])
    const info = Uint8Array.from([...before, partial, own].flatMap((part) => [...part]))
    assert.deepEqual(read(lay({ abbrev, info })), { name: 'inline.c', directory: '' })
    assert.equal(read(lay({ abbrev, info: info.slice(0, info.length - own.length) })), null)
  })

  it('ignores the skeleton that GNU compilers make for split DWARF 4', () => {
    const split: Attribute = [dw.DW_AT_GNU_dwo_name, dw.DW_FORM_string, ascii('a.dwo')]
    assert.equal(read(unitWith({ version: 4, wide: false }, [NAME, split])), null)
  })

  it('is refused without a name, with strings of another file, an unknown form or version', () => {
    const shape = { version: 5, wide: false }
    const refused: Attribute[][] = [
      [[dw.DW_AT_comp_dir, dw.DW_FORM_string, ascii('/where')]],
      [[dw.DW_AT_name, dw.DW_FORM_strp_sup, word(1, 4)]],
      [[dw.DW_AT_name, dw.DW_FORM_data4, word(7, 4)]],
      [[dw.DW_AT_name, dw.DW_FORM_strp, word(200, 4)]],
      [[dw.DW_AT_name, dw.DW_FORM_strx, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]],
      [[dw.DW_AT_name, dw.DW_FORM_strx1, [77]]],
      [[0x3fff, 0x77, []], NAME],
      [[0x3fff, dw.DW_FORM_indirect, [dw.DW_FORM_implicit_const]], NAME],
      [[0x3fff, dw.DW_FORM_block4, [255, 255, 255, 255]], NAME],
    ]
    for (const attributes of refused) assert.equal(read(unitWith(shape, attributes)), null)
    for (const version of [0, 1, 6]) assert.equal(read(unitWith({ version, wide: false }, [NAME])), null)
    assert.equal(read(unitWith({ ...shape, tag: 0x41 }, [NAME])), null)
  })

  it('has a path that joins directory and name unless the name is absolute', () => {
    assert.equal(unitPath({ name: 'sub/a.c', directory: '/dir' }), '/dir/sub/a.c')
    assert.equal(unitPath({ name: 'a.c', directory: '/' }), '/a.c')
    assert.equal(unitPath({ name: 'a.c', directory: '' }), '/a.c')
    for (const name of ['/x/a.c', 'C:\\x\\a.c', 'c:/a.c', '\\\\host\\a.c'])
      assert.equal(unitPath({ name, directory: '/dir' }), name)
    assert.equal(unitPath({ name: 'c:a.c', directory: '/dir' }), '/dir/c:a.c')
  })
})

type Row = { address: number; line: number; file: number; end: boolean }

/** The rows of the first table and the paths of its files, as llvm-dwarfdump prints them. */
function dumpLines(path: string): { rows: Row[]; files: Map<number, string> } {
  const text = mustRun('llvm-dwarfdump-22', ['--debug-line', path])
  const version = Number(/version: (\d)/.exec(text)?.[1])
  const directories = new Map<number, string>()
  for (const [, index, name] of text.matchAll(/include_directories\[\s*(\d+)\] = "(.*)"/g))
    directories.set(+index, name)
  const files = new Map<number, string>()
  for (const [, index, name, directory] of text.matchAll(
    /file_names\[\s*(\d+)\]:\s+name: "(.*)"\s+dir_index: (\d+)/g,
  )) {
    const prefix = version < 5 && +directory === 0 ? '' : `${directories.get(+directory)}/`
    files.set(+index, name.startsWith('/') ? name : prefix + name)
  }
  const rows = [...text.matchAll(/^0x([0-9a-f]{16})\s+(\d+)\s+\d+\s+(\d+)\s(.*)$/gm)].map(
    ([, address, line, file, rest]) => ({
      address: Number.parseInt(address, 16),
      line: +line,
      file: +file,
      end: rest.includes('end_sequence'),
    }),
  )
  return { rows, files }
}

const STANDARD_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]

/** A line table of version 4 with one directory and two files, min_inst_length 4, opcode_base 14 (one unknown opcode). */
function lineTable(
  program: number[],
  { wide = false, version = 4, lineRange = 14, maxOperations = 1 } = {},
): Uint8Array {
  const header = [4, ...(version < 4 ? [] : [maxOperations]), 1, 0xfb, lineRange, 14, ...STANDARD_LENGTHS, 2]
  const files = [...ascii('inc'), 0, ...ascii('one.c'), 0, 0, 0, ...ascii('two.h'), 1, 0x80, 1, 0x80, 1, 0]
  const offset = (value: number) => word(value, wide ? 8 : 4)
  const body = [version, 0, ...offset(header.length + files.length), ...header, ...files, ...program]
  return Uint8Array.from([...(wide ? [255, 255, 255, 255] : []), ...offset(0), ...body]).map((byte, i) => {
    const at = wide ? 4 : 0
    if (i === at) return body.length & 255
    return i === at + 1 ? body.length >>> 8 : byte
  })
}

const setAddress = (value: number, width: number): number[] => [
  0,
  width + 1,
  dw.DW_LNE_set_address,
  ...word(value, width),
]
const END = [0, 1, dw.DW_LNE_end_sequence]

function lineOf(program: number[], address: number, options = {}): string | null {
  const { bytes, sections } = lay({ line: lineTable(program, options) })
  const found = sourceLine(bytes, sections, address)
  return found && `${found.file}:${found.line}`
}

describe('source line', () => {
  for (const arch of ARCHES) {
    for (const version of [2, 3, 4, 5]) {
      it(`is what llvm-dwarfdump reads for every address of code for ${arch}, DWARF ${version}`, () => {
        const path = withDwarf(arch, version, 'c', ['-O0'])
        const { bytes, sections } = openObject(path)
        const { rows, files } = dumpLines(path)
        assert.ok(rows.length > 15 && rows.filter((row) => row.end).length === 2)
        let compared = 0
        for (let i = 0; i + 1 < rows.length; i++) {
          if (rows[i].end) continue
          for (let address = rows[i].address; address < rows[i + 1].address; address++, compared++) {
            const expected = { file: files.get(rows[i].file), line: rows[i].line }
            assert.deepEqual(sourceLine(bytes, sections, address), expected)
          }
        }
        assert.ok(compared > 100)
        const last = Math.max(...rows.map((row) => row.address))
        assert.equal(sourceLine(bytes, sections, last), null)
        assert.equal(sourceLine(bytes, sections, last + 1000), null)
      })
    }

    it(`makes the locations that ld64.lld prints for ${arch}`, () => {
      const path = withDwarf(arch, 4, 'c', ['-O0'])
      const { bytes, sections } = openObject(path)
      const flags = ['-arch', arch, '-platform_version', 'macos', '13', '13', '-o', join(tempFolder(), 'out')]
      const { stderr } = lld([...flags, path])
      const places = [...stderr.matchAll(/referenced by (.*)\n>>> +\S*lines\.o:\(symbol _(\w+)\+0x([0-9a-f]+)\)/g)]
      assert.ok(places.length >= 3)
      const symbols = mustRun('llvm-nm-22', [path])
      for (const [, location, symbol, offset] of places) {
        const start = new RegExp(`^([0-9a-f]+) \\w _${symbol}$`, 'm').exec(symbols)?.[1] ?? ''
        const found = sourceLine(bytes, sections, Number.parseInt(start, 16) + Number.parseInt(offset, 16))
        const name = basename(found!.file)
        const long = name === found!.file ? '' : ` (${found!.file}:${found!.line})`
        assert.equal(`${name}:${found!.line}${long}`, location)
      }
    })
  }

  it('follows every opcode', () => {
    const program = [
      ...setAddress(16, 8),
      ...[dw.DW_LNS_advance_line, 9, dw.DW_LNS_copy],
      ...[dw.DW_LNS_set_column, 3, dw.DW_LNS_negate_stmt, dw.DW_LNS_set_basic_block, dw.DW_LNS_set_isa, 2],
      ...[dw.DW_LNS_set_prologue_end, dw.DW_LNS_set_epilogue_begin, 13, 0x80, 1, 0x81, 1],
      ...[dw.DW_LNS_advance_pc, 2, dw.DW_LNS_set_file, 2, dw.DW_LNS_copy],
      ...[dw.DW_LNS_const_add_pc, dw.DW_LNS_advance_line, 0x7e, dw.DW_LNS_copy],
      ...[dw.DW_LNS_fixed_advance_pc, 3, 0, dw.DW_LNS_set_file, 1, dw.DW_LNS_copy],
      14 + 14 * 2 + 5 + 4,
      ...[0, 3, 0x80, 1, 2, dw.DW_LNS_advance_pc, 1, ...END],
    ]
    const expected: [number, string | null][] = [
      [15, null],
      [16, 'one.c:10'],
      [23, 'one.c:10'],
      [24, 'inc/two.h:10'],
      [24 + 17 * 4 - 1, 'inc/two.h:10'],
      [24 + 17 * 4, 'inc/two.h:8'],
      [95, 'one.c:8'],
      [102, 'one.c:8'],
      [103, 'one.c:12'],
      [106, 'one.c:12'],
      [107, null],
    ]
    for (const version of [2, 3, 4])
      for (const wide of [false, true])
        for (const [address, text] of expected) assert.equal(lineOf(program, address, { version, wide }), text)
  })

  it('counts files that the program defines behind those of the header', () => {
    const define = (name: string) => [0, name.length + 5, dw.DW_LNE_define_file, ...ascii(name), 1, 0, 0]
    const start = [...define('x.h'), ...define('y.h'), ...setAddress(8, 4)]
    const use = (file: number) => [...start, dw.DW_LNS_set_file, file, dw.DW_LNS_copy, dw.DW_LNS_advance_pc, 1, ...END]
    const texts = [0, 1, 2, 3, 4, 5].map((file) => lineOf(use(file), 8))
    assert.deepEqual(texts, [null, 'one.c:1', 'inc/two.h:1', 'inc/x.h:1', 'inc/y.h:1', null])
  })

  it('starts every sequence afresh and takes the last of rows with one address', () => {
    const rows = [dw.DW_LNS_copy, dw.DW_LNS_advance_line, 4, dw.DW_LNS_copy, dw.DW_LNS_advance_pc, 2, ...END]
    const program = [...setAddress(64, 2), ...rows, ...setAddress(16, 8), ...rows]
    assert.equal(lineOf(program, 64), 'one.c:5')
    assert.equal(lineOf(program, 23), 'one.c:5')
    assert.equal(lineOf(program, 24), null)
  })

  it('searches all tables, past those of versions and machines that are not known', () => {
    const rows = (at: number) => [...setAddress(at, 8), dw.DW_LNS_copy, dw.DW_LNS_advance_pc, 1, ...END]
    const tables = [
      lineTable(rows(32), { version: 7 }),
      lineTable(rows(32), { lineRange: 0 }),
      lineTable(rows(32), { maxOperations: 3 }),
      lineTable(rows(16)),
      lineTable(rows(32), { wide: true, version: 2 }),
    ]
    const { bytes, sections } = lay({ line: Uint8Array.from(tables.flatMap((table) => [...table])) })
    assert.deepEqual(sourceLine(bytes, sections, 35), { file: 'one.c', line: 1 })
    assert.deepEqual(sourceLine(bytes, sections, 16), { file: 'one.c', line: 1 })
    assert.equal(sourceLine(bytes, sections, 20), null)
  })

  it('is null where the table is cut or its opcodes do not hold together', () => {
    const rows = [dw.DW_LNS_copy, dw.DW_LNS_advance_pc, 1, ...END]
    for (const start of [
      [0, 0],
      setAddress(0, 3),
      [0, 0xff, 0x7f, 1],
      [dw.DW_LNS_advance_line, ...new Array(11).fill(0x80)],
    ])
      assert.equal(lineOf([...start, ...setAddress(0, 8), ...rows], 0), null)
    const whole = lineTable([...setAddress(0, 8), ...rows])
    for (let size = 0; size < whole.length; size++) {
      const { bytes, sections } = lay({ line: whole.slice(0, size) })
      assert.equal(sourceLine(bytes, sections, 0), null)
    }
  })

  it('is null, at once, for tables of files that claim billions of entries without bytes', () => {
    const table = (formats: number[]) => {
      const rows = [...setAddress(0, 8), dw.DW_LNS_copy, dw.DW_LNS_advance_pc, 1, ...END]
      const header = [1, 1, 1, 0xfb, 14, 13, ...STANDARD_LENGTHS, ...formats, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0]
      const body = [5, 0, 8, 0, ...word(header.length, 4), ...header, ...rows]
      return lay({ line: Uint8Array.from([...word(body.length, 4), ...body]) })
    }
    for (const formats of [
      [0],
      [1, 1, dw.DW_FORM_flag_present],
      [1, 1, dw.DW_FORM_implicit_const],
      [1, 1, dw.DW_FORM_string],
    ]) {
      const { bytes, sections } = table(formats)
      assert.equal(sourceLine(bytes, sections, 0), null)
    }
  })
})

describe('dwarf that cannot be trusted', () => {
  it('names sections outside the bytes', () => {
    const { bytes, sections } = openObject(withDwarf('arm64', 5))
    const wrong = [
      { from: 0, to: bytes.length + 1 },
      { from: 9, to: 8 },
      { from: -1, to: 8 },
    ]
    const refused = (error: unknown) => error instanceof FormatError && error.id === 'dwarf-bounds'
    for (const range of wrong) {
      for (const name of ['info', 'abbrev', 'str', 'lineStr', 'strOffsets'] as const)
        assert.throws(() => readCompileUnit(bytes, { ...sections, [name]: range }), refused)
      assert.throws(() => sourceLine(bytes, { ...sections, line: range }, 0), refused)
    }
  })

  it('gives null for sections cut anywhere before what is needed, never an exception', () => {
    for (const version of [4, 5]) {
      const { bytes, sections } = openObject(withDwarf('x86_64', version))
      const whole = readCompileUnit(bytes, sections)
      for (const name of Object.values(SECTIONS)) {
        const { from, to } = sections[name]
        for (let end = from; end < to; end++) {
          const cut = { ...sections, [name]: { from, to: end } }
          const unit = readCompileUnit(bytes, cut)
          if (unit !== null) assert.deepEqual(unit, whole)
          if (name === 'info' && end < to) assert.equal(unit, null)
          const found = sourceLine(bytes, cut, 4)
          if (name === 'line') assert.equal(found, null)
        }
      }
    }
  })

  it('gives text or null for changed bytes, and ends', () => {
    const inputs = ARCHES.flatMap((arch) => [2, 4, 5].map((version) => openObject(withDwarf(arch, version))))
    const change = fc.record({
      section: fc.constantFrom(...Object.values(SECTIONS)),
      at: fc.nat(400),
      byte: fc.nat(255),
    })
    const changes = fc.array(change, { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(fc.constantFrom(...inputs), changes, fc.nat(300), ({ bytes, sections }, list, address) => {
        const copy = bytes.slice()
        for (const { section, at, byte } of list) {
          const { from, to } = sections[section]
          if (to > from) copy[from + (at % (to - from))] = byte
        }
        const unit = readCompileUnit(copy, sections)
        if (unit !== null) assert.deepEqual([typeof unit.name, typeof unit.directory], ['string', 'string'])
        const found = sourceLine(copy, sections, address)
        if (found !== null) assert.ok(typeof found.file === 'string' && found.line >= 0 && found.line < 2 ** 32)
      }),
      { numRuns: 4000, seed: 22 },
    )
  })

  it('gives up on a string without an end', () => {
    const { bytes, sections } = unitWith({ version: 4, wide: false }, [[dw.DW_AT_name, dw.DW_FORM_strp, word(0, 4)]])
    assert.deepEqual(readCompileUnit(bytes, sections), { name: 'wrong!', directory: '' })
    const long = new Uint8Array(bytes.length + (1 << 20)).fill(0x61)
    long.set(bytes)
    assert.equal(readCompileUnit(long, { ...sections, str: { from: bytes.length, to: long.length } }), null)
  })
})
