// Static libraries with a symbol index, as libtool writes them.
import { ByteSink, cstringEnd, readU32, toText } from '../../src/core/bytes.ts'
import * as C from '../../src/formats/macho/constants.ts'

export interface Member {
  name: string
  bytes: Uint8Array
}

const MEMBER_HEADER = 60
const NAME_ROOM = 16
/** struct ranlib: string offset | member offset. */
const INDEX_ENTRY = 8

/** Names that an object defines for others; `bytes` is as finishObject makes it: LC_SYMTAB is the third command. */
export function definedNames(bytes: Uint8Array): string[] {
  const command = commandAt(bytes, C.LC_SYMTAB)
  const [symbols, count, strings] = [8, 12, 16].map((at) => readU32(bytes, command + at))
  const names: string[] = []
  for (let i = 0; i < count; i++) {
    const at = symbols + i * C.NLIST_SIZE
    const type = bytes[at + 4]
    if ((type & (C.N_EXT | C.N_PEXT)) !== C.N_EXT || (type & C.N_TYPE) !== C.N_SECT) continue
    const start = strings + readU32(bytes, at)
    names.push(toText(bytes, start, cstringEnd(bytes, start, bytes.length)))
  }
  return names
}

function commandAt(bytes: Uint8Array, wanted: number): number {
  let at = C.HEADER_SIZE
  for (let left = readU32(bytes, 16); left > 0; left--) {
    if (readU32(bytes, at) === wanted) return at
    at += readU32(bytes, at + 4)
  }
  throw new RangeError(`expected load command 0x${wanted.toString(16)}, the object has none`)
}

/** BSD form: `#1/` names, `__.SYMDEF` first. */
export function writeArchive(members: readonly Member[]): Uint8Array {
  const names = members.map(({ bytes }) => definedNames(bytes))
  const strings = new ByteSink()
  const starts = names.map((list) => list.map((name) => addString(strings, name)))
  strings.alignTo(8)
  const entries = names.reduce((sum, list) => sum + list.length, 0)
  const out = new ByteSink(1 << 16)
  text(out, '!<arch>\n', 8)
  let offset = 8 + MEMBER_HEADER + NAME_ROOM + 4 + entries * INDEX_ENTRY + 4 + strings.length
  header(out, '__.SYMDEF', offset - 8 - MEMBER_HEADER - NAME_ROOM)
  out.u32(entries * INDEX_ENTRY)
  for (let m = 0; m < members.length; m++) {
    for (const start of starts[m]) {
      out.u32(start)
      out.u32(offset)
    }
    offset += MEMBER_HEADER + NAME_ROOM + padded(members[m].bytes.length)
  }
  out.u32(strings.length)
  out.append(strings.finish())
  for (const { name, bytes } of members) {
    header(out, name, padded(bytes.length))
    out.append(bytes)
    for (let i = bytes.length; i < padded(bytes.length); i++) out.u8(0)
  }
  return out.finish()
}

function addString(strings: ByteSink, name: string): number {
  const start = strings.length
  strings.cstring(name)
  return start
}

function padded(size: number): number {
  return Math.ceil(size / 8) * 8
}

function text(out: ByteSink, value: string, width: number): void {
  for (let i = 0; i < width; i++) out.u8(i < value.length ? value.charCodeAt(i) : 0x20)
}

// struct ar_hdr: name:16 date:12 uid:6 gid:6 mode:8 size:10 "`\n"; the name, NUL-padded, stands before the contents and counts as such.
function header(out: ByteSink, name: string, size: number): void {
  if (name.length > NAME_ROOM) throw new RangeError(`expected a name of at most ${NAME_ROOM} characters, got ${name}`)
  text(out, `#1/${NAME_ROOM}`, 16)
  for (const [value, width] of [
    ['0', 12],
    ['0', 6],
    ['0', 6],
    ['100644', 8],
    [String(size + NAME_ROOM), 10],
  ] as const)
    text(out, value, width)
  text(out, '`\n', 2)
  const end = out.length + NAME_ROOM
  for (let i = 0; i < name.length; i++) out.u8(name.charCodeAt(i))
  while (out.length < end) out.u8(0)
}
