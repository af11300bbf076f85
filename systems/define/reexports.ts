// Names of dylibs that -exported_symbol asks for: the output passes them on, used or not (ld64.lld).
import type { Link } from '../../components/link.ts'
import { findName, WHERE_GLOBAL } from '../../components/names.ts'
import { toText } from '../../src/core/bytes.ts'
import { compilePatterns, matches, type Patterns } from '../../src/core/patterns.ts'
import {
  EXPORT_THREAD_LOCAL,
  EXPORT_WEAK,
  type ExportTable,
  findExportText,
  readAllExports,
} from '../../src/formats/exportTable.ts'
import {
  EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL,
  EXPORT_SYMBOL_FLAGS_REEXPORT,
  EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION,
} from '../../src/formats/macho/constants.ts'

/** Where a name is from, with the flags of its entry in the trie. */
type Found = Map<string, { index: number; flags: number }>

/** Of several dylibs that have a name the first strong one passes it on, else the first; a definition of our own hides it. */
export function defineReexports(link: Link): void {
  const { exportedSymbols, noExportedSymbols } = link.settings
  if (exportedSymbols === undefined || noExportedSymbols) return
  const exported = compilePatterns(exportedSymbols)
  const found: Found = new Map()
  for (const index of link.dylibOrder) {
    if (link.dylibs[index].bundleLoader) continue
    const { exports } = link.dylibs[index].file
    if (exported.globs.length > 0) matchAll(link, exported, index, exports, found)
    else for (const text of exported.literals) offer(link, index, exports, findExportText(exports, text), text, found)
  }
  for (const [text, { index, flags }] of found) {
    const dylib = link.dylibs[index].exporter
    link.dylibs[dylib].referenced = Math.max(link.dylibs[dylib].referenced, 1)
    link.reexports.push({ dylib, text, flags: EXPORT_SYMBOL_FLAGS_REEXPORT | flags })
  }
}

function matchAll(link: Link, exported: Patterns, index: number, exports: ExportTable, found: Found): void {
  readAllExports(exports)
  for (let row = 0; row < exports.count; row++) {
    const text = toText(exports.bytes, exports.offset[row], exports.offset[row] + exports.length[row])
    if (matches(exported, text)) offer(link, index, exports, row, text, found)
  }
}

function offer(link: Link, index: number, exports: ExportTable, row: number, text: string, found: Found): void {
  if (row < 0) return
  const { bytes, offset, length, flags } = exports
  const name = findName(link.names, link.arenas, bytes, offset[row], length[row])
  if (name !== 0 && link.names.Resolution.where[name] === WHERE_GLOBAL) return
  const kind = entryFlags(flags[row])
  const known = found.get(text)
  const isBetter = known === undefined || (known.flags & ~kind & EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION) !== 0
  if (isBetter) found.set(text, { index, flags: kind })
}

function entryFlags(is: number): number {
  return (
    (is & EXPORT_WEAK ? EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION : 0) |
    (is & EXPORT_THREAD_LOCAL ? EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL : 0)
  )
}
