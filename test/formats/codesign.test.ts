import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FormatError, readU32be, writeU32be } from '../../src/core/bytes.ts'
import { sha256Into } from '../../src/core/sha256.ts'
import * as S from '../../src/formats/codesign.ts'

const code = Uint8Array.from({ length: 0x4000 * 2 + 48 }, (_, i) => (i * 31) & 255)
const fields: S.SignatureFields = {
  codeLimit: code.length,
  identifier: 'naïve.dylib',
  pageShift: 12,
  execSegBase: 0,
  execSegLimit: 0x4000,
  execSegFlags: 0,
}

function signed(pageShift: number, at = 0): Uint8Array {
  const size = S.signatureSize(code.length, 12, pageShift)
  const target = new Uint8Array(at + size).fill(0xaa)
  const hashesAt = S.writeSignature(target, at, { ...fields, pageShift })
  const pages = S.pageCount(code.length, pageShift)
  S.hashPages({ bytes: code, offset: 0 }, 0, pages, code.length, pageShift, sha256Into, target, hashesAt)
  return target
}

function readsAs(bytes: Uint8Array, expected: RegExp): void {
  assert.throws(
    () => S.readSignature(bytes, 0, bytes.length),
    (error) => error instanceof FormatError && error.id === 'bad-code-signature' && expected.test(error.message),
  )
}

test('what was written is read back field by field', () => {
  const { directories, hasCms, length } = S.readSignature(signed(12, 32), 32, S.signatureSize(code.length, 12, 12))
  const { at, hashesAt, ...directory } = directories[0]
  assert.equal(directories.length, 1)
  assert.equal(hasCms, false)
  assert.equal(length, 128 + 9 * 32)
  assert.equal(at, 32 + 24)
  assert.equal(hashesAt, 32 + 128)
  assert.deepEqual(directory, {
    length: 128 + 9 * 32 - 24,
    version: 0x20400,
    flags: S.CS_ADHOC | S.CS_LINKER_SIGNED,
    identifier: 'naïve.dylib',
    hashType: S.CS_HASHTYPE_SHA256,
    hashSize: 32,
    pageShift: 12,
    codeLimit: code.length,
    codeSlots: 9,
    specialSlots: 0,
    execSeg: { base: 0, limit: 0x4000, flags: 0 },
    scattered: false,
  })
})

test('the size counts a page that is not whole, and is a multiple of 16', () => {
  assert.equal(S.signatureSize(0x4000, 3, 12), 128 + 4 * 32)
  assert.equal(S.signatureSize(0x4001, 3, 12), 128 + 5 * 32)
  assert.equal(S.signatureSize(0x4001, 3, 14), 128 + 2 * 32)
  for (let name = 0; name < 40; name++) assert.equal(S.signatureSize(0x5000, name, 12) % 16, 0)
  assert.equal(S.signatureSize(0, 15, 12), 128)
  assert.equal(S.signatureSize(0, 16, 12), 144)
})

test('pages hashed by ranges from two buffers equal those of one', () => {
  for (const pageShift of [12, 14]) {
    const whole = signed(pageShift)
    const parts = new Uint8Array(whole.length)
    const hashesAt = S.writeSignature(parts, 0, { ...fields, pageShift })
    const cut = 0x4000
    const cutPage = cut / 2 ** pageShift
    const last = S.pageCount(code.length, pageShift)
    const tail = { bytes: code.slice(cut), offset: cut }
    S.hashPages(tail, cutPage, last, code.length, pageShift, sha256Into, parts, hashesAt)
    S.hashPages(
      { bytes: code.slice(0, cut), offset: 0 },
      0,
      cutPage,
      code.length,
      pageShift,
      sha256Into,
      parts,
      hashesAt,
    )
    assert.deepEqual(parts, whole)
  }
})

test('the last hash covers only the bytes that are there', () => {
  const bytes = signed(12)
  const digest = new Uint8Array(32)
  sha256Into(code, 0x8000, code.length, digest, 0)
  assert.deepEqual(bytes.subarray(bytes.length - 32), digest)
})

test('a code limit past 4 GiB goes to the 64-bit field', () => {
  const codeLimit = 2 ** 32 + 4096
  const target = new Uint8Array(S.signatureSize(codeLimit, 1, 30))
  S.writeSignature(target, 0, { ...fields, identifier: 'x', codeLimit, pageShift: 30 })
  assert.equal(S.readSignature(target, 0, target.length).directories[0].codeLimit, codeLimit)
})

test('damage is named, never followed', () => {
  const damage: [number, number, RegExp][] = [
    [0, 0, /magic/],
    [4, 0xffffff, /blob of/],
    [8, 0xffffffff, /blobs do not fit/],
    [16, 0xfffffff0, /past the end/],
    [24, 1, /no code directory/],
    [28, 20, /expected 88|no code directory|bytes/],
    [32, 0x30000, /version/],
    [40, 0xfffffff, /not inside/],
    [44, 0xfffffff, /identifier at/],
    [48, 1000, /not inside/],
    [52, 1000, /not inside/],
  ]
  for (const [at, value, expected] of damage) {
    const bytes = signed(12)
    writeU32be(bytes, at, value)
    readsAs(bytes, expected)
  }
})

test('every cut of a signature is refused or read, never read past its end', () => {
  const bytes = signed(14)
  for (let size = 0; size < bytes.length; size++) readsAs(bytes.slice(0, size), /./)
  assert.equal(readU32be(bytes, 4), bytes.length)
  readsAs(signed(14).fill(0x61, 112, 256), /not terminated/)
})
