// The option somebody may have meant. Loaded only when there is an unknown one.
import type { OptionTable } from './optionTable.ts'

/** The known option that is at most one edit away from `word` (its value kept), or null. */
export function nearestOption(table: OptionTable, word: string): string | null {
  const equals = word.indexOf('=')
  for (const name of table.exact.keys()) {
    const bare = name.replace(/^-+/, '')
    if (bare.length < 4) continue
    const takesValue = name.endsWith('=')
    const subject = takesValue && equals >= 0 ? word.slice(0, equals + 1) : word
    const value = takesValue && equals >= 0 ? word.slice(equals + 1) : ''
    const penalty = takesValue && value === '' ? 1 : 0
    for (const candidate of prefixes(name, bare)) {
      if (Math.abs(candidate.length - subject.length) <= 1 && editDistance(candidate, subject) + penalty <= 1)
        return candidate + value
    }
  }
  return null
}

function prefixes(name: string, bare: string): string[] {
  return bare === 'help' ? ['-help', '--help'] : [name]
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1))
    }
    previous = row
  }
  return previous[b.length]!
}
