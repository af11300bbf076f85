// Header and load commands of a linked file under edit: those it had, in their order, but for what edits add and what has moved.
import {
  encodeDylib,
  encodeHeader,
  encodeSegment,
  linkeditData,
  note,
  place,
  symtab,
  dysymtab,
  table,
} from '../../../systems/kernels/commands.ts'
import { ByteSink, readU32, writeU32, writeU64 } from '../../core/bytes.ts'
import * as macho from '../../formats/macho/constants.ts'
import type { LoadCommand } from '../../formats/macho/image.ts'
import type { State } from '../state.ts'
import { unwindSize } from '../unwindLeaves.ts'
import type { Base } from './base.ts'

/** What the segments of edits are called in the file. */
const NAMES: Readonly<Record<string, string>> = {
  __TEXT: '__EDIT_TEXT',
  __DATA_CONST: '__EDIT_CONST',
  __DATA: '__EDIT_DATA',
}

/** And back. */
export const SEGMENTS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(NAMES).map(([name, edits]) => [edits, name]),
)

/** They say what is no longer so: where code may be split or relaxed, what was signed with it, what others have put there. */
const DROPPED: readonly number[] = [
  macho.LC_CODE_SIGNATURE,
  macho.LC_SEGMENT_SPLIT_INFO,
  macho.LC_DYLIB_CODE_SIGN_DRS,
  macho.LC_LINKER_OPTIMIZATION_HINT,
  macho.LC_NOTE,
]

/** `entry` is the address of the entry point; a linked file keeps its own. */
export function headerOf(state: State, entry: number): Uint8Array {
  return state.base === null ? encodeHeader(state, entry) : linkedHeader(state, state.base)
}

function linkedHeader(state: State, base: Base): Uint8Array {
  const { header, image } = base
  const sink = new ByteSink(4096)
  sink.append(header.subarray(0, macho.HEADER_SIZE))
  let count = 0
  for (const command of image.commands) count += encodeCommand(state, base, command, sink)
  const chained = state.settings.fixupChains && !image.tables.has(macho.LC_DYLD_EXPORTS_TRIE)
  if (chained && state.tables.exports.length > 0)
    count += linkeditData(sink, macho.LC_DYLD_EXPORTS_TRIE, table(state, 'exports'))
  for (const index of state.linkedDylibs.slice(base.libraries)) {
    encodeDylib(state, sink, index)
    count++
  }
  count += note(state, sink)
  if (state.settings.adhocCodesign)
    count += linkeditData(sink, macho.LC_CODE_SIGNATURE, [state.signatureAt, state.signatureSize])
  const bytes = sink.finish()
  writeU32(bytes, 16, count)
  writeU32(bytes, 20, bytes.length - macho.HEADER_SIZE)
  writeU32(bytes, 24, readU32(bytes, 24) | state.weakFlags | threadFlags(state))
  return bytes
}

function threadFlags({ sections, outputs }: State): number {
  return outputs.Section.index[sections.threadVariables] === 0 ? 0 : macho.MH_HAS_TLV_DESCRIPTORS
}

/** Returns how many commands there are now. */
function encodeCommand(state: State, base: Base, { cmd, at, size }: LoadCommand, sink: ByteSink): number {
  const { settings } = state
  switch (cmd) {
    case macho.LC_SEGMENT_64:
      if (at === base.image.segments[base.segments].at) return encodeSegments(state, sink)
      break
    case macho.LC_SYMTAB:
      return symtab(state, sink)
    case macho.LC_DYSYMTAB:
      return dysymtab(state, sink)
    case macho.LC_DYLD_CHAINED_FIXUPS:
      return linkeditData(sink, cmd, table(state, 'chainedFixups'))
    case macho.LC_DYLD_EXPORTS_TRIE:
      return linkeditData(sink, cmd, table(state, 'exports'))
    case macho.LC_FUNCTION_STARTS:
      return linkeditData(sink, cmd, place(state, 'functionStarts'))
    case macho.LC_DATA_IN_CODE:
      return linkeditData(sink, cmd, place(state, 'dataInCode'))
    case macho.LC_DYLD_INFO:
    case macho.LC_DYLD_INFO_ONLY:
      if (settings.fixupChains) return 0
      return encodeDyldInfo(state, cmd, sink)
    case macho.LC_UUID:
      state.uuidAt = sink.length + 8
      break
    default:
      if (DROPPED.includes(cmd)) return 0
  }
  sink.append(cmd === macho.LC_SEGMENT_64 ? linkedSegment(state, base, at, size) : base.header.subarray(at, at + size))
  return 1
}

/** Name of a segment of edits. */
export function segmentName({ segments, base }: State, segment: number): string {
  const name = segments.names[segment]
  return base === null ? name : (NAMES[name] ?? name)
}

/** A copy of a segment's command, with the unwind information where it stands now. */
export function linkedSegment(state: State, base: Base, at: number, size: number): Uint8Array {
  const command = base.header.slice(at, at + size)
  if (base.unwind === null || base.unwind.headerAt < at || base.unwind.headerAt >= at + size) return command
  const section = base.unwind.headerAt - at
  writeU64(command, section + 32, state.settings.imageBase + base.unwind.offset)
  writeU64(command, section + 40, unwindSize(state))
  writeU32(command, section + 48, base.unwind.offset)
  return command
}

function encodeDyldInfo(state: State, cmd: number, sink: ByteSink): number {
  sink.u32(cmd)
  sink.u32(48)
  for (const name of ['rebase', 'bind', 'weakBind', 'lazyBind', 'exports'] as const)
    for (const word of table(state, name)) sink.u32(word)
  return 1
}

/** Those of edits, and __LINKEDIT behind them. */
function encodeSegments(state: State, sink: ByteSink): number {
  const { segments, segmentOrder } = state
  const named = { ...state, segments: { ...segments, names: segments.names.map((name) => NAMES[name] ?? name) } }
  for (const segment of segmentOrder) encodeSegment(named, sink, segment)
  return segmentOrder.length
}
