import * as C from '../../src/formats/macho/constants.ts'
import { readExports } from './exportsTrie.ts'
import { addFact, addOrder, type Facts } from './facts.ts'
import { hex, type Image, labelOf, libraryName } from './image.ts'
import { findCommand, type MachSymbol } from './machOFile.ts'

type Group = 'local' | 'extern' | 'undef' | 'no group'
const HIDDEN = 'private extern'

function groupsOf(image: Image): (index: number) => Group {
  const command = findCommand(image.file, C.LC_DYSYMTAB)
  if (command === undefined) return () => 'no group'
  const word = (field: number) => image.file.view.getUint32(command.offset + field, true)
  const ranges: [Group, number, number][] = [
    ['local', word(8), word(12)],
    ['extern', word(16), word(20)],
    ['undef', word(24), word(28)],
  ]
  return (index) => ranges.find(([, from, count]) => index >= from && index < from + count)?.[0] ?? 'no group'
}

function symbolSubject(image: Image, s: MachSymbol): string {
  if (s.type & C.N_EXT || (s.type & C.N_TYPE) !== C.N_SECT) return s.name
  const named = (image.placed.get(s.value) ?? []).filter((a) => a.symbols.some((l) => l.name === s.name && !l.offset))
  return named.length === 0 ? `${s.name} (local)` : `${s.name}@${named.map((a) => a.object).sort()[0]}`
}

function symbolText(image: Image, s: MachSymbol, group: Group, bound: Set<string>): string {
  const parts = [group, `type ${hex(s.type)}`]
  const type = s.type & C.N_TYPE
  if (type === C.N_UNDF || type === C.N_PBUD) {
    const ordinal = s.desc >>> 8
    const signed = ordinal === C.EXECUTABLE_ORDINAL ? -1 : ordinal === C.DYNAMIC_LOOKUP_ORDINAL ? -2 : ordinal
    parts.push(`desc ${hex(s.desc & 0xff)} from ${libraryName(image, signed)}`)
    if (!bound.has(s.name)) parts.push('not bound')
  } else parts.push(`desc ${hex(s.desc)}`)
  if (type === C.N_SECT) {
    const section = image.file.sections[s.sect - 1]
    parts.push(section === undefined ? `section ${s.sect}` : `${section.segment},${section.name}`)
    if (section !== undefined && (s.value < section.address || s.value > section.address + section.size)) {
      parts.push('outside of its section')
    }
  } else parts.push(`section ${s.sect} value ${hex(s.value)}`)
  return parts.join(', ')
}

function boundNames(image: Image): Set<string> {
  const { binds, weakBinds, lazyBinds } = image.fixups
  return new Set([binds, weakBinds, lazyBinds].flatMap((map) => [...map.values()]).map((bind) => bind.name))
}

function stabText(image: Image, s: MachSymbol): string {
  const data = s.type === C.N_STSYM || s.type === C.N_GSYM
  const placed = s.sect > 0 && (data || s.type === C.N_BNSYM || (s.type === C.N_FUN && s.name !== ''))
  const value = placed ? labelOf(image, s.value) : hex(s.value)
  const section = placed ? (image.file.sections[s.sect - 1]?.name ?? `${s.sect}`) : `${s.sect}`
  return `${hex(s.type)} ${JSON.stringify(s.name)} ${section} ${hex(s.desc)} ${value}`
}

/** Fills room of the symbol table. */
function isRoom(s: MachSymbol): boolean {
  return s.type === C.N_OPT && s.name === ''
}

// Entries of a function, of data: each a fact of its own that says which object it stands under.
function addStabs(facts: Facts, image: Image): void {
  const objects: string[] = []
  let lines: string[] = []
  let frame: string[] = []
  let path = 'none'
  const finish = () => {
    if (lines.length === 0 && frame.length === 0) return
    addFact(facts, 'stabs', path, frame.join('\n'))
    for (const line of lines) addFact(facts, 'stabs', line.replace(/, 0x[0-9a-f]+ bytes$/, ''), `${line} of ${path}`)
    addOrder(facts, `debug map of ${path}`, lines)
    objects.push(path)
    lines = []
    frame = []
    path = 'none'
  }
  for (const s of image.file.symbols) {
    if (!(s.type & C.N_STAB) || isRoom(s)) continue
    if (s.type === C.N_OSO) path = s.name
    // A function is two entries, the second with its size.
    if (s.type === C.N_SO || s.type === C.N_OSO) frame.push(stabText(image, s))
    else if (s.type === C.N_FUN && s.name === '' && lines.length > 0)
      lines.push(`${lines.pop()}, ${hex(s.value)} bytes`)
    else lines.push(stabText(image, s))
    if (s.type === C.N_SO && s.name === '') finish()
  }
  finish()
  addOrder(facts, 'objects in the debug map', objects)
}

function addExports(facts: Facts, image: Image): void {
  for (const e of readExports(image.file)) {
    const kind = `flags ${hex(e.flags)}`
    if (e.flags & C.EXPORT_SYMBOL_FLAGS_REEXPORT) {
      addFact(facts, 'export', e.name, `${kind} from ${libraryName(image, e.other)} ${e.importName}`)
    } else if ((e.flags & C.EXPORT_SYMBOL_FLAGS_KIND_MASK) === C.EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE) {
      addFact(facts, 'export', e.name, `${kind} value ${hex(e.offset)}`)
    } else {
      const address = image.base + e.offset
      const own = image.atAddress.get(address)?.some((s) => s.name === e.name) ?? false
      addFact(facts, 'export', e.name, `${kind} at ${own ? 'its symbol' : labelOf(image, address)}`)
    }
  }
}

/** Facts of names: kinds symbol, stabs, export, order. */
export function addSymbolFacts(facts: Facts, image: Image): void {
  const groupOf = groupsOf(image)
  const bound = boundNames(image)
  const order: Record<Group | typeof HIDDEN, string[]> = {
    local: [],
    [HIDDEN]: [],
    extern: [],
    undef: [],
    'no group': [],
  }
  let wasHidden = false
  for (const s of image.file.symbols) {
    if (s.type & C.N_STAB) continue
    const group = groupOf(s.index)
    const subject = symbolSubject(image, s)
    addFact(facts, 'symbol', subject, symbolText(image, s, group, bound))
    const hidden = group === 'local' && (s.type & C.N_PEXT) !== 0
    if (hidden !== wasHidden && group === 'local') order.local.push(hidden ? '(private externs)' : '(locals)')
    wasHidden = hidden
    order[hidden ? HIDDEN : group].push(subject)
  }
  for (const [group, names] of Object.entries(order)) addOrder(facts, `${group} symbols`, names)
  addStabs(facts, image)
  addExports(facts, image)
}
