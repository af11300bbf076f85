// The debug map: stabs that lead a debugger to the objects with DWARF.
import type { Link } from '../../components/link.ts'

export function writeStabs(link: Link): void {
  link.table.stabs.count = 0
}
