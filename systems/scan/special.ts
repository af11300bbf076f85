// Names that the linker gives a meaning itself when a relocation refers to them: Objective-C selector stubs, dtrace probes.
import type { Link } from '../../components/link.ts'

/** The target of an undefined symbol: a symbol row, 0 when it stays undefined, -1 when relocate deals with it. */
export function specialReference(link: Link, symbol: number): number {
  const name = link.symbols.Definition.name[symbol]
  if (name === 0) return 0
  return startsWith(link, name, '___dtrace_') ? -1 : 0
}

export function startsWith(link: Link, name: number, prefix: string): boolean {
  const { arena, offset, length } = link.names.Text
  if (length[name] < prefix.length) return false
  const { bytes } = link.arenas.list[arena[name]]
  for (let i = 0; i < prefix.length; i++) if (bytes[offset[name] + i] !== prefix.charCodeAt(i)) return false
  return true
}
