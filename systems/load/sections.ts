// Section rows of one object: what each section is to the linker.
import type { Link } from '../../components/link.ts'
import { fileText, locate } from '../../components/link.ts'
import { internSectionName } from '../../components/sectionNames.ts'
import {
  CONTENT_COMPACT_UNWIND,
  CONTENT_CSTRING,
  CONTENT_DROPPED,
  CONTENT_EH_FRAME,
  CONTENT_IMAGE_INFO,
  CONTENT_INIT_POINTERS,
  CONTENT_LITERAL,
  CONTENT_RECORDS,
  CONTENT_REGULAR,
  CONTENT_ZEROFILL,
} from '../../components/sections.ts'
import { readU32, readU64 } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'

/** dyld and ld64 refuse more than 2^15; ld64.lld 2^31. */
const MAX_ALIGN_POW2 = 31

/** Fills the section rows of `file`. Returns false when one cannot be used (reported). */
export function loadSections(link: Link, file: number, header: ObjectHeader): boolean {
  const { files, sections, sectionNames } = link
  const arena = link.arenas.list[files.Source.arena[file]]
  const start = files.Source.position[file]
  const first = files.Ranges.section[file]
  files.Ranges.sections[file] = header.sectionCount
  let ok = true
  for (let i = 0; i < header.sectionCount; i++) {
    const at = header.sections + i * macho.SECTION_SIZE
    const section = first + i
    const name = internSectionName(sectionNames, arena.words, arena.bytes, at / 4)
    const flags = readU32(arena.bytes, at + 64)
    const align = readU32(arena.bytes, at + 52)
    sections.Header.file[section] = file
    sections.Header.name[section] = name
    sections.Header.address[section] = readU64(arena.bytes, at + 32)
    sections.Header.size[section] = readU64(arena.bytes, at + 40)
    sections.Header.flags[section] = flags
    sections.Header.alignPow2[section] = align
    sections.Header.content[section] = contentOf(link, sectionNames.segments[name], sectionNames.sections[name], flags)
    if (isProfile(link, section)) link.profiles.push(section)
    sections.Bytes.position[section] = start + readU32(arena.bytes, at + 48)
    sections.Relocations.position[section] = start + readU32(arena.bytes, at + 56)
    sections.Relocations.count[section] = readU32(arena.bytes, at + 60)
    if (align > MAX_ALIGN_POW2) {
      error(
        link.messages,
        'bad-alignment',
        `alignment ${align} of section ${sectionNames.sections[name]} is too large in ${fileText(link, file)}`,
        locate(link, file, { offset: at + 52 - start }),
      )
      ok = false
    }
    if (!checkLiterals(link, file, section, at + 60 - start)) ok = false
    if (!checkPointers(link, file, section, at + 40 - start)) ok = false
  }
  return ok
}

/** Holds a call profile. */
export function isProfile({ sections, sectionNames }: Link, section: number): boolean {
  const name = sections.Header.name[section]
  return sectionNames.segments[name] === '__LLVM' && sectionNames.sections[name] === '__cg_profile'
}

function checkLiterals(link: Link, file: number, section: number, offset: number): boolean {
  const { Header, Relocations } = link.sections
  const content = Header.content[section]
  if ((content !== CONTENT_CSTRING && content !== CONTENT_LITERAL) || Relocations.count[section] === 0) return true
  const name = `${link.sectionNames.segments[Header.name[section]]},${link.sectionNames.sections[Header.name[section]]}`
  error(
    link.messages,
    'literal-relocations',
    `${locate(link, file).file} contains relocations in ${name}, so literals cannot be deduplicated`,
    locate(link, file, { section: name, offset }),
  )
  return false
}

/**
 * By section type, what dyld and tools walk: bytes of an entry, fewest and most relocations in it. Stubs and
 * offsets are made by linkers only: none fits.
 */
const POINTER_SHAPES: Readonly<Record<number, readonly [entry: number, least: number, most: number]>> = {
  [macho.S_MOD_INIT_FUNC_POINTERS]: [8, 0, 1],
  [macho.S_MOD_TERM_FUNC_POINTERS]: [8, 0, 1],
  [macho.S_NON_LAZY_SYMBOL_POINTERS]: [8, 0, 2],
  [macho.S_LAZY_SYMBOL_POINTERS]: [8, 0, 2],
  [macho.S_LAZY_DYLIB_SYMBOL_POINTERS]: [8, 0, 2],
  [macho.S_THREAD_LOCAL_VARIABLE_POINTERS]: [8, 0, 2],
  [macho.S_THREAD_LOCAL_VARIABLES]: [24, 2, 2],
  [macho.S_SYMBOL_STUBS]: [Number.NaN, 0, 0],
  [macho.S_INIT_FUNC_OFFSETS]: [Number.NaN, 0, 0],
}

function checkPointers(link: Link, file: number, section: number, offset: number): boolean {
  const { Header, Relocations } = link.sections
  const type = Header.flags[section] & macho.SECTION_TYPE
  const shape = POINTER_SHAPES[type]
  if (shape === undefined) return true
  const [entry, least, most] = shape
  const [size, count] = [Header.size[section], Relocations.count[section]]
  const entries = size / entry
  if (Number.isInteger(entries) && count >= entries * least && count <= entries * most) return true
  const name = `${link.sectionNames.segments[Header.name[section]]},${link.sectionNames.sections[Header.name[section]]}`
  error(
    link.messages,
    'bad-pointer-section',
    `${fileText(link, file)}: ${name} has ${size} bytes and ${count} relocations, expected entries of ${entry} bytes with ${least} to ${most} each`,
    locate(link, file, { section: name, offset }),
  )
  return false
}

function contentOf(link: Link, segment: string, name: string, flags: number): number {
  const type = flags & macho.SECTION_TYPE
  const { settings } = link
  if (type === macho.S_ZEROFILL || type === macho.S_GB_ZEROFILL || type === macho.S_THREAD_LOCAL_ZEROFILL)
    return CONTENT_ZEROFILL
  if (type === macho.S_CSTRING_LITERALS) return CONTENT_CSTRING
  if (type === macho.S_4BYTE_LITERALS || type === macho.S_8BYTE_LITERALS || type === macho.S_16BYTE_LITERALS)
    return CONTENT_LITERAL
  if (segment === '__LD') return name === '__compact_unwind' ? CONTENT_COMPACT_UNWIND : CONTENT_DROPPED
  if (segment === '__LLVM') return CONTENT_DROPPED
  if (segment === '__DWARF' && flags & macho.S_ATTR_DEBUG) return CONTENT_DROPPED
  if (name === '__llvm_addrsig') return CONTENT_DROPPED
  if (segment === '__TEXT' && name === '__eh_frame') return CONTENT_EH_FRAME
  if (segment === '__DATA' && name === '__objc_imageinfo') return CONTENT_IMAGE_INFO
  if (segment === '__DATA' && settings.deduplicateLiterals && isRecords(name, settings.icf)) return CONTENT_RECORDS
  if (type === macho.S_MOD_INIT_FUNC_POINTERS && settings.initOffsets) return CONTENT_INIT_POINTERS
  return CONTENT_REGULAR
}

/** Constant strings are always folded, references to classes and selectors with -icf (ld64.lld). */
function isRecords(name: string, icf = 'none'): boolean {
  return name === '__cfstring' || (icf !== 'none' && recordSize(name) === 8)
}

/** Bytes a record of a CONTENT_RECORDS section. */
export function recordSize(name: string): number {
  return name === '__objc_classrefs' || name === '__objc_selrefs' ? 8 : 32
}
