import type { Link } from '../../components/link.ts'

/** Does the name of this row begin with an ASCII `prefix`? */
export function startsWith(link: Link, name: number, prefix: string): boolean {
  const { arena, offset, length } = link.names.Text
  if (length[name] < prefix.length) return false
  const { bytes } = link.arenas.list[arena[name]]
  for (let i = 0; i < prefix.length; i++) if (bytes[offset[name] + i] !== prefix.charCodeAt(i)) return false
  return true
}
