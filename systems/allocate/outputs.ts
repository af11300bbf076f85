// Output sections: which input sections go where, under which name, type, attributes and alignment; the linker's tables beside.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import { fileText, type Link, locate } from '../../components/link.ts'
import {
  addOutput,
  FILL_GOT,
  FILL_HEADER,
  FILL_INIT_OFFSETS,
  FILL_LAZY_POINTERS,
  FILL_OBJC_STUBS,
  FILL_STUB_HELPER,
  FILL_STUBS,
  FILL_TLV_POINTERS,
  FILL_UNWIND_INFO,
  MAX_OUTPUTS,
} from '../../components/outputs.ts'
import {
  CONTENT_COMPACT_UNWIND,
  CONTENT_DROPPED,
  CONTENT_EH_FRAME,
  CONTENT_IMAGE_INFO,
  CONTENT_INIT_POINTERS,
  CONTENT_LITERAL,
  CONTENT_ZEROFILL,
} from '../../components/sections.ts'
import { error } from '../../src/core/messages.ts'
import { blameSection } from '../kernels/blame.ts'
import { isCommonString } from '../kernels/strings.ts'
import * as macho from '../../src/formats/macho/constants.ts'

/** Sections of __DATA that dyld fills once and then write-protects, moved to __DATA_CONST by default (ld64.lld). */
const CONST_SECTIONS = [
  '__got',
  '__auth_got',
  '__auth_ptr',
  '__nl_symbol_ptr',
  '__const',
  '__cfstring',
  '__mod_init_func',
  '__mod_term_func',
  '__objc_classlist',
  '__objc_nlclslist',
  '__objc_catlist',
  '__objc_nlcatlist',
  '__objc_protolist',
  '__objc_imageinfo',
]

/** ld64.lld makes the section of tentative definitions before those of the inputs. */
const COMMONS_ORDER = -1

type Renames = Map<string, readonly [string, string]>

export function sectionRenames(link: Link): Renames {
  const { settings } = link
  const renames: Renames = new Map()
  if (settings.dataConst) for (const name of CONST_SECTIONS) renames.set(`__DATA,${name}`, ['__DATA_CONST', name])
  renames.set('__TEXT,__StaticInit', ['__TEXT', '__text'])
  renames.set('__IMPORT,__pointers', [settings.dataConst ? '__DATA_CONST' : '__DATA', '__nl_symbol_ptr'])
  for (const [fromSegment, fromSection, toSegment, toSection] of settings.renameSections ?? [])
    renames.set(`${fromSegment},${fromSection}`, [toSegment, toSection])
  return renames
}

/** The output section of a name after renames, made when it is new. */
export function outputNamed(link: Link, renames: Renames, segment: string, section: string): number {
  const [toSegment, toSection] = renames.get(`${segment},${section}`) ?? [segment, section]
  const renamed = (link.settings.renameSegments ?? []).find(([from]) => from === toSegment)
  return addOutput(link.outputs, link.segments, renamed?.[1] ?? toSegment, toSection)
}

/** Where columns end, room for the linker's own left: allocate says what Mach-O can count. */
const MOST_OUTPUTS = MAX_OUTPUTS - 64
/** The opcodes of dyld name a segment in four bits; __LINKEDIT comes last. */
const MOST_SEGMENTS = 255
const MOST_SEGMENTS_OF_OPCODES = 15

/** Returns false when there are more than Mach-O can count (reported). */
export function gatherInputs(link: Link, renames: Renames): boolean {
  const { files } = link
  const lists: number[][] = []
  const byName: number[] = []
  const mostSegments = link.settings.fixupChains ? MOST_SEGMENTS : MOST_SEGMENTS_OF_OPCODES
  let order = 0
  for (const file of [...link.order, link.internal.file]) {
    const first = files.Ranges.section[file]
    for (let section = first; section < first + files.Ranges.sections[file]; section++) {
      if (section === link.methodLists.firstSection) orderMethodLists(link, renames, order)
      if (!isKept(link, section)) continue
      const output = outputOf(link, renames, byName, section)
      if (link.outputs.count > MOST_OUTPUTS || link.segments.count >= mostSegments)
        return tooMany(link, section, mostSegments)
      const own = file === link.internal.file && link.sections.Header.content[section] === CONTENT_ZEROFILL
      if (own) link.outputs.Section.order[output] = COMMONS_ORDER
      else if (link.outputs.Section.order[output] === Number.POSITIVE_INFINITY)
        link.outputs.Section.order[output] = order
      order++
      lists[output] ??= []
      lists[output].push(section)
      join(link, output, section)
    }
  }
  for (let output = 1; output <= link.outputs.count; output++)
    link.inputs[output] = Uint32Array.from(lists[output] ?? [])
  fillMessageStubs(link)
  return true
}

/** Stubs that send a message are written, not copied: no input may share their section. */
function fillMessageStubs(link: Link): void {
  const { section } = link.messageStubs
  const output = section === 0 ? 0 : link.sections.Blocks.output[section]
  if (output === 0) return
  link.outputs.Section.fill[output] = FILL_OBJC_STUBS
  const file = link.sections.Header.file[link.inputs[output][0]]
  if (file === link.internal.file) return
  const text = `section from ${fileText(link, file)} conflicts with synthetic section __TEXT,__objc_stubs`
  error(link.messages, 'reserved-section', text, locate(link, file))
}

/** Relative method lists stand where the first absolute one would have, as in ld64.lld. */
function orderMethodLists(link: Link, renames: Renames, order: number): void {
  link.outputs.Section.order[outputNamed(link, renames, '__TEXT', '__objc_methlist')] = order - 0.5
}

function tooMany(link: Link, section: number, segments: number): false {
  const text = `too many sections or segments: at most ${MOST_OUTPUTS} names of sections and ${segments} of segments are possible`
  error(link.messages, 'too-many-sections', text, blameSection(link, section))
  return false
}

/** A section goes into the output when one of its blocks does. */
export function isKept(link: Link, section: number): boolean {
  const content = link.sections.Header.content[section]
  if (
    content === CONTENT_COMPACT_UNWIND ||
    content === CONTENT_DROPPED ||
    content === CONTENT_INIT_POINTERS ||
    content === CONTENT_IMAGE_INFO
  )
    return false
  const { flags } = link.blocks.Extent
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  for (let block = first; block < end; block++)
    if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) return true
  return false
}

function outputOf(link: Link, renames: Renames, byName: number[], section: number): number {
  const name = link.sections.Header.name[section]
  const literal = link.sections.Header.content[section] === CONTENT_LITERAL
  const key = literal ? 0 : name
  if (link.blocks.Extent.section[link.headerBlock] === section) {
    link.tables.header = outputNamed(link, renames, '__TEXT', '__mach_header')
    link.outputs.Section.fill[link.tables.header] = FILL_HEADER
    return link.tables.header
  }
  byName[key] ??= literal
    ? outputNamed(link, renames, '__TEXT', '__literals')
    : isCommonString(link, section)
      ? outputNamed(link, renames, '__TEXT', '__cstring')
      : outputNamed(link, renames, link.sectionNames.segments[name], link.sectionNames.sections[name])
  link.sections.Blocks.output[section] = byName[key]
  return byName[key]
}

const KEPT_ATTRIBUTES = ~(macho.S_ATTR_EXT_RELOC | macho.S_ATTR_LOC_RELOC)

/** Type and attributes: those of the first input; attributes of later ones add up, but "only instructions" needs all to agree. */
function join(link: Link, output: number, section: number): void {
  const { Section } = link.outputs
  const { Header, Blocks } = link.sections
  const isFrames = Header.content[section] === CONTENT_EH_FRAME
  const kept = isFrames ? KEPT_ATTRIBUTES & ~macho.S_ATTR_LIVE_SUPPORT : KEPT_ATTRIBUTES
  const flags = Header.content[section] === CONTENT_LITERAL ? 0 : Header.flags[section] & kept
  Blocks.output[section] = output
  if (isPlaceholder(link, section) && Section.inputs[output] !== 0) return
  if (Section.inputs[output] === 0) Section.flags[output] = flags
  else {
    const pure = Section.flags[output] & flags & macho.S_ATTR_PURE_INSTRUCTIONS
    const sameType = (Section.flags[output] & macho.SECTION_TYPE) === (flags & macho.SECTION_TYPE)
    // Frames are S_COALESCED from compilers and S_REGULAR from `ld -r`.
    if (Section.fill[output] === 0 && !sameType && !isFrames) mixTypes(link, output, section, flags)
    Section.flags[output] =
      ((Section.flags[output] | (flags & ~macho.SECTION_TYPE)) & ~macho.S_ATTR_PURE_INSTRUCTIONS) | pure
  }
  Section.inputs[output]++
  const holdsPointers = isFrames || (flags & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_VARIABLES
  if (holdsPointers) Section.alignPow2[output] = 3
}

/** The linker's empty block that makes a section exist (section$start, -add_empty_section): says nothing about its type. */
function isPlaceholder(link: Link, section: number): boolean {
  const { file, size } = link.sections.Header
  return file[section] === link.internal.file && size[section] === 0
}

function mixTypes(link: Link, output: number, section: number, flags: number): void {
  const { file: fileOf } = link.sections.Header
  const given = link.sections.Blocks.output.findIndex(
    (to, other) => to === output && fileOf[other] !== link.internal.file,
  )
  const file = fileOf[section] === link.internal.file && given > 0 ? fileOf[given] : fileOf[section]
  const type = (value: number) => `0x${(value & macho.SECTION_TYPE).toString(16)}`
  const name = link.outputs.names[output]
  const text = `Cannot merge section ${name} (type=${type(flags)}) into ${name} (type=${type(link.outputs.Section.flags[output])}): inconsistent types`
  error(
    link.messages,
    'inconsistent-section-types',
    `${fileText(link, file)}: ${text}`,
    locate(link, file, { section: name }),
  )
}

/** The tables that scan found to be needed. Flags and alignment as ld64.lld writes them. */
export function addTables(link: Link, renames: Renames): void {
  const { tables, arch } = link
  const code = macho.S_ATTR_PURE_INSTRUCTIONS | macho.S_ATTR_SOME_INSTRUCTIONS
  const table = (
    segment: string,
    name: string,
    fill: number,
    flags: number,
    alignPow2: number,
    size: number,
  ): number => {
    if (size === 0) return 0
    const output = outputNamed(link, renames, segment, name)
    const clash = link.inputs[output]?.filter((section) => !isPlaceholder(link, section))
    if (clash !== undefined && clash.length > 0) {
      const file = link.sections.Header.file[clash[0]]
      error(
        link.messages,
        'reserved-section',
        `section from ${fileText(link, file)} conflicts with synthetic section ${link.segments.names[link.outputs.Section.segment[output]]},${link.outputs.names[output]}`,
        locate(link, file),
      )
    }
    link.inputs[output] = new Uint32Array(0)
    link.outputs.Section.fill[output] = fill
    link.outputs.Section.flags[output] = flags
    link.outputs.Section.alignPow2[output] = alignPow2
    link.outputs.Extent.size[output] = size
    return output
  }
  const { slots } = link
  const helperSize = slots.helpers === 0 ? 0 : arch.stubHelperHeaderSize + slots.helpers * arch.stubHelperEntrySize
  tables.stubs = table('__TEXT', '__stubs', FILL_STUBS, macho.S_SYMBOL_STUBS | code, 2, slots.stubs * arch.stubSize)
  link.outputs.Section.reserved2[tables.stubs] = arch.stubSize
  tables.stubHelper = table('__TEXT', '__stub_helper', FILL_STUB_HELPER, code, 2, helperSize)
  tables.got = table('__DATA', '__got', FILL_GOT, macho.S_NON_LAZY_SYMBOL_POINTERS, 3, slots.gots * 8)
  tables.lazyPointers = table(
    '__DATA',
    '__la_symbol_ptr',
    FILL_LAZY_POINTERS,
    macho.S_LAZY_SYMBOL_POINTERS,
    3,
    slots.lazy * 8,
  )
  tables.tlvPointers = table(
    '__DATA',
    '__thread_ptrs',
    FILL_TLV_POINTERS,
    macho.S_THREAD_LOCAL_VARIABLE_POINTERS,
    3,
    slots.tlvs * 8,
  )
  tables.initOffsets = table(
    '__TEXT',
    '__init_offsets',
    FILL_INIT_OFFSETS,
    macho.S_INIT_FUNC_OFFSETS,
    2,
    initializerCount(link) * 4,
  )
  tables.unwindInfo = table('__TEXT', '__unwind_info', FILL_UNWIND_INFO, 0, 2, link.unwind === null ? 0 : 1)
  if (link.unwind !== null) link.unwind.output = tables.unwindInfo
}

/** Pointers in __mod_init_func sections that become offsets. */
export function initializerCount(link: Link): number {
  let count = 0
  for (const file of link.order) {
    const first = link.files.Ranges.section[file]
    for (let section = first; section < first + link.files.Ranges.sections[file]; section++)
      if (link.sections.Header.content[section] === CONTENT_INIT_POINTERS)
        count += link.sections.Relocations.count[section]
  }
  return count
}
