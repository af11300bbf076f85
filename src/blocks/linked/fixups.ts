// What dyld changes in a linked file: places by kind, imports, binds.
import { FormatError } from '../../core/bytes.ts'
import { type BindRows, createBindRows, decodeBind } from '../../formats/dyld/bind.ts'
import { decodeChainedFixups, walkChain } from '../../formats/dyld/chainedFixups.ts'
import { decodeRebase } from '../../formats/dyld/rebase.ts'
import * as macho from '../../formats/macho/constants.ts'
import type { TableRange } from '../../formats/macho/image.ts'
import { POINTER_BIND, POINTER_REBASE } from '../pointers.ts'
import type { Base } from './base.ts'
import { type LinkedFile, tableOf } from './readLinked.ts'

/** Gives the string of a name. */
export type StringOf = (name: string) => number

type Fixups = Pick<Base, 'imports' | 'binds' | 'weakBinds' | 'overrides' | 'lazyBind'> & {
  /** By 4 bytes of the data: POINTER_*. */
  pointers: Uint8Array
  pointerFormat: number
}

const POINTER_SIZE = 8

/** @throws FormatError */
export function readFixups(file: LinkedFile, stringOf: StringOf): Fixups {
  const none = { ordinals: new Int32Array(0), weak: new Uint8Array(0), addends: new Float64Array(0), count: 0 }
  const fixups: Fixups = {
    pointers: new Uint8Array((file.end - file.dataStart) / 4),
    pointerFormat: 0,
    imports: { ...none, names: new Uint32Array(0) },
    binds: createBindRows(0),
    weakBinds: createBindRows(0),
    overrides: new Uint32Array(0),
    lazyBind: new Uint8Array(0),
  }
  if (file.fixupChains) readChains(file, fixups, stringOf)
  else readOpcodes(file, fixups, stringOf)
  return fixups
}

/** Index of a pointer's kind. */
function placeOf({ segments, dataStart }: LinkedFile, segment: number, offset: number): number {
  const found = segments[segment]
  if (found === undefined || offset < 0 || offset + POINTER_SIZE > found.fileSize)
    throw new FormatError('not-editable', `a pointer at ${offset} of segment ${segment} is outside of it`, 0)
  const at = found.fileOffset + offset - dataStart
  if (at < 0) throw new FormatError('not-editable', `dyld changes ${found.name}, which is not writable`, found.at)
  if (at % 4 !== 0) throw new FormatError('not-editable', `a pointer at ${offset} of ${found.name} is not aligned`, 0)
  return at / 4
}

function readChains(file: LinkedFile, fixups: Fixups, stringOf: StringOf): void {
  const { image } = file
  const bytes = tableOf(image, image.tables.get(macho.LC_DYLD_CHAINED_FIXUPS), 'chained fixups')
  if (bytes.length === 0) return
  const { segments, imports } = decodeChainedFixups(bytes)
  const view = new DataView(image.bytes.buffer, image.bytes.byteOffset, image.bytes.byteLength)
  for (const [index, starts] of segments.entries()) {
    if (starts === null) continue
    const segment = file.segments[index]
    if (segment === undefined) throw new FormatError('not-editable', `there are chains for segment ${index}`, 0)
    if (starts.pageSize !== file.pageSize || (fixups.pointerFormat || starts.pointerFormat) !== starts.pointerFormat)
      throw new FormatError('not-editable', 'its chains are of several kinds, or by pages of another size', 0)
    fixups.pointerFormat = starts.pointerFormat
    walkChain(view, segment.fileOffset, segment.fileSize, starts, (offset, bind, value) => {
      if (bind && value >= imports.count)
        throw new FormatError('not-editable', `a pointer is bound to import ${value} of ${imports.count}`, 0)
      fixups.pointers[placeOf(file, index, offset)] = bind ? POINTER_BIND : POINTER_REBASE
    })
  }
  fixups.imports = { ...imports, names: Uint32Array.from(imports.names, (name) => stringOf(name)) }
}

function readOpcodes(file: LinkedFile, fixups: Fixups, stringOf: StringOf): void {
  const { image } = file
  const info = image.dyldInfo!
  const limit = image.bytes.length
  const setKind = (segment: number, offset: number, kind: number) => {
    fixups.pointers[placeOf(file, segment, offset)] = kind
  }
  const rebases = tableOf(image, info.rebase, 'rebase opcodes')
  decodeRebase(rebases, (segment, offset) => setKind(segment, offset, POINTER_REBASE), limit)
  fixups.binds = readBinds(file, info.bind, stringOf)
  for (let i = 0; i < fixups.binds.count; i++) setKind(fixups.binds.segments[i], fixups.binds.offsets[i], POINTER_BIND)
  const overrides: number[] = []
  fixups.weakBinds = readBinds(file, info.weakBind, stringOf, (name) => overrides.push(stringOf(name)))
  fixups.overrides = Uint32Array.from(overrides)
  fixups.lazyBind = tableOf(image, info.lazyBind, 'lazy bind opcodes')
}

function readBinds(file: LinkedFile, range: TableRange, stringOf: StringOf, strong?: (name: string) => void): BindRows {
  const bytes = tableOf(file.image, range, 'bind opcodes')
  const found: number[] = []
  const options = { lazy: false, limit: file.image.bytes.length, ...(strong === undefined ? {} : { strong }) }
  decodeBind(bytes, options, (segment, offset, ordinal, name, addend, flags) => {
    placeOf(file, segment, offset)
    found.push(segment, offset, ordinal, addend, stringOf(name), flags)
  })
  const rows = createBindRows(found.length / 6)
  for (let i = 0; i < rows.count; i++) {
    rows.segments[i] = found[i * 6]
    rows.offsets[i] = found[i * 6 + 1]
    rows.ordinals[i] = found[i * 6 + 2]
    rows.addends[i] = found[i * 6 + 3]
    rows.names[i] = found[i * 6 + 4]
    rows.flags[i] = found[i * 6 + 5]
  }
  return rows
}
