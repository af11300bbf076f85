// What the UUID stands for: the image without its debug map (paths and times of objects) and signature, and the file's name.
import { type Link, LINKEDIT_ORDER } from '../../components/link.ts'
import { fromText, readU32 } from '../../src/core/bytes.ts'
import { CS_SHA256_LEN } from '../../src/formats/codesign.ts'
import { NLIST_SIZE } from '../../src/formats/macho/constants.ts'
import { digester, identifier } from '../kernels/signing.ts'
import type { HashJob } from './hashChunks.ts'

/** Ranges of the tail, pairs of first byte and end: the tables, of symbols and strings what does not belong to the debug map. */
export function contentParts(link: Link): Uint32Array {
  const parts: number[] = []
  for (const name of LINKEDIT_ORDER) {
    const table = link.linkedit[name]
    if (table === undefined || name === 'indirect') continue
    const at = table.offset - link.image.length
    const { stabs, room } = link.table
    const from = name === 'symbols' ? (room + stabs.count) * NLIST_SIZE : 0
    parts.push(at + from, at + (name === 'strings' ? stabs.strings : table.bytes.length))
  }
  return Uint32Array.from(parts)
}

/**
 * The digests of the tables. In the padded layout they are those of their pages, which stand already, and of what they have of a page
 * that is not all theirs: a patch hashes pages that change, and no table as a whole.
 */
function tableDigests(link: Link, { digests, shift, imagePages, pages }: HashJob): Uint8Array {
  if (link.settings.layout !== 'padded') return digests.subarray(pages * CS_SHA256_LEN)
  const hash = digester(link)
  const size = 2 ** shift
  const parts = contentParts(link)
  const made = new Uint8Array(parts.length * CS_SHA256_LEN + (pages - imagePages) * CS_SHA256_LEN)
  let at = 0
  const add = (from: number, to: number) => {
    hash(link.tail.slice(from, to), 0, to - from, made, at)
    at += CS_SHA256_LEN
  }
  for (let i = 0; i < parts.length; i += 2) {
    const [from, to] = [parts[i], parts[i + 1]]
    const [first, end] = [Math.ceil(from / size), Math.floor(to / size)]
    if (first >= end) {
      add(from, to)
      continue
    }
    add(from, first * size)
    made.set(digests.subarray((imagePages + first) * CS_SHA256_LEN, (imagePages + end) * CS_SHA256_LEN), at)
    at += (end - first) * CS_SHA256_LEN
    add(end * size, to)
  }
  return made.subarray(0, at)
}

/** The hash over the digests of the parts: the first page without its header, the hashes of the others, the tables, the name. */
export function contentDigest(link: Link, job: HashJob): Uint8Array {
  const { digests, imagePages } = job
  const hash = digester(link)
  const name = fromText(identifier(link))
  const page = firstPage(link, 2 ** job.shift)
  const tables = tableDigests(link, job)
  const all = new Uint8Array(tables.length + 3 * CS_SHA256_LEN)
  hash(page, 0, page.length, all, 0)
  hash(digests, CS_SHA256_LEN, imagePages * CS_SHA256_LEN, all, CS_SHA256_LEN)
  all.set(tables, 2 * CS_SHA256_LEN)
  hash(name, 0, name.length, all, 2 * CS_SHA256_LEN + tables.length)
  const digest = new Uint8Array(CS_SHA256_LEN)
  hash(all, 0, all.length, digest, 0)
  return digest
}

/** The first page without header and load commands, whose offsets the debug map shifts; the commands' texts stay in. */
function firstPage(link: Link, size: number): Uint8Array {
  const page = link.image.slice(0, size)
  const headerEnd = 32 + readU32(page, 20)
  page.fill(0, 0, Math.min(headerEnd, page.length))
  return page
}
