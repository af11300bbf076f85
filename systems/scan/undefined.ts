// Undefined symbols: collected with who refers to them, reported together.
import { nameText } from '../../components/internal.ts'
import { type Link, locate } from '../../components/link.ts'
import { NAME_REPORTED } from '../../components/names.ts'
import { report } from '../../src/core/messages.ts'
import { placeText } from '../kernels/places.ts'

const MAX_REFERENCES = 3

/** By name row: the first places that refer to it, and how many there are. */
export type Undefined = Map<number, { places: string[]; count: number; file: number; offset: number }>

export function noteUndefined(link: Link, undefineds: Undefined, name: number, block: number, offset: number): void {
  const file = link.sections.Header.file[link.blocks.Extent.section[block]]
  const known = undefineds.get(name)
  if (known === undefined) undefineds.set(name, { places: [placeText(link, block, offset)], count: 1, file, offset })
  else if (++known.count <= MAX_REFERENCES) known.places.push(placeText(link, block, offset))
}

export function reportUndefined(link: Link, undefineds: Undefined): void {
  for (const [name, { places, count, file, offset }] of undefineds) {
    const text = nameText(link, name)
    const notes = places.map((place) => `referenced by ${place}`)
    if (count > MAX_REFERENCES) notes.push(`referenced ${count - MAX_REFERENCES} more times`)
    const severity = link.settings.undefined === 'warning' ? 'warning' : 'error'
    link.names.Resolution.flags[name] |= NAME_REPORTED
    const location = file === 0 ? null : locate(link, file, { symbol: text, offset })
    report(link.messages, severity, 'undefined-symbol', `undefined symbol: ${text}`, location, notes)
  }
}
