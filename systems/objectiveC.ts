// objectiveC: what the linker makes of Objective-C data: one image info, selectors for the stubs that send messages, relative
// method lists.
// Reads: sections named __objc_*, live blocks, message stubs. Writes: selectors, method lists, the internal file's rows.
// After fold (equal strings are one), before scan (lists that move have no fixups). Costs nothing where there is no Objective-C.

import type { Link } from '../components/link.ts'
import { createSelectors, spawnSelectors } from '../components/objectiveC.ts'
import { followLeaders } from './kernels/followLeaders.ts'
import { mergeImageInfo } from './objectiveC/imageInfo.ts'
import { findMethodLists, methodSelectors, placeMethodLists } from './objectiveC/methodLists.ts'
import { eachSection, KIND_SELECTOR_REFERENCES, sectionKinds } from './kernels/objectiveCKinds.ts'
import { addReferences, findStrings, shareReferences, stubSelectors } from './objectiveC/selectors.ts'

export function objectiveC(link: Link): void {
  const { messageStubs, settings } = link
  const kinds = sectionKinds(link)
  if (kinds !== null) {
    mergeImageInfo(link, kinds)
    if (settings.objcRelativeMethodLists) findMethodLists(link, kinds)
  }
  const shared = kinds !== null && (settings.icf === 'all' || settings.icf === 'safe')
  const references = shared ? countReferences(link, kinds) : 0
  if (messageStubs.count + link.methodLists.methods > 0) {
    link.selectors = createSelectors(messageStubs.count + link.methodLists.methods + references, false)
    if (shared) shareReferences(link, kinds)
    stubSelectors(link)
    methodSelectors(link)
    findStrings(link, kinds ?? new Uint8Array(link.sectionNames.count + 1))
    addReferences(link)
    spawnSelectors(link.selectors)
    forgetMessengerRecords(link)
  }
  placeMethodLists(link)
  // Lists that were merged into one that has become relative.
  if (link.categories.merged > 0) followLeaders(link)
  link.visited.rows += link.selectors.count + link.methodLists.methods
}

function countReferences(link: Link, kinds: Uint8Array): number {
  let count = 0
  eachSection(link, kinds, KIND_SELECTOR_REFERENCES, (section) => {
    count += link.sections.Blocks.count[section]
  })
  return count
}

/** The records that kept objc_msgSend alive describe no field. */
function forgetMessengerRecords(link: Link): void {
  const { messageStubs, symbols, blocks, sections } = link
  for (let stub = 1; stub <= messageStubs.count; stub++) {
    const block = symbols.Definition.block[messageStubs.Stub.symbol[stub]]
    blocks.Relocations.count[block] = 0
    sections.Relocations.count[blocks.Extent.section[block]] = 0
  }
}
