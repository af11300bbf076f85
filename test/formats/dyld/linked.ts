import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromText, readU32, readU64 } from '../../../src/core/bytes.ts'
import type { NameTable } from '../../../src/formats/dyld/bind.ts'
import type { NameRows } from '../../../src/formats/dyld/sortNames.ts'

const LC_SEGMENT_64 = 0x19
const LC_DYLD_INFO_ONLY = 0x80000022
const LC_DYLD_EXPORTS_TRIE = 0x80000033
const LC_DYLD_CHAINED_FIXUPS = 0x80000034

/** What ld64.lld-22 wrote: the file, its segments, and the pieces of its dyld info by name. */
export type Linked = {
  bytes: Uint8Array
  segments: { address: number; fileStart: number; size: number }[]
  pieces: Record<string, Uint8Array>
}

/** Links a dylib from assembly and, under it, a library `/lib.dylib` from `library`, with ld64.lld-22. */
export function linkDylib(source: string, library: string, args: string[], arch = 'arm64'): Linked {
  const folder = mkdtempSync(join(tmpdir(), 'colonnade-dyld-'))
  const run = (tool: string, ...words: string[]) => execFileSync(tool, words, { cwd: folder })
  try {
    for (const [name, text] of [
      ['main', source],
      ['lib', library],
    ]) {
      writeFileSync(join(folder, `${name}.s`), text)
      run('llvm-mc-22', `-triple=${arch}-apple-macos11`, '-filetype=obj', `${name}.s`, '-o', `${name}.o`)
    }
    const target = ['-arch', arch, '-dylib']
    run('ld64.lld-22', ...target, '-platform_version', 'macos', '11', '11', 'lib.o', '-o', 'lib.dylib')
    run(
      'ld64.lld-22',
      ...target,
      '-platform_version',
      'macos',
      '13',
      '13',
      'main.o',
      'lib.dylib',
      ...args,
      '-o',
      'main',
    )
    return readLinked(new Uint8Array(readFileSync(join(folder, 'main'))))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function readLinked(bytes: Uint8Array): Linked {
  const linked: Linked = { bytes, segments: [], pieces: {} }
  const piece = (name: string, at: number) => {
    const start = readU32(bytes, at)
    linked.pieces[name] = bytes.subarray(start, start + readU32(bytes, at + 4))
  }
  for (let i = 0, at = 32; i < readU32(bytes, 16); i++, at += readU32(bytes, at + 4)) {
    const command = readU32(bytes, at)
    if (command === LC_SEGMENT_64)
      linked.segments.push({
        address: readU64(bytes, at + 24),
        fileStart: readU64(bytes, at + 40),
        size: readU64(bytes, at + 48),
      })
    if (command === LC_DYLD_INFO_ONLY)
      for (const [n, name] of ['rebase', 'bind', 'weak', 'lazy', 'trie'].entries()) piece(name, at + 8 + 8 * n)
    if (command === LC_DYLD_EXPORTS_TRIE) piece('trie', at + 8)
    if (command === LC_DYLD_CHAINED_FIXUPS) piece('chained', at + 8)
  }
  return linked
}

/** `ours` and zeros up to the length of `theirs`, which the linker padded. */
export function padded(ours: Uint8Array, theirs: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.max(ours.length, theirs.length))
  out.set(ours)
  return out
}

/** Names behind each other. */
export function nameRows(names: string[]): NameRows {
  const encoded = names.map(fromText)
  const rows = {
    bytes: Uint8Array.from(encoded.flatMap((name) => [...name])),
    offset: new Uint32Array(names.length),
    length: Uint32Array.from(encoded, (name) => name.length),
  }
  for (let i = 1; i < names.length; i++) rows.offset[i] = rows.offset[i - 1] + rows.length[i - 1]
  return rows
}

/** A name table over `names` in two arenas, rows in order. */
export function tableOf(names: string[]): NameTable {
  const encoded = names.map(fromText)
  const total = encoded.reduce((sum, name) => sum + name.length, 0)
  const table = {
    bytes: [new Uint8Array(total), new Uint8Array(total)],
    arena: new Uint8Array(names.length),
    offset: new Uint32Array(names.length),
    length: new Uint32Array(names.length),
  }
  let at = 0
  for (const [row, name] of encoded.entries()) {
    table.bytes[row & 1].set(name, at)
    table.arena[row] = row & 1
    table.offset[row] = at
    table.length[row] = name.length
    at += name.length
  }
  return table
}

export const LIBRARY = `
.globl _ext, _two, _weakfn, dyld_stub_binder
.weak_definition _weakfn
_ext: ret
_two: ret
_weakfn: ret
dyld_stub_binder: ret
`

export const SOURCE = `
.globl _main, _alpha, _alphabet, _beta, _weaklocal
.weak_definition _weaklocal
.weak_reference _two
_main:
  CALL _ext
  CALL _two
  CALL _weakfn
  ret
_alpha: ret
_alphabet: ret
_beta: ret
_weaklocal: ret
.data
.p2align 3
.quad _ext, _two, _ext, _ext, 0, _ext + 4000, _weaklocal, _weakfn
.quad _main, _main, _main, 0, _main, 0, _main, 0, 0, _main
.quad _two, 0, _two, 0, _two, 0, _two, _two, 0, 0, _two, _ext, _ext, _ext
.fill 20, 8, 0
.quad _two
.rept 40
.quad _beta
.endr
.space 0x9000
.quad _ext + 255, _two - 1, _main
.quad _two
.fill 14, 8, 0
.quad _two
.fill 15, 8, 0
.quad _two
`

/** SOURCE for an architecture's call instruction. */
export function sourceFor(arch: string): string {
  return SOURCE.replaceAll('CALL', arch === 'arm64' ? 'bl' : 'call')
}
