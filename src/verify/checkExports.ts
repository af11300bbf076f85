// The export trie, and whether the symbol table says the same.
import { decodeExportTrie } from '../formats/dyld/exportTrie.ts'
import * as C from '../formats/macho/constants.ts'
import type { TableRange } from '../formats/macho/image.ts'
import { type Check, fail, guard, hex, isCode, sectionAt, sectionType, segmentAt, tableBytes, warn } from './context.ts'
import { symbolName, symbolsOf, symbolValue } from './checkSymbols.ts'

const KNOWN_FLAGS =
  C.EXPORT_SYMBOL_FLAGS_KIND_MASK |
  C.EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION |
  C.EXPORT_SYMBOL_FLAGS_REEXPORT |
  C.EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER

function trieRange(check: Check): TableRange | null {
  return check.image.tables.get(C.LC_DYLD_EXPORTS_TRIE) ?? check.image.dyldInfo?.exports ?? null
}

function checkReexport(check: Check, name: string, ordinal: number): void {
  const { dylibs } = check.image
  if (ordinal < 1 || ordinal > dylibs.length) {
    fail(check, 'export-ordinal', `re-export of ${name}: library ${ordinal} of ${dylibs.length}`)
  }
}

function checkPlace(check: Check, name: string, kind: number, address: number): void {
  if (segmentAt(check, address) === null) {
    return fail(check, 'export-address', `export ${name} = ${hex(address)} is in no segment`)
  }
  const section = sectionAt(check, address)
  const inDescriptors = section !== null && sectionType(section) === C.S_THREAD_LOCAL_VARIABLES
  if (kind === C.EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL && !inDescriptors) {
    fail(check, 'export-thread-local', `thread-local export ${name} = ${hex(address)} is no thread-local descriptor`)
  }
  if (kind === C.EXPORT_SYMBOL_FLAGS_KIND_REGULAR && inDescriptors) {
    fail(check, 'export-thread-local', `export ${name} is a thread-local descriptor and not marked as one`)
  }
}

function checkFlags(check: Check, name: string, flags: number): void {
  const kind = flags & C.EXPORT_SYMBOL_FLAGS_KIND_MASK
  if (kind === C.EXPORT_SYMBOL_FLAGS_KIND_MASK) fail(check, 'export-flags', `export ${name} has kind 3, which is none`)
  if ((flags & ~KNOWN_FLAGS) !== 0) warn(check, 'export-flags', `export ${name} has unknown flags ${hex(flags)}`)
  if ((flags & C.EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION) !== 0 && (check.image.flags & C.MH_WEAK_DEFINES) === 0) {
    warn(check, 'export-weak', `weak export ${name} without MH_WEAK_DEFINES`)
  }
}

/** Reads the trie into name -> address; what has no address in this image is checked and left out. */
function readTrie(check: Check, range: TableRange, bytes: Uint8Array): Map<string, number> {
  const addresses = new Map<string, number>()
  const base = check.text?.vmAddress ?? 0
  guard(check, 'bad-export-trie', 'export trie', range.offset, () => {
    decodeExportTrie(bytes, (name, flags, value, other) => {
      checkFlags(check, name, flags)
      if ((flags & C.EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0) return checkReexport(check, name, other)
      const kind = flags & C.EXPORT_SYMBOL_FLAGS_KIND_MASK
      const absolute = kind === C.EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE
      if (!absolute) checkPlace(check, name, kind, base + value)
      if ((flags & C.EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER) === 0)
        return void addresses.set(name, absolute ? value : base + value)
      if (!isCode(sectionAt(check, base + other)))
        fail(check, 'export-resolver', `resolver of ${name} at ${hex(base + other)} is not code`)
    })
  })
  return addresses
}

export function checkExports(check: Check): void {
  const range = trieRange(check)
  const bytes = range === null ? null : tableBytes(check, range)
  if (range === null || bytes === null) return
  const addresses = readTrie(check, range, bytes)
  const { dysymtab } = check.image
  const symbols = symbolsOf(check)
  if (dysymtab === null) return
  const end = Math.min(symbols.count, dysymtab.definedIndex + dysymtab.definedCount)
  for (let row = dysymtab.definedIndex; row < end; row++) {
    const name = symbolName(symbols, row)
    const address = addresses.get(name)
    if (address !== undefined && address !== symbolValue(symbols, row)) {
      fail(
        check,
        'export-address',
        `export ${name} is ${hex(address)} in the trie, ${hex(symbolValue(symbols, row))} in the symbol table`,
      )
    }
  }
}
