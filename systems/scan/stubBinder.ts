// Lazy binding goes through dyld_stub_binder, whose address and dyld's cache word the stub helper needs.
import { BLOCK_KEPT, BLOCK_LIVE } from '../../components/blocks.ts'
import { addGot, KEY_IMPORT } from '../../components/gots.ts'
import { IMPORT_DYNAMIC_LOOKUP, IMPORT_USED } from '../../components/imports.ts'
import {
  addInternalBlock,
  addInternalSection,
  addInternalSymbol,
  internalBytes,
  nameOf,
} from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_REGULAR } from '../../components/sections.ts'
import { SYMBOL_EXTERNAL } from '../../components/symbols.ts'
import { error } from '../../src/core/messages.ts'
import { spawnRange } from '../../src/ecs.ts'
import { BIND_SPECIAL_DYLIB_FLAT_LOOKUP } from '../../src/formats/macho/constants.ts'
import { addImport, isLookedUp } from '../kernels/imports.ts'

export function prepareStubBinder(link: Link): void {
  if (link.helperEntries === 0) return
  const name = nameOf(link, 'dyld_stub_binder')
  const made = link.names.Resolution.import[name] || (isLookedUp(link, 'dyld_stub_binder') ? lookUp(link, name) : 0)
  if (made === 0) {
    error(
      link.messages,
      'no-stub-binder',
      'symbol dyld_stub_binder not found (normally in libSystem.dylib). Needed to perform lazy binding.',
    )
    return
  }
  link.imports.Library.flags[made] |= IMPORT_USED
  addGot(link.gots, KEY_IMPORT, made)
  link.stubBinder = made
  addLoaderCache(link)
}

/** No library has it, and dyld is to find it. */
function lookUp(link: Link, name: number): number {
  const made = addImport(link, name, IMPORT_DYNAMIC_LOOKUP)
  link.imports.Library.ordinal[made] = BIND_SPECIAL_DYLIB_FLAT_LOOKUP
  spawnRange(link.imports.world, 1, [link.imports.Library, link.imports.Use])
  return made
}

/** One word in `__DATA,__data` in which dyld keeps its image loader; ld64 names it __dyld_private. */
function addLoaderCache(link: Link): void {
  const section = addInternalSection(link, '__DATA', '__data', 0, 3, CONTENT_REGULAR)
  const block = addInternalBlock(link, section, 8, 3, BLOCK_KEPT | BLOCK_LIVE, internalBytes(link, 8, 8))
  link.loaderCache = addInternalSymbol(link, nameOf(link, '__dyld_private'), block, 0, 0)
  link.symbols.Definition.flags[link.loaderCache] &= ~SYMBOL_EXTERNAL
}
