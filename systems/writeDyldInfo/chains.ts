// Chained fixups: links the entries of each page and writes the table of starts, imports and names.
import { IMPORT_WEAK } from '../../components/imports.ts'
import type { Link } from '../../components/link.ts'
import { error } from '../../src/core/messages.ts'
import {
  type ChainedSegment,
  encodeChainedFixups,
  linkChains,
  newPageStarts,
} from '../../src/formats/dyld/chainedFixups.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { blameAddress } from '../kernels/blame.ts'
import { placeChainedImports } from '../kernels/chainedImports.ts'
import { bindsToWeak, chainBinds, numbersAtOnce, POINTER_FORMAT } from '../kernels/fixups.ts'
import { nameTable } from '../kernels/nameTable.ts'
import { chainedOrdinal } from '../kernels/ordinals.ts'
import { sortedLocations } from './locations.ts'
import { overridingNames } from './overrides.ts'

export function writeChains(link: Link): void {
  if (!numbersAtOnce(link)) {
    placeChainedImports(link)
    chainBinds(link, new DataView(link.image.buffer), 1, link.fixups.binds)
  }
  const locations = sortedLocations(link, link.fixups.rebases, link.fixups.binds)
  link.chained.pageStarts = link.segmentOrder.map((segment) => chainSegment(link, locations[segment], segment))
  link.linkedit.chainedFixups = { bytes: encodeChains(link), offset: 0 }
  overridingNames(link)
  if (bindsToWeak(link)) link.weakFlags |= macho.MH_BINDS_TO_WEAK
}

/** The table of starts, imports and names, as the chains and their imports are now. With room all pages of a segment have starts. */
export function encodeChains(link: Link): Uint8Array {
  const { pageSize, imageBase, layout } = link.settings
  const { address } = link.segments.Extent
  const segments = link.chained.pageStarts.map((pageStarts, place): ChainedSegment => {
    return { offset: address[link.segmentOrder[place]] - imageBase, pageSize, pageStarts }
  })
  return encodeChainedFixups({
    segments,
    pointerFormat: POINTER_FORMAT,
    maxPointer: 0,
    imports: importRows(link),
    names: nameTable(link),
    everyPage: layout === 'padded',
  })
}

/** Links the pointers at the offsets; returns the starts of the pages, none for a segment without pointers. */
function chainSegment(link: Link, offsets: Uint32Array, segment: number): Uint16Array {
  const { pageSize } = link.settings
  if (offsets.length === 0) return new Uint16Array(0)
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
  return pageStarts
}

/** A row without an import is like the first one that has one, and shares its name: dyld looks every row up. */
function importRows(link: Link) {
  const { imports, addends } = link.chained
  const { Library } = link.imports
  const first = imports.findIndex((made) => made !== 0)
  const filled = imports.map((made) => made || imports[first])
  return {
    ordinals: Int32Array.from(filled, (made) => chainedOrdinal(link, made)),
    weak: Uint8Array.from(filled, (made) => (Library.flags[made] & IMPORT_WEAK ? 1 : 0)),
    names: Uint32Array.from(imports, (made) => Library.name[made]),
    addends: Float64Array.from(addends, (addend, i) => (imports[i] === 0 ? addends[first] : addend)),
    holes: Uint8Array.from(imports, (made) => (made === 0 ? 1 : 0)),
    count: imports.length,
  }
}
