// A name that was probably meant where one is undefined: one edit away, another case, or with C instead of C++ linkage.
import { FILE_LOADED } from '../../components/files.ts'
import { knownName, nameText } from '../../components/internal.ts'
import { fileText, type Link } from '../../components/link.ts'
import { WHERE_GLOBAL, WHERE_IMPORT, WHERE_TENTATIVE } from '../../components/names.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL } from '../../components/symbols.ts'
import { toText } from '../../src/core/bytes.ts'
import { demangledFunction } from '../../src/core/demangle.ts'
import { findExportText, readAllExports } from '../../src/formats/exportTable.ts'
import { dylibText } from '../kernels/dylibText.ts'
import { orderPlaces } from '../kernels/orderPlaces.ts'
import { shownText, symbolText } from '../kernels/places.ts'
import { fileOfSymbol } from '../kernels/ranks.ts'

/** Names defined in the object that refers, with its file; then those of the whole link. */
interface Candidate {
  text: string
  file: string
}

/** Notes for a message about `text`, which `file` (0: an option) refers to first; none when nothing resembles it. */
export function likelySpelling(link: Link, text: string, file: number): string[] {
  const locals = localNames(link, file)
  const find = (name: string): Candidate | null =>
    locals.has(name) ? { text: name, file: fileText(link, file) } : findDefined(link, name)
  const edited = oneEditAway(text, find) ?? otherCase(link, text, locals, file)
  if (edited !== null) return notes(link, edited, ': ', '')
  const called = demangledFunction(text)
  const plain = called === null ? null : find(`_${called}`)
  if (plain !== null) return notes(link, plain, ': extern "C" ', '')
  const mangled = called === null ? mangledForm(link, text.replace(/^_/, ''), locals, file) : null
  return mangled === null ? [] : notes(link, mangled, ' to declare ', ' as extern "C"?')
}

function notes(link: Link, { text, file }: Candidate, before: string, after: string): string[] {
  const lines = [`did you mean${before}${shownText(link, text)}${after}`]
  if (file !== '') lines.push(`defined in: ${file}`)
  return lines
}

function localNames(link: Link, file: number): Set<string> {
  const found = new Set<string>()
  if (file === 0) return found
  const { flags } = link.symbols.Definition
  const first = link.files.Ranges.symbol[file]
  for (let symbol = first; symbol < first + link.files.Ranges.symbols[file]; symbol++)
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_EXTERNAL)) === SYMBOL_DEFINED)
      found.add(symbolText(link, file, symbol))
  return found
}

/** A name that someone defines or could define: an object, an archive member, a dylib. */
function findDefined(link: Link, text: string): Candidate | null {
  const name = knownName(link, text)
  if (name !== 0) {
    const file = definer(link, name)
    if (file !== null) return { text, file }
  }
  for (const index of link.dylibOrder)
    if (findExportText(link.dylibs[index].file.exports, text) >= 0) return { text, file: dylibText(link.dylibs[index]) }
  return null
}

/** Text of the file behind a name row, null when it is undefined. */
function definer(link: Link, name: number): string | null {
  const { Resolution, Offer } = link.names
  const where = Resolution.where[name]
  if (where === WHERE_GLOBAL || where === WHERE_TENTATIVE)
    return fileText(link, fileOfSymbol(link, Resolution.symbol[name]))
  if (where === WHERE_IMPORT) return Offer.dylib[name] === 0 ? '' : dylibText(link.dylibs[Offer.dylib[name] - 1])
  const member = Offer.member[name]
  // One that was loaded and does not define the name after all is none to name.
  if (member === 0 || link.files.Source.flags[member] & FILE_LOADED) return null
  return fileText(link, link.files.Order.parent[member] || member)
}

/** Insertions, substitutions, swaps of neighbours and deletions, place by place. */
function oneEditAway(text: string, find: (name: string) => Candidate | null): Candidate | null {
  for (let i = 0; i <= text.length; i++) {
    const [before, after] = [text.slice(0, i), text.slice(i)]
    for (const rest of i === text.length ? [after] : [after, after.slice(1)])
      for (let code = 0x30; code <= 0x7a; code++) {
        const found = find(before + String.fromCharCode(code) + rest)
        if (found !== null) return found
      }
    if (i === text.length) return null
    const swapped = after.length > 1 ? find(before + after[1] + after[0] + after.slice(2)) : null
    const found = swapped ?? find(before + after.slice(1))
    if (found !== null) return found
  }
  return null
}

function otherCase(link: Link, text: string, locals: ReadonlySet<string>, file: number): Candidate | null {
  const lower = text.toLowerCase()
  for (const local of locals) if (local.toLowerCase() === lower) return { text: local, file: fileText(link, file) }
  const named = firstDefined(link, text.length, text.length, (other) => other.toLowerCase() === lower)
  if (named !== null) return named
  for (const index of link.dylibOrder) {
    const { exports } = link.dylibs[index].file
    readAllExports(exports)
    for (let row = 0; row < exports.count; row++) {
      if (exports.length[row] !== text.length) continue
      const other = toText(exports.bytes, exports.offset[row], exports.offset[row] + exports.length[row])
      if (other.toLowerCase() === lower) return { text: other, file: dylibText(link.dylibs[index]) }
    }
  }
  return null
}

/** A C++ function of that name, for a reference from C. */
function mangledForm(link: Link, plain: string, locals: ReadonlySet<string>, file: number): Candidate | null {
  for (const local of locals)
    if (local.includes(plain) && demangledFunction(local) === plain) return { text: local, file: fileText(link, file) }
  const isOf = (other: string) => other.includes(plain) && demangledFunction(other) === plain
  return firstDefined(link, plain.length + 5, Number.POSITIVE_INFINITY, isOf)
}

/** Of the names of these lengths that `is` holds for, the first by the place of its definition that someone could define. */
function firstDefined(link: Link, least: number, most: number, is: (text: string) => boolean): Candidate | null {
  const { length } = link.names.Text
  const found: number[] = []
  for (let name = 1; name <= link.names.count; name++)
    if (length[name] >= least && length[name] <= most && is(nameText(link, name)) && definer(link, name) !== null)
      found.push(name)
  if (found.length === 0) return null
  const [first] = orderPlaces(link, found)
  return { text: nameText(link, first), file: definer(link, first)! }
}
