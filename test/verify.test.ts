import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { readU32, readU64, writeU16, writeU32, writeU64 } from '../src/core/bytes.ts'
import { decodeChainedFixups } from '../src/formats/dyld/chainedFixups.ts'
import * as C from '../src/formats/macho/constants.ts'
import { findSegment, type Image, readImage } from '../src/formats/macho/image.ts'
import { sign } from '../src/sign.ts'
import type { Message } from '../src/types.ts'
import { verify } from '../src/verify.ts'
import { compile } from './helpers/clang.ts'
import { mustRun } from './helpers/command.ts'
import { lld } from './helpers/lld.ts'
import { libcxx, libSystem, root, tempFolder } from './helpers/paths.ts'
import { createTarget, forEachTarget, type Target, targets } from './helpers/targets.ts'

const program = `
extern "C" int puts(const char *);
struct Error { int code; };
thread_local int counter = 7;
thread_local int zero;
int table[4];
int *pointer = &table[2];
int (*call)(const char *) = puts;
__attribute__((constructor)) void first() { table[1] = puts("first"); }
__attribute__((weak)) int weakly() { return 2; }
int thrower(int n) { if (n > 0) throw Error{n}; return n; }
int main() {
  int result = 1;
  try { thrower(3); } catch (const Error &e) { result = e.code - 3; }
  counter += weakly();
  zero++;
  call("ran");
  puts("again");
  *pointer = result;
  return result;
}
`

const linked = new Map<string, Uint8Array>()

function link(target: Target, ...flags: string[]): Uint8Array {
  const key = [target.name, ...flags].join(' ')
  const known = linked.get(key)
  if (known !== undefined) return known.slice()
  const output = join(tempFolder(), 'program')
  const object = compile(target.arch, program, { language: 'c++' })
  const { status, stderr } = lld([
    ...target.flags,
    '-adhoc_codesign',
    object,
    libSystem,
    libcxx,
    '-o',
    output,
    ...flags,
  ])
  assert.equal(status, 0, stderr)
  const bytes = new Uint8Array(readFileSync(output))
  linked.set(key, bytes)
  return bytes.slice()
}

const opcodes = targets.filter((target) => target.fixups === 'opcodes')

function errorIds(messages: readonly Message[]): string[] {
  return [...new Set(messages.filter((m) => m.severity === 'error').map((m) => m.id))]
}

/** Changes a program and expects one of the messages to be `id`; the signature no longer matches either. */
function finds(
  target: Target,
  id: string,
  change: (bytes: Uint8Array, image: Image) => void,
  ...flags: string[]
): void {
  const bytes = link(target, ...flags)
  change(bytes, readImage(bytes))
  const messages = verify(bytes)
  assert.ok(
    messages.some((m) => m.id === id && m.text !== ''),
    `${target.name}: expected ${id}, got ${messages.map((m) => `${m.id}: ${m.text}`).join('\n')}`,
  )
}

function section(image: Image, name: string) {
  const found = image.sections.find((s) => s.name === name)
  assert.ok(found !== undefined, `no section ${name}`)
  return found
}

function commandAt(image: Image, cmd: number): number {
  const found = image.commands.find((command) => command.cmd === cmd)
  assert.ok(found !== undefined)
  return found.at
}

function segmentAt(image: Image, name: string): number {
  const found = findSegment(image, name)
  assert.ok(found !== null)
  return found.at
}

forEachTarget((target) => {
  test(`programs, dylibs and bundles of ld64.lld are good (${target.name})`, () => {
    assert.deepEqual(verify(link(target)), [])
    assert.deepEqual(verify(link(target, '-dylib')), [])
    assert.deepEqual(verify(link(target, '-bundle')), [])
    assert.deepEqual(verify(link(target, '-dead_strip', '-x', '-init_offsets')), [])
  })

  test(`stripped programs are good (${target.name})`, () => {
    const path = join(tempFolder(), 'stripped')
    const object = compile(target.arch, program, { language: 'c++', flags: ['-g'] })
    lld([...target.flags, '-adhoc_codesign', object, libSystem, libcxx, '-o', path])
    mustRun('llvm-strip-22', ['-x', '-S', path])
    assert.deepEqual(errorIds(verify(new Uint8Array(readFileSync(path)))), [])
  })

  test(`a changed byte anywhere under the signature is found (${target.name})`, () => {
    const original = link(target)
    const limit = readImage(original).tables.get(C.LC_CODE_SIGNATURE)?.offset ?? 0
    for (let at = 5; at < limit; at += 997) {
      const bytes = original.slice()
      bytes[at] ^= 1
      assert.notDeepEqual(verify(bytes), [], `byte ${at}`)
    }
  })

  test(`a changed page is named by its place (${target.name})`, () => {
    const bytes = link(target)
    const code = section(readImage(bytes), '__text').offset
    bytes[code] ^= 0x80
    const [message] = verify(bytes, { file: 'a.out' }).filter((m) => m.id === 'signature-mismatch')
    assert.deepEqual(message.location, { file: 'a.out', offset: code - (code % 4096) })
  })

  test(`segments and sections out of place are found (${target.name})`, () => {
    finds(target, 'segment-overlap', (b, im) => writeU64(b, segmentAt(im, '__DATA') + 24, 0x100000000))
    finds(target, 'segment-bounds', (b, im) => writeU64(b, segmentAt(im, '__LINKEDIT') + 48, 0x10000000))
    finds(target, 'segment-protection', (b, im) => writeU32(b, segmentAt(im, '__TEXT') + 60, 7))
    finds(target, 'segment-alignment', (b, im) => writeU64(b, segmentAt(im, '__DATA') + 24, 0x1ffff1008))
    finds(target, 'section-bounds', (b, im) => writeU64(b, segmentAt(im, '__TEXT') + 72 + 32, 0x100000010))
    finds(target, 'section-overlap', (b, im) => writeU64(b, segmentAt(im, '__TEXT') + 72 + 40, 0x300))
  })

  test(`load commands that contradict are found (${target.name})`, () => {
    finds(target, 'bad-entry', (b, im) => writeU64(b, commandAt(im, C.LC_MAIN) + 8, 0x40))
    finds(target, 'bad-dylinker', (b, im) => writeU32(b, commandAt(im, C.LC_LOAD_DYLINKER), C.LC_NOTE))
    finds(target, 'bad-header', (b) => writeU32(b, 12, C.MH_DYLIB))
    finds(target, 'bad-load-command', (b, im) => writeU32(b, commandAt(im, C.LC_UUID) + 4, 0xffffff0))
    finds(target, 'unknown-load-command', (b, im) => writeU32(b, commandAt(im, C.LC_UUID), 0x800000ff))
    finds(target, 'unsupported-file', (b) => writeU32(b, 4, 7))
  })

  test(`tables of __LINKEDIT out of place are found (${target.name})`, () => {
    finds(target, 'linkedit-bounds', (b, im) => writeU32(b, commandAt(im, C.LC_SYMTAB) + 16, 0))
    finds(target, 'linkedit-overlap', (b, im) => {
      writeU32(b, commandAt(im, C.LC_SYMTAB) + 16, im.symtab?.symbolOffset ?? 0)
    })
    finds(target, 'linkedit-order', (b, im) => {
      const at = commandAt(im, C.LC_CODE_SIGNATURE)
      writeU32(b, at + 8, findSegment(im, '__LINKEDIT')?.fileOffset ?? 0)
    })
  })

  test(`symbols in the wrong group, section or library are found (${target.name})`, () => {
    const record = (im: Image, row: number) => (im.symtab?.symbolOffset ?? 0) + row * 16
    const undefinedRow = (im: Image) => record(im, im.dysymtab?.undefinedIndex ?? 0)
    const definedRow = (im: Image) => record(im, im.dysymtab?.definedIndex ?? 0)
    finds(target, 'symbol-group', (b, im) => {
      b[definedRow(im) + 4] = C.N_EXT
    })
    finds(target, 'symbol-section', (b, im) => {
      b[definedRow(im) + 5] = 200
    })
    finds(target, 'symbol-ordinal', (b, im) => writeU16(b, undefinedRow(im) + 6, 0x7700))
    finds(target, 'symbol-name', (b, im) => writeU32(b, definedRow(im), 0x7fffffff))
    finds(target, 'symbol-groups', (b, im) => writeU32(b, commandAt(im, C.LC_DYSYMTAB) + 20, 0xfff))
    finds(target, 'export-address', (b, im) => writeU64(b, definedRow(im) + 8, readU64(b, definedRow(im) + 8) + 4))
  })

  test(`fixups, initializers and thread-locals that went wrong are found (${target.name})`, () => {
    finds(target, 'bad-export-trie', (b, im) => {
      const range = im.tables.get(C.LC_DYLD_EXPORTS_TRIE) ?? im.dyldInfo?.exports
      b.fill(0xff, range?.offset, (range?.offset ?? 0) + 4)
    })
    finds(target, 'thread-local', (b, im) => writeU64(b, section(im, '__thread_vars').offset + 16, 0x1000))
    finds(target, 'initializers', (b, im) => writeU32(b, section(im, '__init_offsets').offset, 8), '-init_offsets')
    finds(target, 'pointer-name', (b, im) => {
      const d = im.dysymtab
      const got = section(im, '__got')
      writeU32(b, (d?.indirectOffset ?? 0) + got.reserved1 * 4, d?.undefinedIndex ?? 0)
      writeU32(b, (d?.indirectOffset ?? 0) + got.reserved1 * 4 + 4, d?.undefinedIndex ?? 0)
    })
    finds(target, 'stub-pointer', (b, im) => {
      const stubs = section(im, '__stubs')
      const size = stubs.reserved2
      const at = (im.dysymtab?.indirectOffset ?? 0) + stubs.reserved1 * 4
      const first = readU32(b, at)
      writeU32(b, at, readU32(b, at + 4))
      writeU32(b, at + 4, first)
      assert.ok(stubs.size >= 2 * size)
    })
  })

  test(`function starts and unwind entries outside code are found (${target.name})`, () => {
    finds(target, 'function-starts', (b, im) => {
      b.set([0xff, 0xff, 0x7f, 0], im.tables.get(C.LC_FUNCTION_STARTS)?.offset)
    })
    finds(target, 'bad-unwind', (b, im) => writeU32(b, section(im, '__unwind_info').offset, 9))
    finds(target, 'bad-unwind', (b, im) => {
      const at = section(im, '__unwind_info').offset
      writeU32(b, at + readU32(b, at + 12), 0x10)
    })
  })

  test(`a damaged signature is found, a missing one told (${target.name})`, () => {
    const start = (im: Image) => im.tables.get(C.LC_CODE_SIGNATURE)?.offset ?? 0
    finds(target, 'bad-code-signature', (b, im) => writeU32(b, start(im), 0))
    finds(target, 'bad-code-signature', (b, im) => b.fill(0, start(im) + 24 + 32, start(im) + 24 + 36))
    finds(target, 'bad-code-signature', (b, im) => b.fill(0, start(im) + 24 + 12, start(im) + 24 + 16))
    const unsigned = verify(link(target, '-no_adhoc_codesign')).map((m) => `${m.severity} ${m.id}`)
    assert.deepEqual(unsigned, target.arch === 'arm64' ? ['warning unsigned'] : [])
  })

  test(`random damage never throws (${target.name})`, () => {
    const original = link(target)
    const cheap = { sha256: () => {} }
    const place = fc.oneof(
      fc.nat(2047),
      fc.nat(original.length - 1),
      fc.integer({ min: original.length - 6000, max: original.length - 1 }),
    )
    const change = fc.record({ at: place, value: fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff)) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), fc.nat(original.length), (changes, cut) => {
        const bytes = original.slice()
        for (const { at, value } of changes) bytes[at] = value
        assert.ok(Array.isArray(verify(bytes, { host: cheap })))
        assert.ok(Array.isArray(verify(bytes.subarray(0, cut), { host: cheap })))
      }),
      { numRuns: 250 },
    )
  })
})

for (const target of opcodes) {
  test(`lazy binding through the wrong record is found (${target.name})`, () => {
    finds(target, 'stub-helper', (b, im) => {
      const pointers = section(im, '__la_symbol_ptr')
      assert.ok(pointers.size >= 16)
      const first = b.slice(pointers.offset, pointers.offset + 8)
      b.copyWithin(pointers.offset, pointers.offset + 8, pointers.offset + 16)
      b.set(first, pointers.offset + 8)
    })
  })

  test(`damaged opcodes are found (${target.name})`, () => {
    const info = (im: Image) => im.dyldInfo
    finds(target, 'bad-rebase', (b, im) => b.fill(0xff, info(im)?.rebase.offset, (info(im)?.rebase.offset ?? 0) + 1))
    finds(target, 'bad-bind', (b, im) => b.fill(0xff, info(im)?.bind.offset, (info(im)?.bind.offset ?? 0) + 1))
    finds(target, 'pointer-unbound', (b, im) => b.fill(0, info(im)?.bind.offset, (info(im)?.bind.offset ?? 0) + 1))
    finds(target, 'bad-rebase', (b, im) => {
      b[info(im)?.rebase.offset ?? 0] = 0x11
      b[(info(im)?.rebase.offset ?? 0) + 1] = 0x20
    })
  })
}

/** Rewrites the chains of an arm64 program as arm64e ones: 11 bits of next in steps of 8, every second rebase signed. */
function toArm64e(bytes: Uint8Array, format: number): void {
  const image = readImage(bytes)
  const range = image.tables.get(C.LC_DYLD_CHAINED_FIXUPS)
  assert.ok(range !== undefined)
  const { segments } = decodeChainedFixups(bytes.slice(range.offset, range.offset + range.size))
  const starts = range.offset + readU32(bytes, range.offset + 4)
  let rebases = 0
  segments.forEach((segment, i) => {
    if (segment === null) return
    writeU16(bytes, starts + readU32(bytes, starts + 4 + 4 * i) + 6, format)
    segment.pageStarts.forEach((start, page) => {
      if (start === C.DYLD_CHAINED_PTR_START_NONE) return
      let at = image.segments[i].fileOffset + page * segment.pageSize + start
      for (let step = -1; step !== 0; at += step) {
        const high = readU32(bytes, at + 4)
        step = ((high >>> 19) & 0xfff) * 4
        const bind = high >= 0x80000000
        const signed = !bind && rebases++ % 2 === 0
        const base = !bind && !signed && format === 1 ? 1 : 0
        writeU32(bytes, at + 4, ((step / 8) << 19) | (bind ? 0x40000000 : 0) | (signed ? 0x80000000 : 0) | base)
      }
    })
  })
  writeU32(bytes, 8, 0x80000002)
}

test('arm64e images with each of their pointer formats are good', () => {
  for (const format of [1, 9, 12]) {
    const bytes = link(createTarget('arm64', 'chained'))
    toArm64e(bytes, format)
    assert.deepEqual(verify(sign(bytes)), [])
  }
})

test("modules built by Apple's linker are good", () => {
  for (const arch of ['darwin-arm64', 'darwin-x64']) {
    const path = join(root, 'node_modules/crc-native/prebuilds', arch, 'crc-native.node')
    assert.deepEqual(verify(new Uint8Array(readFileSync(path))), [])
  }
})

test('messages about a slice of a universal file name it, with offsets in the file', () => {
  const folder = tempFolder()
  const paths = targets.filter((t) => t.fixups === 'chained').map((t) => join(folder, t.arch))
  const object = (arch: Target['arch']) => compile(arch, program, { language: 'c++' })
  targets
    .filter((t) => t.fixups === 'chained')
    .forEach((t, i) => {
      lld([...t.flags, '-adhoc_codesign', object(t.arch), libSystem, libcxx, '-o', paths[i]])
    })
  mustRun('llvm-lipo-22', ['-create', ...paths, '-output', join(folder, 'universal')])
  const bytes = new Uint8Array(readFileSync(join(folder, 'universal')))
  assert.deepEqual(verify(bytes), [])
  bytes[bytes.length - 1] ^= 1
  const [message] = verify(bytes, { file: 'universal' })
  assert.equal(message.id, 'signature-mismatch')
  assert.equal(message.location?.member, 'arm64')
  assert.ok((message.location?.offset ?? 0) > 0x4000)
})

test('a debug companion and what is no image at all', () => {
  const bytes = link(targets[0])
  writeU32(bytes, 12, C.MH_DSYM)
  assert.deepEqual(verify(bytes), [])
  assert.deepEqual(errorIds(verify(new Uint8Array(0))), ['not-mach-o'])
  assert.deepEqual(errorIds(verify(new TextEncoder().encode('!<arch>\n'))), ['not-mach-o'])
  assert.deepEqual(errorIds(verify(new Uint8Array(readFileSync(compile('arm64', program, { language: 'c++' }))))), [
    'unsupported-file',
  ])
})
