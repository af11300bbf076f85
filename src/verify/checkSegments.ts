// Segments and sections: in the file, in order, aligned, apart from each other.
import * as C from '../formats/macho/constants.ts'
import type { ImageSection, ImageSegment } from '../formats/macho/image.ts'
import { type Check, fail, hex, isCode, isX86, isZerofill, sectionName, sectionType, warn } from './context.ts'

function checkRange(check: Check, segment: ImageSegment): void {
  const { name, vmAddress, vmSize, fileOffset, fileSize, at } = segment
  const end = fileOffset + fileSize
  if (end > check.bytes.length) {
    fail(check, 'segment-bounds', `segment ${name} ends at ${hex(end)}, the file at ${hex(check.bytes.length)}`, at)
  }
  if (fileSize > vmSize)
    fail(check, 'segment-bounds', `segment ${name}: ${hex(fileSize)} bytes in ${hex(vmSize)} of memory`, at)
  // The kernel maps whole pages: 16 KiB on arm64, 4 KiB on x86_64.
  const page = isX86(check) ? 0x1000 : 0x4000
  if (vmAddress % page !== 0)
    fail(check, 'segment-alignment', `segment ${name} address ${hex(vmAddress)} is not page-aligned`, at)
  if (fileSize > 0 && fileOffset % page !== 0) {
    fail(check, 'segment-alignment', `segment ${name} file offset ${hex(fileOffset)} is not page-aligned`, at)
  }
  if (vmSize % page !== 0 && segment !== check.linkedit) {
    warn(
      check,
      'segment-alignment',
      `segment ${name} memory size ${hex(vmSize)} is not a multiple of the page size`,
      at,
    )
  }
}

function checkProtection(check: Check, segment: ImageSegment): void {
  const { name, initProtection, maxProtection, at } = segment
  if ((initProtection & ~maxProtection) !== 0) {
    fail(
      check,
      'segment-protection',
      `segment ${name} protection ${initProtection} exceeds its maximum ${maxProtection}`,
      at,
    )
  }
  const both = C.VM_PROT_WRITE | C.VM_PROT_EXECUTE
  if ((initProtection & both) === both)
    warn(check, 'segment-protection', `segment ${name} is writable and executable`, at)
  if (name === '__TEXT' && initProtection !== (C.VM_PROT_READ | C.VM_PROT_EXECUTE)) {
    fail(check, 'segment-protection', `__TEXT protection is ${initProtection}, expected r-x`, at)
  }
  if (name === '__LINKEDIT' && initProtection !== C.VM_PROT_READ) {
    fail(check, 'segment-protection', `__LINKEDIT protection is ${initProtection}, expected r--`, at)
  }
}

function checkPageZero(check: Check, segment: ImageSegment): void {
  const { vmAddress, initProtection, fileSize, sections, at } = segment
  if (vmAddress !== 0 || initProtection !== 0 || fileSize !== 0 || sections.length > 0) {
    fail(check, 'bad-pagezero', '__PAGEZERO is not an inaccessible segment at 0', at)
  }
  if (check.image.fileType !== C.MH_EXECUTE) fail(check, 'bad-pagezero', '__PAGEZERO in a library', at)
}

function checkApart(check: Check): void {
  const { segments } = check.image
  const inMemory = segments.filter((s) => s.vmSize > 0).sort((a, b) => a.vmAddress - b.vmAddress)
  for (let i = 1; i < inMemory.length; i++) {
    const [a, b] = [inMemory[i - 1], inMemory[i]]
    if (a.vmAddress + a.vmSize > b.vmAddress)
      fail(check, 'segment-overlap', `segments ${a.name} and ${b.name} overlap in memory`, b.at)
  }
  const inFile = segments.filter((s) => s.fileSize > 0).sort((a, b) => a.fileOffset - b.fileOffset)
  for (let i = 1; i < inFile.length; i++) {
    const [a, b] = [inFile[i - 1], inFile[i]]
    if (a.fileOffset + a.fileSize > b.fileOffset)
      fail(check, 'segment-overlap', `segments ${a.name} and ${b.name} overlap in the file`, b.at)
  }
}

function checkContents(check: Check, segment: ImageSegment, section: ImageSection): void {
  const name = sectionName(section)
  const delta = section.address - segment.vmAddress
  if (section.size === 0 || isZerofill(section)) return
  if (section.offset - segment.fileOffset !== delta) {
    fail(
      check,
      'section-bounds',
      `section ${name} at ${hex(section.address)} has file offset ${hex(section.offset)}, expected ${hex(segment.fileOffset + delta)}`,
    )
  }
  if (delta + section.size > segment.fileSize) {
    fail(check, 'section-bounds', `section ${name} extends past its segment's bytes in the file`)
  }
}

function checkSection(check: Check, segment: ImageSegment, section: ImageSection): void {
  const name = sectionName(section)
  const { address, size, align } = section
  // Where an empty section stands means nothing; linkers leave them anywhere.
  if (size === 0) return
  const low = segment === check.text ? segment.vmAddress + C.HEADER_SIZE + check.image.commandsSize : segment.vmAddress
  if (address < low || address + size > segment.vmAddress + segment.vmSize) {
    fail(
      check,
      'section-bounds',
      `section ${name} ${hex(address)}+${hex(size)} is outside its segment or over the load commands`,
    )
    return
  }
  if (section.segment !== segment.name) warn(check, 'section-name', `section ${name} is in segment ${segment.name}`)
  if (align > 15) warn(check, 'section-alignment', `section ${name} has alignment 2^${align}, ld64 goes to 2^15`)
  if (address % 2 ** align !== 0) {
    fail(check, 'section-alignment', `section ${name} at ${hex(address)} is not aligned to 2^${align}`)
  }
  checkContents(check, segment, section)
  if (section.relocations > 0)
    warn(check, 'section-relocations', `section ${name} has ${section.relocations} relocations in a linked image`)
  if (isCode(section) && (segment.initProtection & C.VM_PROT_EXECUTE) === 0) {
    warn(check, 'section-protection', `code section ${name} is in a segment that is not executable`)
  }
  if (sectionType(section) > C.S_INIT_FUNC_OFFSETS) {
    warn(check, 'section-type', `section ${name} has type ${hex(sectionType(section))}, which is not known`)
  }
}

function checkSections(check: Check, segment: ImageSegment): void {
  const ordered = segment.sections.toSorted((a, b) => a.address - b.address)
  let end = 0
  for (const section of ordered) {
    checkSection(check, segment, section)
    if (section.size > 0 && section.address < end) {
      fail(check, 'section-overlap', `section ${sectionName(section)} overlaps the one before it`)
    }
    end = Math.max(end, section.address + section.size)
  }
}

function checkText(check: Check): void {
  const { text, image } = check
  if (text === null) return fail(check, 'bad-text', 'there is no __TEXT segment')
  const header = C.HEADER_SIZE + image.commandsSize
  if (text.fileOffset !== 0 || text.fileSize < header) {
    fail(check, 'bad-text', '__TEXT does not begin with the header and the load commands', text.at)
  }
}

function checkLast(check: Check): void {
  const { linkedit, image } = check
  if (linkedit === null) return
  if (linkedit.sections.length > 0) fail(check, 'bad-linkedit', '__LINKEDIT has sections', linkedit.at)
  for (const segment of image.segments) {
    if (segment.fileOffset > linkedit.fileOffset && segment.fileSize > 0) {
      fail(check, 'bad-linkedit', `segment ${segment.name} follows __LINKEDIT in the file`, segment.at)
    }
  }
  const end = linkedit.fileOffset + linkedit.fileSize
  if (end < check.bytes.length) {
    warn(check, 'trailing-data', `__LINKEDIT ends at ${hex(end)}, the file at ${hex(check.bytes.length)}`, end)
  }
}

export function checkSegments(check: Check): void {
  for (const segment of check.image.segments) {
    if (segment.name === '__PAGEZERO') checkPageZero(check, segment)
    else {
      checkRange(check, segment)
      checkProtection(check, segment)
    }
    checkSections(check, segment)
  }
  checkText(check)
  checkApart(check)
  checkLast(check)
}
