import * as C from '../../src/formats/macho/constants.ts'
import { cursorOver, nextUleb } from './cursor.ts'
import { addFact, addOrder, type Facts } from './facts.ts'
import { entryAddress, hex, type Image, labelOf, nameAt, pointerLabel } from './image.ts'
import { type Command, findCommand, textAt, u64 } from './machOFile.ts'

const version = (n: number) => `${n >>> 16}.${(n >>> 8) & 255}.${n & 255}`

const NAMES = new Map(
  Object.entries(C)
    .filter(([name]) => name.startsWith('LC_') && name !== 'LC_REQ_DYLD')
    .map(([name, value]) => [value, name]),
)

// Commands whose whole meaning is a table that other facts compare; that they are there is the fact.
const TABLES = [
  C.LC_SYMTAB,
  C.LC_DYSYMTAB,
  C.LC_DYLD_INFO,
  C.LC_DYLD_INFO_ONLY,
  C.LC_FUNCTION_STARTS,
  C.LC_DATA_IN_CODE,
  C.LC_CODE_SIGNATURE,
  C.LC_DYLD_EXPORTS_TRIE,
  C.LC_DYLD_CHAINED_FIXUPS,
  C.LC_UUID,
]

function buildVersion(image: Image, { offset }: Command): string {
  const word = (field: number) => image.file.view.getUint32(offset + field, true)
  const tools = Array.from({ length: word(20) }, (_, i) => `tool ${word(24 + i * 8)} ${version(word(28 + i * 8))}`)
  return [`platform ${word(8)} minos ${version(word(12))} sdk ${version(word(16))}`, ...tools].join(' ')
}

function commandText(image: Image, command: Command): string {
  const { cmd, offset, size } = command
  const { bytes, view } = image.file
  const word = (field: number) => view.getUint32(offset + field, true)
  if (TABLES.includes(cmd)) return 'present'
  switch (cmd) {
    case C.LC_LOAD_DYLIB:
    case C.LC_LOAD_WEAK_DYLIB:
    case C.LC_REEXPORT_DYLIB:
    case C.LC_LOAD_UPWARD_DYLIB:
    case C.LC_ID_DYLIB: {
      const path = textAt(bytes, offset + word(8), offset + size)
      return `${path} timestamp ${word(12)} current ${version(word(16))} compatibility ${version(word(20))}`
    }
    case C.LC_LOAD_DYLINKER:
    case C.LC_RPATH:
    case C.LC_SUB_CLIENT:
    case C.LC_SUB_FRAMEWORK:
    case C.LC_SUB_LIBRARY:
    case C.LC_SUB_UMBRELLA:
    case C.LC_DYLD_ENVIRONMENT:
      return textAt(bytes, offset + word(8), offset + size)
    case C.LC_MAIN:
      return `${labelOf(image, entryAddress(image)!)} stack ${hex(u64(view, offset + 16))}`
    case C.LC_BUILD_VERSION:
      return buildVersion(image, command)
  }
  return Buffer.from(bytes.subarray(offset + 8, offset + size)).toString('hex')
}

function addCommands(facts: Facts, image: Image): void {
  const order: string[] = []
  for (const command of image.file.commands) {
    if (command.cmd === C.LC_SEGMENT_64) continue
    const name = NAMES.get(command.cmd) ?? hex(command.cmd)
    addFact(facts, 'load command', name, commandText(image, command))
    order.push(name)
  }
  addOrder(facts, 'load commands', order)
}

function addSegments(facts: Facts, image: Image): void {
  for (const s of image.file.segments) {
    const fixed = s.name === '__PAGEZERO' || s.name === '__TEXT' ? ` at ${hex(s.address)}` : ''
    const zero = s.name === '__PAGEZERO' ? ` size ${hex(s.size)}` : ''
    const text = `max ${s.maxprot} init ${s.initprot} flags ${hex(s.flags)}${fixed}${zero}`
    addFact(facts, 'segment', s.name, text)
    for (const section of s.sections) {
      const own = section.type === C.S_SYMBOL_STUBS ? ` entries of ${section.reserved2}` : ''
      const value = `flags ${hex(section.flags)} align ${section.align}${own}`
      addFact(facts, 'section header', `${section.segment},${section.name}`, value)
    }
    addOrder(
      facts,
      `sections of ${s.name}`,
      s.sections.map((section) => section.name),
    )
  }
  addOrder(
    facts,
    'segments',
    image.file.segments.map((s) => s.name),
  )
}

function tableAt(image: Image, cmd: number): [number, number] {
  const command = findCommand(image.file, cmd)
  if (command === undefined) return [0, 0]
  const from = image.file.view.getUint32(command.offset + 8, true)
  return [from, from + image.file.view.getUint32(command.offset + 12, true)]
}

function addFunctionStarts(facts: Facts, image: Image): void {
  const [from, to] = tableAt(image, C.LC_FUNCTION_STARTS)
  const c = cursorOver(image.file.bytes, from, to)
  let address = image.base
  while (c.at < c.end) {
    const delta = Number(nextUleb(c))
    if (delta === 0) break
    address += delta
    addFact(facts, 'function start', nameAt(image, address) ?? labelOf(image, address), 'present')
  }
}

function addDataInCode(facts: Facts, image: Image): void {
  const [from, to] = tableAt(image, C.LC_DATA_IN_CODE)
  const { view } = image.file
  for (let at = from; at + 8 <= to; at += 8) {
    // Ranges without bytes fill room.
    if (view.getUint16(at + 4, true) === 0) continue
    const subject = labelOf(image, image.base + view.getUint32(at, true))
    addFact(
      facts,
      'data in code',
      subject,
      `${view.getUint16(at + 4, true)} bytes kind ${view.getUint16(at + 6, true)}`,
    )
  }
}

function addFixups(facts: Facts, image: Image): void {
  const { rebases, binds, weakBinds, lazyBinds, strongNames } = image.fixups
  const all = new Set([...rebases.keys(), ...binds.keys(), ...weakBinds.keys(), ...lazyBinds.keys()])
  for (const address of [...all].sort((a, b) => a - b)) {
    addFact(facts, 'fixup', labelOf(image, address), pointerLabel(image, address)!)
  }
  for (const name of strongNames) addFact(facts, 'fixup', `strong definition of ${name}`, 'present')
}

/** Facts of the headers and of dyld's tables: header, load command, segment, section header, fixup, function start, data in code. */
export function addCommandFacts(facts: Facts, image: Image): void {
  const { file } = image
  addFact(facts, 'header', 'cpu', `${hex(file.cpu)} ${hex(file.subtype)}`)
  addFact(facts, 'header', 'filetype', `${file.filetype}`)
  addFact(facts, 'header', 'flags', hex(file.flags))
  addCommands(facts, image)
  addSegments(facts, image)
  addFixups(facts, image)
  addFunctionStarts(facts, image)
  addDataInCode(facts, image)
}
