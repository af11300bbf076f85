// Chained fixups: links the entries of each page and writes the table of starts, imports and names.
import { IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import type { Link } from '../../components/link.ts'
import { error } from '../../src/core/messages.ts'
import {
  type ChainedSegment,
  encodeChainedFixups,
  linkChains,
  newPageStarts,
} from '../../src/formats/dyld/chainedFixups.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { POINTER_FORMAT } from '../kernels/fixups.ts'
import { blameAddress } from '../kernels/blame.ts'
import { nameTable } from '../kernels/nameTable.ts'
import { chainedOrdinal } from '../kernels/ordinals.ts'
import { sortedLocations } from './locations.ts'
import { overridingNames } from './overrides.ts'

export function writeChains(link: Link): void {
  const locations = sortedLocations(link, link.fixups.rebases, link.fixups.binds)
  const segments = link.segmentOrder.map((segment) => chainSegment(link, locations[segment], segment))
  const input = {
    segments,
    pointerFormat: POINTER_FORMAT,
    maxPointer: 0,
    imports: importRows(link),
    names: nameTable(link),
  }
  link.linkedit.chainedFixups = { bytes: encodeChainedFixups(input), offset: 0 }
  overridingNames(link)
  for (const made of link.chained.imports)
    if (link.imports.Library.flags[made] & IMPORT_WEAK_DEF) link.weakFlags |= macho.MH_BINDS_TO_WEAK
}

function chainSegment(link: Link, offsets: Uint32Array, segment: number): ChainedSegment {
  const { pageSize } = link.settings
  const offset = link.segments.Extent.address[segment] - link.settings.imageBase
  if (offsets.length === 0) return { offset, pageSize, pageStarts: new Uint16Array(0) }
  const pageStarts = newPageStarts(link.segments.Extent.fileSize[segment], pageSize)
  const view = new DataView(link.image.buffer, link.image.byteOffset, link.image.byteLength)
  const bad = linkChains(
    view,
    link.segments.Extent.fileOffset[segment],
    offsets,
    0,
    offsets.length,
    pageSize,
    pageStarts,
  )
  if (bad !== -1) {
    const name = link.segments.names[segment]
    error(
      link.messages,
      'misaligned-fixup',
      `fixups in ${name} at offset 0x${offsets[bad].toString(16)} cannot be chained: pointers must be 4-byte aligned and not overlap. Re-link with -no_fixup_chains`,
      blameAddress(link, link.segments.Extent.address[segment] + offsets[bad]),
    )
  }
  return { offset, pageSize, pageStarts }
}

function importRows(link: Link) {
  const { imports, addends } = link.chained
  const { Library } = link.imports
  return {
    ordinals: Int32Array.from(imports, (made) => chainedOrdinal(link, made)),
    weak: Uint8Array.from(imports, (made) => (Library.flags[made] & IMPORT_WEAK ? 1 : 0)),
    names: Uint32Array.from(imports, (made) => Library.name[made]),
    addends: Float64Array.from(addends),
    count: imports.length,
  }
}
