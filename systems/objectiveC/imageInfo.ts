// __objc_imageinfo: the runtime reads one record an image. Version 0, then flags with the Swift version in bits 8 to 15.
import { BLOCK_KEPT, BLOCK_LIVE } from '../../components/blocks.ts'
import { addInternalBlock, addInternalSection, internalBytes } from '../../components/internal.ts'
import { fileText, type Link, locate, warnFile } from '../../components/link.ts'
import { CONTENT_REGULAR } from '../../components/sections.ts'
import { readU32, writeU32 } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import { eachSection, KIND_IMAGE_INFO } from '../kernels/objectiveCKinds.ts'

const RECORD_SIZE = 8
/** Categories of all files have a list of class properties. */
const HAS_CATEGORY_CLASS_PROPERTIES = 0x40

/** The record of the image: class properties where all files have them, the Swift version that all with Swift share. */
export function mergeImageInfo(link: Link, kinds: Uint8Array): void {
  let common = HAS_CATEGORY_CLASS_PROPERTIES
  let [swift, swiftFile, records] = [0, 0, 0]
  eachSection(link, kinds, KIND_IMAGE_INFO, (section, file) => {
    const flags = readRecord(link, section, file)
    const version = (flags >>> 8) & 0xff
    records++
    common &= flags
    if (version === 0) return
    if (swift !== 0 && version !== swift) return mismatch(link, swiftFile, swift, file, version)
    swift = version
    swiftFile = file
  })
  if (records > 0) addRecord(link, common | (swift << 8))
}

/** Flags of a file's record, 0 when it is not one (reported). */
function readRecord(link: Link, section: number, file: number): number {
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  const position = link.sections.Bytes.position[section]
  if (link.sections.Header.size[section] < RECORD_SIZE)
    warnFile(link, file, 'bad-image-info', 'invalid __objc_imageinfo size')
  else if (readU32(bytes, position) !== 0) warnFile(link, file, 'bad-image-info', 'invalid __objc_imageinfo version')
  else return readU32(bytes, position + 4)
  return 0
}

function addRecord(link: Link, flags: number): void {
  const section = addInternalSection(link, '__DATA', '__objc_imageinfo', 0, 0, CONTENT_REGULAR)
  const position = internalBytes(link, RECORD_SIZE, 8)
  writeU32(link.arenas.list[link.internal.arena].bytes, position + 4, flags)
  addInternalBlock(link, section, RECORD_SIZE, 0, BLOCK_KEPT | BLOCK_LIVE, position)
}

function mismatch(link: Link, first: number, expected: number, file: number, got: number): void {
  const has = (which: number, version: number): string => `${fileText(link, which)} has version ${swiftText(version)}`
  error(
    link.messages,
    'swift-version-mismatch',
    `Swift version mismatch: ${has(first, expected)} but ${has(file, got)}`,
    locate(link, file),
  )
}

const SWIFT_VERSIONS = ['', '1.0', '1.1', '2.0', '3.0', '4.0']

function swiftText(version: number): string {
  return SWIFT_VERSIONS[version] ?? `0x${version.toString(16).toUpperCase()}`
}
