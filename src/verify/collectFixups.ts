// Every pointer that dyld changes at load time, from opcodes or chains: collected once, asked by the other checks.
import { FormatError, readU32 } from '../core/bytes.ts'
import { type BindVisit, decodeBind } from '../formats/dyld/bind.ts'
import { decodeRebase } from '../formats/dyld/rebase.ts'
import * as C from '../formats/macho/constants.ts'
import type { TableRange } from '../formats/macho/image.ts'
import { chainedImports, walkChains } from './chainedImage.ts'
import { type Check, guard, hex, tableBytes, warn } from './context.ts'
import { checkImport, type Imports, importsOf } from './importSymbols.ts'

export const REBASE = 0
export const BIND = 1
export const LAZY = 2
export const WEAK = 3
export type FixupKind = typeof REBASE | typeof BIND | typeof LAZY | typeof WEAK

export interface Fixups {
  /** address * 4 + kind, ascending; exact, since an address of a user-space image is below 2^48. */
  keys: Float64Array
  /** Symbol bound at an address, by kind. */
  binds: Map<number, string>
  weakBinds: Map<number, string>
  lazyBinds: Map<number, string>
}

interface Collector {
  check: Check
  keys: Float64Array
  count: number
  fixups: Fixups
  imports: Imports
}

/** Address of a fixup; throws FormatError `fixup-bounds` or `fixup-protection` where dyld could not write it. */
function place(check: Check, index: number, offset: number): number {
  const segment = check.image.segments[index]
  if (segment === undefined) {
    throw new FormatError('fixup-bounds', `segment ${index} of ${check.image.segments.length}`, 0)
  }
  if (offset < 0 || offset + 8 > segment.vmSize) {
    throw new FormatError('fixup-bounds', `fixup at ${segment.name}+${hex(offset)} is outside its segment`, 0)
  }
  // dyld makes __DATA_CONST read-only after the fixups; its protection at the start is read-write.
  if ((segment.initProtection & C.VM_PROT_WRITE) === 0) {
    throw new FormatError('fixup-protection', `fixup at ${segment.name}+${hex(offset)} is in a read-only segment`, 0)
  }
  return segment.vmAddress + offset
}

function addKey(collector: Collector, address: number, kind: FixupKind): void {
  if (collector.count === collector.keys.length) {
    const grown = new Float64Array(collector.count * 2)
    grown.set(collector.keys)
    collector.keys = grown
  }
  collector.keys[collector.count++] = address * 4 + kind
}

/** Pointers may have a tag in the top byte, and point a little outside of what they belong to. */
function checkTarget(collector: Collector, address: number, target: number): void {
  const near = 0x10000
  for (const segment of collector.check.image.segments) {
    if (target >= segment.vmAddress - near && target <= segment.vmAddress + segment.vmSize + near) return
  }
  warn(collector.check, 'rebase-target', `pointer at ${hex(address)} to ${hex(target)}, which is in no segment`)
}

function addRebase(collector: Collector, index: number, offset: number): void {
  const { check } = collector
  const address = place(check, index, offset)
  addKey(collector, address, REBASE)
  const segment = check.image.segments[index]
  const at = segment.fileOffset + offset
  if (offset + 8 > segment.fileSize || at + 8 > check.bytes.length) return
  const target = readU32(check.bytes, at) + (readU32(check.bytes, at + 4) & 0xffffff) * 4294967296
  checkTarget(collector, address, target)
}

function namesOf(fixups: Fixups, kind: FixupKind): Map<number, string> {
  if (kind === BIND) return fixups.binds
  return kind === LAZY ? fixups.lazyBinds : fixups.weakBinds
}

function addBind(collector: Collector, kind: FixupKind, ...bind: Parameters<BindVisit>): void {
  const [index, offset, ordinal, name, , flags] = bind
  const address = place(collector.check, index, offset)
  addKey(collector, address, kind)
  namesOf(collector.fixups, kind).set(address, name)
  const weakImport = (flags & C.BIND_SYMBOL_FLAGS_WEAK_IMPORT) !== 0
  checkImport(
    collector.check,
    collector.imports,
    name,
    kind === WEAK ? C.BIND_SPECIAL_DYLIB_WEAK_LOOKUP : ordinal,
    weakImport,
  )
}

function readBinds(collector: Collector, kind: FixupKind, what: string, range: TableRange): void {
  const { check } = collector
  const bytes = tableBytes(check, range)
  if (bytes === null) return
  const options = { lazy: kind === LAZY, limit: check.bytes.length }
  guard(check, 'bad-bind', what, range.offset, () => {
    decodeBind(bytes, options, (...bind) => addBind(collector, kind, ...bind))
  })
}

function readOpcodes(collector: Collector): void {
  const { check } = collector
  const info = check.image.dyldInfo
  if (info === null) return
  if (check.image.cpuType === C.CPU_TYPE_ARM64 && (check.image.cpuSubtype & 0xff) === C.CPU_SUBTYPE_ARM64E) {
    // The first arm64e images thread their pointers through bind opcodes; that form was never final.
    return warn(check, 'fixups-unchecked', 'arm64e bind opcodes are not checked')
  }
  const rebases = tableBytes(check, info.rebase)
  if (rebases !== null) {
    guard(check, 'bad-rebase', 'rebase opcodes', info.rebase.offset, () => {
      decodeRebase(rebases, (segment, offset) => addRebase(collector, segment, offset), check.bytes.length)
    })
  }
  readBinds(collector, BIND, 'bind opcodes', info.bind)
  readBinds(collector, WEAK, 'weak bind opcodes', info.weakBind)
  readBinds(collector, LAZY, 'lazy bind opcodes', info.lazyBind)
}

function readChains(collector: Collector): void {
  const { check } = collector
  const range = check.image.tables.get(C.LC_DYLD_CHAINED_FIXUPS)
  const bytes = range === undefined ? null : tableBytes(check, range)
  if (range === undefined || bytes === null) return
  guard(check, 'bad-chained-fixups', 'chained fixups', range.offset, () => {
    const chained = chainedImports(check, bytes)
    const { ordinals, weak, names, count } = chained.imports
    for (let i = 0; i < count; i++) checkImport(check, collector.imports, names[i], ordinals[i], weak[i] !== 0)
    walkChains(check, chained, (segment, offset, bind, value) => {
      const address = place(check, segment, offset)
      addKey(collector, address, bind ? BIND : REBASE)
      if (!bind) return checkTarget(collector, address, value)
      if (value >= count) throw new FormatError('chained-import', `import ${value} of ${count} at ${hex(address)}`, 0)
      collector.fixups.binds.set(address, names[value])
    })
  })
}

export function collectFixups(check: Check): void {
  const fixups: Fixups = { keys: new Float64Array(0), binds: new Map(), weakBinds: new Map(), lazyBinds: new Map() }
  const collector: Collector = { check, keys: new Float64Array(1024), count: 0, fixups, imports: importsOf(check) }
  readOpcodes(collector)
  readChains(collector)
  fixups.keys = collector.keys.subarray(0, collector.count).sort()
  check.fixups = fixups
}

function search(keys: Float64Array, key: number): boolean {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (keys[middle] < key) low = middle + 1
    else high = middle
  }
  return keys[low] === key
}

export function hasFixup(check: Check, address: number, kind: FixupKind): boolean {
  return search(check.fixups.keys, address * 4 + kind)
}

export function hasAnyFixup(check: Check, address: number): boolean {
  for (let kind = REBASE; kind <= WEAK; kind++) if (search(check.fixups.keys, address * 4 + kind)) return true
  return false
}
