// The code signature: what the kernel checks when it maps the file, and the hash of every page.
import { sameBytes } from '../core/hash.ts'
import * as S from '../formats/codesign.ts'
import * as C from '../formats/macho/constants.ts'
import { type Check, fail, guard, hex, isX86, warn } from './context.ts'

const HASH_SIZES = new Map([
  [S.CS_HASHTYPE_SHA1, 20],
  [S.CS_HASHTYPE_SHA256, 32],
  [S.CS_HASHTYPE_SHA256_TRUNCATED, 20],
  [S.CS_HASHTYPE_SHA384, 48],
])

function checkShape(check: Check, directory: S.CodeDirectory, signatureAt: number): boolean {
  const { hashType, hashSize, codeLimit, codeSlots, pageShift, at } = directory
  const bad = (text: string) => {
    fail(check, 'bad-code-signature', `code signature: ${text}`, at)
    return false
  }
  const expected = HASH_SIZES.get(hashType)
  if (expected !== undefined && expected !== hashSize)
    return bad(`hash type ${hashType} has ${hashSize} bytes, expected ${expected}`)
  if (pageShift !== 0 && (pageShift < 12 || pageShift > 16)) return bad(`got page size 2^${pageShift}`)
  if (codeLimit > signatureAt)
    return bad(`code limit ${hex(codeLimit)} is past the signature's offset ${hex(signatureAt)}`)
  if (codeLimit < signatureAt)
    return bad(`code limit ${hex(codeLimit)} ends before the signature at ${hex(signatureAt)}`)
  const pages = pageShift === 0 ? Math.min(codeLimit, 1) : S.pageCount(codeLimit, pageShift)
  return codeSlots === pages || bad(`got ${codeSlots} page hashes, expected ${pages}`)
}

/** The kernel takes __TEXT's range from here to allow main binaries their entitlements. */
function checkExecSeg(check: Check, directory: S.CodeDirectory): void {
  const { execSeg, at } = directory
  const { text, image } = check
  if (execSeg === null || text === null) return
  // Apple's newer linker counts only part of __TEXT, and older tools left the fields zero.
  const wrong = execSeg.limit !== 0 && (execSeg.base !== text.fileOffset || execSeg.limit > text.fileSize)
  if (wrong)
    warn(
      check,
      'signature-exec-segment',
      `code signature: executable segment ${hex(execSeg.base)}+${hex(execSeg.limit)} is not __TEXT`,
      at,
    )
  const main = (execSeg.flags & S.CS_EXECSEG_MAIN_BINARY) !== 0
  if (main !== (image.fileType === C.MH_EXECUTE) && execSeg.limit !== 0) {
    warn(
      check,
      'signature-exec-segment',
      `code signature: executable segment flags ${hex(execSeg.flags)} for file type ${image.fileType}`,
      at,
    )
  }
}

function checkHashes(check: Check, directory: S.CodeDirectory): void {
  const { hashType, hashSize, codeLimit, codeSlots, pageShift, hashesAt } = directory
  if (directory.scattered || (hashType !== S.CS_HASHTYPE_SHA256 && hashType !== S.CS_HASHTYPE_SHA256_TRUNCATED)) return
  const pageSize = pageShift === 0 ? codeLimit : 2 ** pageShift
  const digest = new Uint8Array(S.CS_SHA256_LEN)
  for (let page = 0; page < codeSlots; page++) {
    const from = page * pageSize
    check.sha256(check.bytes, from, Math.min(from + pageSize, codeLimit), digest, 0)
    if (sameBytes(digest, 0, check.bytes, hashesAt + page * hashSize, hashSize)) continue
    fail(check, 'signature-mismatch', `code signature: page ${page} does not match its hash`, from)
  }
}

export function checkSignature(check: Check): void {
  const range = check.image.tables.get(C.LC_CODE_SIGNATURE)
  if (range === undefined) {
    // Every arm64 page that is run must be signed, be it ad hoc.
    if (!isX86(check)) warn(check, 'unsigned', 'there is no code signature, which macOS asks of arm64 code')
    return
  }
  guard(check, 'bad-code-signature', 'LC_CODE_SIGNATURE', 0, () => {
    const { directories, hasCms } = S.readSignature(check.bytes, range.offset, range.size)
    if (directories.length === 0)
      fail(check, 'bad-code-signature', 'code signature: there is no code directory', range.offset)
    for (const directory of directories) {
      if ((directory.flags & S.CS_ADHOC) === 0 && !hasCms) {
        fail(
          check,
          'bad-code-signature',
          `code signature: flags ${hex(directory.flags)}: neither ad hoc nor signed`,
          directory.at,
        )
      }
      checkExecSeg(check, directory)
      if (checkShape(check, directory, range.offset)) checkHashes(check, directory)
    }
  })
}
