// UUID and signature out of the hashes of pages; only pages that changed are hashed.
import { CS_EXECSEG_MAIN_BINARY, CS_SHA256_LEN, hashPages, writeSignature } from '../formats/codesign.ts'
import { signatureName } from './linkedit.ts'
import { markPages, type State } from './state.ts'

export const UUID_SIZE = 16

/** The pages that the UUID lies on go into it with it zeroed, and are hashed again with it: many load commands put it behind the first. */
export function signImage(state: State): void {
  const { bytes, pages, shift, signatureAt, uuidAt } = state
  const count = Math.ceil(signatureAt / 2 ** shift)
  growDigests(state, count)
  if (uuidAt > 0) bytes.fill(0, uuidAt, uuidAt + UUID_SIZE)
  const [first, last] = [uuidAt, uuidAt + UUID_SIZE - 1].map((at) => at >>> shift)
  pages.fill(1, first, last + 1)
  for (let page = 0; page < count; page++) if (pages[page] !== 0) hashPage(state, page)
  const digest = new Uint8Array(CS_SHA256_LEN)
  state.sha256(state.digests, 0, count * CS_SHA256_LEN, digest, 0)
  digest[6] = (digest[6] & 0x0f) | 0x30
  digest[8] = (digest[8] & 0x3f) | 0x80
  if (uuidAt > 0) bytes.set(digest.subarray(0, UUID_SIZE), uuidAt)
  if (!state.settings.adhocCodesign) return
  for (let page = first; page <= last; page++) hashPage(state, page)
  const text = state.segments.byName.get('__TEXT')!
  const { fileSize } = state.segments.Extent
  const hashesAt = writeSignature(bytes, signatureAt, {
    codeLimit: signatureAt,
    identifier: signatureName(state),
    pageShift: shift,
    execSegBase: 0,
    execSegLimit: state.base?.image.segments.find(({ name }) => name === '__TEXT')?.fileSize ?? fileSize[text],
    execSegFlags: state.settings.outputType === 'execute' ? CS_EXECSEG_MAIN_BINARY : 0,
  })
  bytes.set(state.digests.subarray(0, count * CS_SHA256_LEN), hashesAt)
  markSignature(state, hashesAt, count)
}

/** The hash of each page that changed lies on a page of the signature. */
function markSignature(state: State, hashesAt: number, count: number): void {
  for (let page = 0; page < count; page++) {
    const at = hashesAt + page * CS_SHA256_LEN
    if (state.pages[page] !== 0) markPages(state, at, at + CS_SHA256_LEN)
  }
}

function hashPage(state: State, page: number): void {
  const { bytes, signatureAt, shift, sha256, digests } = state
  hashPages({ bytes, offset: 0 }, page, page + 1, signatureAt, shift, sha256, digests, 0)
}

function growDigests(state: State, count: number): void {
  if (state.digests.length >= count * CS_SHA256_LEN) return
  const grown = new Uint8Array(count * CS_SHA256_LEN)
  grown.set(state.digests)
  state.digests = grown
}
