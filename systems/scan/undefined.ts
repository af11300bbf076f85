// Undefined symbols: collected with who refers to them, reported together.
import { nameText } from '../../components/internal.ts'
import { type Link, locate } from '../../components/link.ts'
import { NAME_REPORTED } from '../../components/names.ts'
import { report, warn } from '../../src/core/messages.ts'
import { placeLines, shownName } from '../kernels/places.ts'
import { likelySpelling } from './spelling.ts'

const MAX_REFERENCES = 3
/** Only the first messages get a suggestion: each one costs hundreds of look-ups (ld64.lld does the same). */
const MAX_SUGGESTIONS = 2

/** By name row: the options that refer to it, the first places, how many there are, and the first object. */
export type Undefined = Map<number, { options: string[]; places: { block: number; offset: number }[]; count: number }>

export function noteUndefined(undefineds: Undefined, name: number, block: number, offset: number): void {
  const known = undefineds.get(name)
  if (known === undefined) undefineds.set(name, { options: [], places: [{ block, offset }], count: 1 })
  else if (++known.count <= MAX_REFERENCES) known.places.push({ block, offset })
}

/** The entry point, -u, an exported symbol: `option` says which. */
export function noteWanted(undefineds: Undefined, name: number, option: string): void {
  const known = undefineds.get(name)
  if (known === undefined) undefineds.set(name, { options: [option], places: [], count: 0 })
  else known.options.push(option)
}

export function reportUndefined(link: Link, undefineds: Undefined): void {
  const { settings } = link
  const severity = settings.undefined === 'warning' ? 'warning' : 'error'
  const forArch = settings.archMultiple === true ? ` for arch ${settings.arch}` : ''
  let reported = 0
  for (const [name, { options, places, count }] of undefineds) {
    const lines = [
      ...options,
      ...places.map(
        ({ block, offset }) =>
          () =>
            placeLines(link, block, offset, ' '.repeat(15)),
      ),
    ]
    const notes = lines
      .slice(0, MAX_REFERENCES)
      .map((line) => `referenced by ${typeof line === 'string' ? line : line()}`)
    const left = options.length + count - notes.length
    if (left > 0) notes.push(`referenced ${left} more times`)
    const first = places.length === 0 ? 0 : link.sections.Header.file[link.blocks.Extent.section[places[0].block]]
    if (reported++ < MAX_SUGGESTIONS) notes.push(...likelySpelling(link, nameText(link, name), first))
    link.names.Resolution.flags[name] |= NAME_REPORTED
    const location =
      first === 0 ? null : locate(link, first, { symbol: nameText(link, name), offset: places[0].offset })
    report(
      link.messages,
      severity,
      'undefined-symbol',
      `undefined symbol${forArch}: ${shownName(link, name)}`,
      location,
      notes,
    )
  }
  for (const text of undefineds.size > 0 ? link.missingAutolinks : []) warn(link.messages, 'autolink-not-found', text)
}
