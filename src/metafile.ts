// What came from where, and how many bytes, after a link: for LinkOptions.metafile.
import { BLOCK_COALESCED, BLOCK_FOLDED, BLOCK_LIVE } from '../components/blocks.ts'
import { FILE_ARCHIVE, FILE_DYLIB, FILE_LOADED, FILE_OBJECT } from '../components/files.ts'
import { fileText, type Link } from '../components/link.ts'
import { CONTENT_ZEROFILL } from '../components/sections.ts'
import type { Metafile } from './types.ts'

const KINDS: Readonly<Record<number, string>> = {
  [FILE_OBJECT]: 'object',
  [FILE_ARCHIVE]: 'archive',
  [FILE_DYLIB]: 'dylib',
}

/**
 * Every input file, members of archives as `archive(member)`; of the output, the file bytes of each segment and of each
 * object that took part. What is left is the linker's own: headers, stubs, pointers, tables of __LINKEDIT.
 */
export function makeMetafile(link: Link): Metafile {
  const inputs: Metafile['inputs'] = {}
  for (let file = 1; file < link.internal.file; file++) {
    const { kind, size, flags } = link.files.Source
    const loaded = kind[file] === FILE_DYLIB ? isLinked(link, file) : (flags[file] & FILE_LOADED) !== 0
    inputs[fileText(link, file)] = { bytes: size[file], kind: KINDS[kind[file]] ?? 'other', loaded }
  }
  const segments: Record<string, number> = {}
  for (const segment of link.segmentOrder)
    segments[link.segments.names[segment]] = link.segments.Extent.fileSize[segment]
  const parts: Record<string, { bytesInOutput: number }> = {}
  for (const file of link.order) parts[fileText(link, file)] = { bytesInOutput: bytesOf(link, file) }
  const bytes = link.image.length + link.tail.length
  return { inputs, outputs: { [link.settings.output]: { bytes, segments, inputs: parts } } }
}

/** A dylib takes part when the output loads it. */
function isLinked(link: Link, file: number): boolean {
  return link.linkedDylibs.some((index) => link.dylibs[index].fileId === file)
}

/** Bytes of the blocks that an object gives the output; zero-fill has none in the file. */
function bytesOf(link: Link, file: number): number {
  const { Ranges } = link.files
  const { Extent } = link.blocks
  const { Header, Blocks } = link.sections
  let bytes = 0
  for (let section = Ranges.section[file]; section < Ranges.section[file] + Ranges.sections[file]; section++) {
    if (Header.content[section] === CONTENT_ZEROFILL || Blocks.output[section] === 0) continue
    const end = Blocks.first[section] + Blocks.count[section]
    for (let block = Blocks.first[section]; block < end; block++)
      if (
        (Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED | BLOCK_COALESCED)) === BLOCK_LIVE &&
        !(link.tails[block] > 0)
      )
        bytes += Extent.size[block]
  }
  return bytes
}
