import type { Difference } from './compareImages.ts'

// The part of two texts around the first place where they differ.
function excerpt(text: string | null, other: string | null): string {
  if (text === null) return '(nothing)'
  let at = 0
  if (other !== null) while (at < text.length && text[at] === other[at]) at++
  const from = text.length <= 160 ? 0 : Math.max(0, at - 40)
  const part = text.slice(from, from + 160).replaceAll('\n', ' ; ')
  return `${from > 0 ? `[${from}] ...` : ''}${part}${from + 160 < text.length ? '...' : ''}`
}

/** Differences by kind as lines to read, at most `most` of each kind. */
export function describeDifferences(differences: readonly Difference[], most: number): string[] {
  const kinds = new Map<string, Difference[]>()
  for (const d of differences) kinds.set(d.kind, [...(kinds.get(d.kind) ?? []), d])
  return [...kinds].flatMap(([kind, list]) => {
    const shown = list.slice(0, most).flatMap(({ subject, ours, theirs }) => {
      return [`  ${subject}`, `    ours:   ${excerpt(ours, theirs)}`, `    theirs: ${excerpt(theirs, ours)}`]
    })
    const rest = list.length > most ? [`  and ${list.length - most} more`] : []
    return [`${kind}: ${list.length}`, ...shown, ...rest]
  })
}
