import type { Difference } from './compareImages.ts'

// The differences from ld64.lld that are meant: at most 15, each narrow. A predicate looks at the kind of a difference
// and at what the two sides say, never at one symbol's name, and never lets a whole section pass.

export interface Exception {
  id: string
  reason: string
  matches: (difference: Difference) => boolean
}

export const exceptions: readonly Exception[] = []
