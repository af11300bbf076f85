// Objects made by hand, for what no assembler writes.

export interface MadeSection {
  segment?: string
  name?: string
  flags?: number
  align?: number
  /** Of a zero-fill section; else the contents have it. */
  size?: number
  contents?: Uint8Array
  /** r_address and the second word of each record. */
  relocations?: readonly (readonly [number, number])[]
}

export interface MadeSymbol {
  name: string
  type?: number
  section?: number
  desc?: number
  value?: number
}

export interface MadeObject {
  arch?: 'x86_64' | 'arm64'
  flags?: number
  sections?: readonly MadeSection[]
  symbols?: readonly MadeSymbol[]
  /** Whole load commands, behind the others. */
  commands?: readonly Uint8Array[]
}

/** `_main: ret` in both architectures' sizes. */
export const MAIN: MadeSection = { flags: 0x80000400, align: 2, contents: Uint8Array.from([0xc3, 0x90, 0x90, 0x90]) }
export const MAIN_SYMBOL: MadeSymbol = { name: '_main' }

const N_SECT_EXT = 0xf
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** A load command of words and text, padded to 8. */
export function command(kind: number, words: readonly number[], tail = ''): Uint8Array {
  const size = Math.ceil((8 + words.length * 4 + text(tail).length) / 8) * 8
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  ;[kind, size, ...words].forEach((word, i) => {
    view.setUint32(i * 4, word >>> 0, true)
  })
  bytes.set(text(tail), 8 + words.length * 4)
  return bytes
}

/** Header, LC_SEGMENT_64, LC_SYMTAB, the given commands; contents, relocations, symbols, strings behind them. */
export function makeObject(made: MadeObject): Uint8Array {
  const sections = made.sections ?? [MAIN]
  const symbols = made.symbols ?? [MAIN_SYMBOL]
  const commands = made.commands ?? []
  const segmentSize = 72 + sections.length * 80
  const commandsSize = segmentSize + 24 + commands.reduce((sum, one) => sum + one.length, 0)
  const parts = placeParts(sections, symbols, 32 + commandsSize)
  const bytes = new Uint8Array(parts.end)
  const view = new DataView(bytes.buffer)
  const cputype = made.arch === 'arm64' ? 0x0100000c : 0x01000007
  const header = [
    0xfeedfacf,
    cputype,
    made.arch === 'arm64' ? 0 : 3,
    1,
    2 + commands.length,
    commandsSize,
    made.flags ?? 0x2000,
  ]
  header.forEach((word, i) => {
    view.setUint32(i * 4, word, true)
  })
  writeSegment(view, sections, parts, segmentSize)
  writeSymbols(view, symbols, parts, 32 + segmentSize)
  let at = 32 + segmentSize + 24
  for (const one of commands) {
    bytes.set(one, at)
    at += one.length
  }
  return bytes
}

interface Parts {
  contents: number[]
  relocations: number[]
  symbols: number
  strings: number
  end: number
}

function placeParts(sections: readonly MadeSection[], symbols: readonly MadeSymbol[], start: number): Parts {
  let at = start
  const take = (size: number): number => {
    at = Math.ceil(at / 8) * 8 + size
    return at - size
  }
  const contents = sections.map((section) => take(section.contents?.length ?? 0))
  const relocations = sections.map((section) => take((section.relocations?.length ?? 0) * 8))
  const symbolsAt = take(symbols.length * 16)
  const strings = take(1 + symbols.reduce((sum, symbol) => sum + text(symbol.name).length + 1, 0))
  return { contents, relocations, symbols: symbolsAt, strings, end: at }
}

function writeSegment(view: DataView, sections: readonly MadeSection[], parts: Parts, size: number): void {
  const bytes = new Uint8Array(view.buffer)
  view.setUint32(32, 0x19, true)
  view.setUint32(36, size, true)
  view.setUint32(32 + 64, sections.length, true)
  let address = 0
  sections.forEach((section, i) => {
    const at = 32 + 72 + i * 80
    const length = section.contents?.length ?? section.size ?? 0
    bytes.set(text(section.name ?? '__text').subarray(0, 16), at)
    bytes.set(text(section.segment ?? '__TEXT').subarray(0, 16), at + 16)
    view.setBigUint64(at + 32, BigInt(address), true)
    view.setBigUint64(at + 40, BigInt(length), true)
    const words = [
      parts.contents[i],
      section.align ?? 0,
      parts.relocations[i],
      section.relocations?.length ?? 0,
      section.flags ?? 0,
    ]
    words.forEach((word, j) => {
      view.setUint32(at + 48 + j * 4, word >>> 0, true)
    })
    if (section.contents !== undefined) bytes.set(section.contents, parts.contents[i])
    section.relocations?.forEach(([offset, word], j) => {
      view.setUint32(parts.relocations[i] + j * 8, offset >>> 0, true)
      view.setUint32(parts.relocations[i] + j * 8 + 4, word >>> 0, true)
    })
    address = Math.ceil((address + length) / 16) * 16
  })
}

function writeSymbols(view: DataView, symbols: readonly MadeSymbol[], parts: Parts, at: number): void {
  const words = [0x2, 24, parts.symbols, symbols.length, parts.strings, parts.end - parts.strings]
  words.forEach((word, i) => {
    view.setUint32(at + i * 4, word, true)
  })
  let string = 1
  symbols.forEach((symbol, i) => {
    const place = parts.symbols + i * 16
    view.setUint32(place, string, true)
    view.setUint8(place + 4, symbol.type ?? N_SECT_EXT)
    view.setUint8(place + 5, symbol.section ?? 1)
    view.setUint16(place + 6, symbol.desc ?? 0, true)
    view.setBigUint64(place + 8, BigInt(symbol.value ?? 0), true)
    const name = text(symbol.name)
    new Uint8Array(view.buffer).set(name, parts.strings + string)
    string += name.length + 1
  })
}
