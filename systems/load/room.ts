// Room for one object while it is loaded: copies of its symbols and strings, and what is made of them, until it is put into the columns.
import type { Mentions } from '../../components/names.ts'
import { createPlainScratch, type PlainScratch } from '../../src/formats/ehFramePlain.ts'
import { createInner, type Inner } from '../inner/inner.ts'

const SECTIONS = 258
const GUARD = 8
const START = 1024
const LARGE = 1 << 26
const MOST_SHARED = 4

/** Elements of `records` to `block` are symbols of the object, from 0 on. */
export interface Room extends Views {
  inner: Inner['loops']
  frames: PlainScratch
  symbols: number
  strings: number
}

interface Views {
  records: Uint32Array
  flags: Uint16Array
  offset: Uint32Array
  block: Uint32Array
  /** Of externals: rows, places in the arena and lengths of their names, hashes. */
  mentions: Mentions
  /** How many symbols have absolute values or other names, then which. */
  odd: Uint32Array
  /** Those in section s (from 1 on), by address: order[starts[s]] .. order[starts[s + 1] - 1]. */
  starts: Uint32Array
  fill: Uint32Array
  order: Uint32Array
  /** By section, from 1 on; `bases`: low words of their addresses. */
  content: Uint8Array
  bases: Uint32Array
  /** Blocks of one section. */
  blockStarts: Uint32Array
  blockSizes: Uint32Array
  blockAligns: Uint8Array
  text: Uint8Array
  textView: DataView
  locals: Uint8Array
  localsView: DataView
}

/** Filling an object waits for nothing, and what is here is not needed longer: all links of a thread share it. */
let known: Room | null = null

/** A larger one is not kept for the next load. */
const KEPT = 1 << 25

export function reserveRoom(symbols: number, strings: number): Room {
  if (known !== null && known.symbols >= symbols && known.strings >= strings) return known
  const frames = known?.frames ?? createPlainScratch()
  // Else objects that are large in one and in the other, in turn, would each have a new one.
  const most = Math.max(roundUp(symbols), known?.symbols ?? 0)
  known = createRoom(most, Math.max(roundUp(strings), known?.strings ?? 0), frames)
  return known
}

/** When a load, or a thread's part of it, is over. */
export function releaseRoom(): void {
  if (known !== null && known.text.buffer.byteLength > KEPT) known = null
}

function roundUp(size: number): number {
  return size > LARGE ? size : 1 << (32 - Math.clz32(Math.max(size, 4096) - 1))
}

/** Local names may share their strings, and take more room than these, but of a large table. */
function localsSize(strings: number): number {
  return strings > LARGE ? strings : strings * MOST_SHARED
}

function createRoom(symbols: number, strings: number, frames: PlainScratch): Room {
  const size = START + (symbols + 1) * 64 + SECTIONS * 16 + strings + localsSize(strings) + 32 * GUARD
  const inner = createInner(size)
  return { ...createViews(inner.buffer, symbols, strings), inner: inner.loops, frames, symbols, strings }
}

function createViews(buffer: ArrayBuffer, symbols: number, strings: number): Views {
  let at = START
  const place = (bytes: number): number => {
    const from = at
    at = from + ((bytes + GUARD + 7) & ~7)
    return from
  }
  const words = (count: number): Uint32Array => new Uint32Array(buffer, place(count * 4), count)
  const bytes = (count: number): Uint8Array => new Uint8Array(buffer, place(count), count)
  const text = bytes(strings + GUARD)
  const locals = bytes(localsSize(strings) + GUARD)
  return {
    records: words(symbols * 4),
    flags: new Uint16Array(buffer, place(symbols * 2), symbols),
    offset: words(symbols),
    block: words(symbols),
    mentions: { row: words(symbols), start: words(symbols), place: words(symbols), hash: words(symbols) },
    odd: words(symbols + 1),
    starts: words(SECTIONS),
    fill: words(SECTIONS),
    order: words(symbols),
    content: bytes(SECTIONS),
    bases: words(SECTIONS),
    blockStarts: words(symbols + 1),
    blockSizes: words(symbols + 1),
    blockAligns: bytes(symbols + 1),
    text,
    textView: new DataView(buffer, text.byteOffset, text.length),
    locals,
    localsView: new DataView(buffer, locals.byteOffset, locals.length),
  }
}
