// Names that the linker gives a meaning itself when a relocation refers to them: Objective-C selector stubs, dtrace probes.
import type { Link } from '../../components/link.ts'
import { startsWith } from '../kernels/startsWith.ts'

/** The target of an undefined symbol: a symbol row, 0 when it stays undefined, -1 when relocate deals with it. */
export function specialReference(link: Link, symbol: number): number {
  const name = link.symbols.Definition.name[symbol]
  if (name === 0) return 0
  return startsWith(link, name, '___dtrace_') ? -1 : 0
}
