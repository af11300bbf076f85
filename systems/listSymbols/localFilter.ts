// Which local symbols are listed: -x, and the lists of locals to keep or to strip.
import type { Link } from '../../components/link.ts'
import { compilePatterns, matches } from '../../src/core/patterns.ts'
import { symbolText } from '../kernels/places.ts'

export type Filter = ((file: number, symbol: number) => boolean) | 'all' | 'none'

export function localFilter(link: Link): Filter {
  const { stripLocals } = link.settings
  if (stripLocals === undefined) return 'all'
  if (stripLocals === 'all') return 'none'
  const only = 'only' in stripLocals
  const patterns = compilePatterns(only ? stripLocals.only : stripLocals.except)
  return (file, symbol) => matches(patterns, symbolText(link, file, symbol)) !== only
}
