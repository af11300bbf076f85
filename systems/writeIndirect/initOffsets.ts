// __init_offsets: 32-bit offsets of initializers from the image base, in the order of their __mod_init_func pointers.
import { fileText, type Link } from '../../components/link.ts'
import { CONTENT_INIT_POINTERS } from '../../components/sections.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { S_ATTR_PURE_INSTRUCTIONS, S_ATTR_SOME_INSTRUCTIONS } from '../../src/formats/macho/constants.ts'
import { error } from '../../src/core/messages.ts'
import { blameSection } from '../kernels/blame.ts'
import { createSite, embeddedAddend, enterSection, landInSection, type Site } from '../kernels/references.ts'
import { stubAddress } from '../kernels/addresses.ts'

const CODE = S_ATTR_PURE_INSTRUCTIONS | S_ATTR_SOME_INSTRUCTIONS

interface Initializer {
  at: number
  address: number
}

export function writeInitOffsets(link: Link, view: DataView): void {
  const output = link.tables.initOffsets
  if (output === 0) return
  let place = link.outputs.Extent.fileOffset[output]
  const site = createSite()
  for (const file of link.order) {
    const first = link.files.Ranges.section[file]
    for (let section = first; section < first + link.files.Ranges.sections[file]; section++) {
      if (link.sections.Header.content[section] !== CONTENT_INIT_POINTERS) continue
      enterSection(site, link, section)
      for (const { at, address } of initializers(link, site, section)) {
        if (!isCodeAddress(link, address)) badInitializer(link, section, at)
        view.setUint32(place, address - link.settings.imageBase, true)
        place += 4
      }
    }
  }
}

function initializers(link: Link, site: Site, section: number): Initializer[] {
  const found: Initializer[] = []
  for (let i = 0; i < link.sections.Relocations.count[section]; i++) {
    const at = site.words[site.records + i * 2]
    found.push({ at, address: initializerAddress(link, site, i, at) })
  }
  return found.sort((a, b) => a.at - b.at)
}

function initializerAddress(link: Link, site: Site, i: number, at: number): number {
  const word = site.words[site.records + i * 2 + 1]
  if ((word & 0x08000000) === 0) {
    const landing = { block: 0, offset: 0 }
    landInSection(link, site, word, at, landing)
    const home = link.blocks.Placement.leader[landing.block] || landing.block
    return link.blocks.Placement.address[home] + landing.offset
  }
  const target = link.symbols.Reference.target[site.firstSymbol + (word & 0xffffff)]
  const A = embeddedAddend(link, site, word, at)
  if ((target & TARGET_IMPORT) === 0) return link.symbols.Reference.address[target] + A
  const made = target & 0x7fffffff
  return stubAddress(link, made)
}

/** dyld calls what it finds here. */
function isCodeAddress(link: Link, address: number): boolean {
  const { Section, Extent } = link.outputs
  for (let output = 1; output <= link.outputs.count; output++) {
    const within = address - Extent.address[output]
    if (within >= 0 && within < Extent.size[output] && Section.flags[output] & CODE) return true
  }
  return false
}

function badInitializer(link: Link, section: number, at: number): void {
  const file = link.sections.Header.file[section]
  const offset = link.sections.Bytes.position[section] + at - link.files.Source.position[file]
  const place = { ...blameSection(link, section), offset }
  error(link.messages, 'bad-initializer', `${fileText(link, file)}: initializer at offset ${at} is not code`, place)
}
