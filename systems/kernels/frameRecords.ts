// The records of one `__TEXT,__eh_frame` section. `ld -r` gives the CIE pointers by relocations, compilers write them out.
import type { Link } from '../../components/link.ts'
import { R_SUBTRAHEND } from '../../src/arch/arch.ts'
import { type CiePointers, type EhFrames, splitEhFrame } from '../../src/formats/ehFrame.ts'
import { tablesOf } from './symbolTables.ts'

/** Throws FormatError with offsets in the file's arena. Needs the section's rows and the file's nlist only. */
export function frameRecords(link: Link, section: number): EhFrames {
  const { sections, files } = link
  const { bytes } = link.arenas.list[files.Source.arena[sections.Header.file[section]]]
  const from = sections.Bytes.position[section]
  const to = from + sections.Header.size[section]
  const pointers = sections.Relocations.count[section] === 0 ? undefined : ciePointers(link, section)
  return splitEhFrame(bytes, from, to, pointers)
}

/** Whether relocations may say where the CIE of a record is. */
export function hasDifferences({ sections, files, arch, arenas }: Link, section: number): boolean {
  const { words } = arenas.list[files.Source.arena[sections.Header.file[section]]]
  const from = sections.Relocations.position[section] / 4
  const to = from + sections.Relocations.count[section] * 2
  for (let at = from; at < to; at += 2) if (arch.attributes[words[at + 1] >>> 28] & R_SUBTRAHEND) return true
  return false
}

/** Every 4-byte difference of two symbols, taken as the distance back to a CIE; the reader looks at CIE pointers only. */
function ciePointers(link: Link, section: number): CiePointers {
  const { sections, files } = link
  const file = sections.Header.file[section]
  const { words, view } = link.arenas.list[files.Source.arena[file]]
  const records = sections.Relocations.position[section] / 4
  const found: [number, number][] = []
  for (let i = 0; i + 1 < sections.Relocations.count[section]; i++) {
    const at = words[records + i * 2]
    const subtrahend = words[records + i * 2 + 1]
    const minuend = words[records + i * 2 + 3]
    const isPair = link.arch.attributes[subtrahend >>> 28] & R_SUBTRAHEND && words[records + i * 2 + 2] === at
    const isWord = ((subtrahend >>> 25) & 3) === 2 && (subtrahend & minuend & 0x08000000) !== 0
    if (!isPair || !isWord || at + 4 > sections.Header.size[section]) continue
    const less = symbolAddress(link, file, subtrahend)
    const more = symbolAddress(link, file, minuend)
    if (less < 0 || more < 0) continue
    found.push([at, at - (more + view.getInt32(sections.Bytes.position[section] + at, true) - less)])
  }
  found.sort((a, b) => a[0] - b[0])
  return { at: Uint32Array.from(found, ([at]) => at), cie: Uint32Array.from(found, ([, cie]) => cie) }
}

/** Address in the object of the symbol that a relocation names; -1 when there is no such symbol. */
function symbolAddress(link: Link, file: number, word: number): number {
  const { files } = link
  const number = word & 0xffffff
  if (number >= files.Ranges.symbols[file]) return -1
  const { words } = tablesOf(link, file)
  if (words.length === 0) return addressOf(link, files.Ranges.symbol[file] + number)
  return words[files.Tables.nlist[file] / 4 + number * 4 + 2]
}

/** As a record has it, from the columns. */
function addressOf({ symbols, blocks, sections }: Link, symbol: number): number {
  const { block, offset } = symbols.Definition
  const home = block[symbol]
  return (sections.Header.address[blocks.Extent.section[home]] + blocks.Extent.offset[home] + offset[symbol]) >>> 0
}
