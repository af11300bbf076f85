// Selectors that stubs and relative method lists need: each text once, its string and its pointer found among the inputs or made.
import { BLOCK_FOLDED, BLOCK_KEPT, BLOCK_LIVE } from '../../components/blocks.ts'
import { addInternalBlock, addInternalSection, internalBytes } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { selectorOf } from '../../components/objectiveC.ts'
import { CONTENT_REGULAR } from '../../components/sections.ts'
import { hashBytes } from '../../src/core/hash.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { MESSAGE_PREFIX } from '../kernels/messageNames.ts'
import { isLiveStub } from '../kernels/messageStubs.ts'
import { arenaOfBlock, blockBytes, createPointee, pointerAt } from '../kernels/pointee.ts'
import { createSite } from '../kernels/references.ts'
import { eachSection, KIND_METHOD_NAMES, KIND_SELECTOR_REFERENCES } from '../kernels/objectiveCKinds.ts'
import { findTails, missingHosts } from './selectorTails.ts'

/** The selector of the string `offset` bytes into `block`, made when it is new; 0 when no NUL ends the string there. */
export function selectorInBlock(link: Link, block: number, offset: number): number {
  const position = blockBytes(link, block, offset)
  if (position < 0) return 0
  const arena = arenaOfBlock(link, block)
  const { bytes } = link.arenas.list[arena]
  const end = position - offset + link.blocks.Extent.size[block]
  let to = position
  while (to < end && bytes[to] !== 0) to++
  if (to === end) return 0
  const { selectors } = link
  const row = selectorOf(selectors, link.arenas, arena, position, to - position, hashBytes(bytes, position, to), true)
  if (selectors.Place.string[row] === 0) placeString(link, row, block, offset)
  return row
}

function placeString(link: Link, row: number, block: number, offset: number): void {
  const { Place } = link.selectors
  Place.string[row] = link.blocks.Placement.leader[block] || block
  Place.stringAt[row] = offset
}

/** Pointers of the inputs that may be shared: with -icf only, as in ld64.lld, which keeps each file's own otherwise. */
export function shareReferences(link: Link, kinds: Uint8Array): void {
  const site = createSite()
  const to = createPointee()
  const { flags } = link.blocks.Extent
  const { Place } = link.selectors
  eachSection(link, kinds, KIND_SELECTOR_REFERENCES, (section) => {
    const first = link.sections.Blocks.first[section]
    for (let block = first; block < first + link.sections.Blocks.count[section]; block++) {
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE || !pointerAt(link, site, block, 0, to)) continue
      const row = to.block === 0 ? 0 : selectorInBlock(link, to.block, to.offset)
      if (row !== 0 && Place.reference[row] === 0) Place.reference[row] = block
    }
  })
}

/** Selectors of the stubs, by their names. */
export function stubSelectors(link: Link): void {
  const { messageStubs, selectors, symbols, names } = link
  const { Text } = names
  for (let stub = 1; stub <= messageStubs.count; stub++) {
    if (!isLiveStub(link, stub)) continue
    const name = symbols.Definition.name[messageStubs.Stub.symbol[stub]]
    const arena = Text.arena[name]
    const from = Text.offset[name] + MESSAGE_PREFIX
    const end = Text.offset[name] + Text.length[name]
    messageStubs.Stub.selector[stub] = selectorOf(
      selectors,
      link.arenas,
      arena,
      from,
      end - from,
      hashBytes(link.arenas.list[arena].bytes, from, end),
      true,
    )
  }
}

/** Strings that some input has in __objc_methname serve selectors that have none yet; the rest are added. */
export function findStrings(link: Link, kinds: Uint8Array): void {
  const { tailMergeStrings } = link.settings
  if (missingStrings(link, NO_HOSTS) > 0)
    eachSection(link, kinds, KIND_METHOD_NAMES, (section) => matchStrings(link, section))
  if (tailMergeStrings) findTails(link, kinds)
  const hosts = tailMergeStrings ? missingHosts(link) : NO_HOSTS
  const size = missingStrings(link, hosts)
  if (size > 0) addStrings(link, hosts, size)
}

const NO_HOSTS = new Uint32Array(0)

/** One block of them in `__TEXT,__objc_methname`; those with a host lie within it. */
function addStrings(link: Link, hosts: Uint32Array, size: number): void {
  const section = addInternalSection(link, '__TEXT', '__objc_methname', macho.S_CSTRING_LITERALS, 0, CONTENT_REGULAR)
  const position = internalBytes(link, size)
  const block = addInternalBlock(link, section, size, 0, BLOCK_KEPT | BLOCK_LIVE, position)
  const { bytes } = link.arenas.list[link.internal.arena]
  const { Text, Place } = link.selectors
  let at = 0
  for (let row = 1; row <= link.selectors.count; row++) {
    if (Place.string[row] !== 0 || hosts[row] > 0) continue
    const from = Text.offset[row]
    bytes.set(link.arenas.list[Text.arena[row]].bytes.subarray(from, from + Text.length[row]), position + at)
    Place.string[row] = block
    Place.stringAt[row] = at
    at += Text.length[row] + 1
  }
  for (let row = 1; row < hosts.length; row++) {
    if (hosts[row] === 0) continue
    Place.string[row] = block
    Place.stringAt[row] = Place.stringAt[hosts[row]] + Text.length[hosts[row]] - Text.length[row]
  }
}

/** Bytes of the strings that are not there, each with its NUL, but for those with a host. */
function missingStrings(link: Link, hosts: Uint32Array): number {
  const { Text, Place } = link.selectors
  let size = 0
  for (let row = 1; row <= link.selectors.count; row++)
    if (Place.string[row] === 0 && !(hosts[row] > 0)) size += Text.length[row] + 1
  return size
}

function matchStrings(link: Link, section: number): void {
  const { Extent } = link.blocks
  const arena = link.files.Source.arena[link.sections.Header.file[section]]
  const { bytes } = link.arenas.list[arena]
  const first = link.sections.Blocks.first[section]
  for (let block = first; block < first + link.sections.Blocks.count[section]; block++) {
    if ((Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    const from = link.sections.Bytes.position[section] + Extent.offset[block]
    const length = Extent.size[block] - 1
    const row = selectorOf(
      link.selectors,
      link.arenas,
      arena,
      from,
      length,
      hashBytes(bytes, from, from + length),
      false,
    )
    if (row !== 0 && link.selectors.Place.string[row] === 0) placeString(link, row, block, 0)
  }
}

/** Pointers for selectors that have none: one block of them in `__DATA,__objc_selrefs`. */
export function addReferences(link: Link): void {
  const { selectors } = link
  const { Place } = selectors
  let missing = 0
  for (let row = 1; row <= selectors.count; row++) if (Place.reference[row] === 0) missing++
  if (missing === 0) return
  const flags = macho.S_LITERAL_POINTERS | macho.S_ATTR_NO_DEAD_STRIP
  const section = addInternalSection(link, '__DATA', '__objc_selrefs', flags, 3, CONTENT_REGULAR)
  selectors.made = addInternalBlock(
    link,
    section,
    missing * 8,
    3,
    BLOCK_KEPT | BLOCK_LIVE,
    internalBytes(link, missing * 8, 8),
  )
  let at = 0
  for (let row = 1; row <= selectors.count; row++) {
    if (Place.reference[row] !== 0) continue
    Place.reference[row] = selectors.made
    Place.referenceAt[row] = at
    at += 8
  }
}
