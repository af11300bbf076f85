// Lazy binding goes through dyld_stub_binder, whose address and dyld's cache word the stub helper needs.
import { BLOCK_KEPT, BLOCK_LIVE } from '../../components/blocks.ts'
import { addGot, KEY_IMPORT } from '../../components/gots.ts'
import { IMPORT_USED } from '../../components/imports.ts'
import {
  addInternalBlock,
  addInternalSection,
  addInternalSymbol,
  internalBytes,
  nameOf,
} from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { WHERE_IMPORT } from '../../components/names.ts'
import { CONTENT_REGULAR } from '../../components/sections.ts'
import { SYMBOL_EXTERNAL } from '../../components/symbols.ts'
import { error } from '../../src/core/messages.ts'
import { addImport, findInDylibs } from '../kernels/imports.ts'

export function prepareStubBinder(link: Link): void {
  if (link.helperEntries === 0) return
  const name = nameOf(link, 'dyld_stub_binder')
  let made = link.names.Resolution.import[name]
  if (made === 0) {
    findInDylibs(link, name)
    const provider = link.names.Offer.dylib[name]
    if (provider === 0) {
      error(
        link.messages,
        'no-stub-binder',
        'symbol dyld_stub_binder not found (normally in libSystem.dylib). Needed to perform lazy binding.',
      )
      return
    }
    made = addImport(link, name, 0)
    const { exporter } = link.dylibs[provider - 1]
    link.imports.Library.dylib[made] = exporter + 1
    link.dylibs[exporter].referenced = 2
    link.names.Resolution.where[name] = WHERE_IMPORT
  }
  link.imports.Library.flags[made] |= IMPORT_USED
  addGot(link.gots, KEY_IMPORT, made)
  link.stubBinder = made
  addLoaderCache(link)
}

/** One word in `__DATA,__data` in which dyld keeps its image loader; ld64 names it __dyld_private. */
function addLoaderCache(link: Link): void {
  const section = addInternalSection(link, '__DATA', '__data', 0, 3, CONTENT_REGULAR)
  const block = addInternalBlock(link, section, 8, 3, BLOCK_KEPT | BLOCK_LIVE, internalBytes(link, 8, 8))
  link.loaderCache = addInternalSymbol(link, nameOf(link, '__dyld_private'), block, 0, 0)
  link.symbols.Definition.flags[link.loaderCache] &= ~SYMBOL_EXTERNAL
}
