import * as C from '../../src/formats/macho/constants.ts'
import { cursorOver, nextByte, nextText, nextUleb } from './cursor.ts'
import { findCommand, type MachO } from './machOFile.ts'

export interface Export {
  name: string
  flags: number
  offset: number
  other: number
  importName: string
}

/** The terminals of the export trie, in the order of the walk; offsets are from the header. */
export function readExports(file: MachO): Export[] {
  const own = findCommand(file, C.LC_DYLD_EXPORTS_TRIE)
  const info = findCommand(file, C.LC_DYLD_INFO, C.LC_DYLD_INFO_ONLY)
  const field = own !== undefined ? own.offset + 8 : info !== undefined ? info.offset + 40 : 0
  if (field === 0) return []
  const start = file.view.getUint32(field, true)
  const end = start + file.view.getUint32(field + 4, true)
  const exported: Export[] = []
  if (start === end) return exported
  const work: [number, string][] = [[0, '']]
  for (let steps = 0; work.length > 0; steps++) {
    if (steps > end - start) throw new Error('export trie has a cycle')
    const [node, name] = work.pop()!
    const c = cursorOver(file.bytes, start + node, end)
    const size = Number(nextUleb(c))
    const children = c.at + size
    if (size > 0) {
      const flags = Number(nextUleb(c))
      const reexport = (flags & C.EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0
      const first = Number(nextUleb(c))
      const importName = reexport ? nextText(c) : ''
      const other = flags & C.EXPORT_SYMBOL_FLAGS_STUB_AND_RESOLVER ? Number(nextUleb(c)) : 0
      exported.push({ name, flags, offset: reexport ? 0 : first, other: reexport ? first : other, importName })
    }
    c.at = children
    for (let count = nextByte(c); count > 0; count--) {
      const edge = nextText(c)
      work.push([Number(nextUleb(c)), name + edge])
    }
  }
  return exported
}
