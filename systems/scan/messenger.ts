// objc_msgSend, which stubs that send a message jump to: through its GOT slot, or (-objc_stubs_small) directly or by its stub.
import { addGot, KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import { IMPORT_USED } from '../../components/imports.ts'
import type { Link } from '../../components/link.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { isLiveStub } from '../kernels/messageStubs.ts'
import { noteWanted, type Undefined } from './undefined.ts'

const REFERENCE = 'lazy binding (normally in libobjc.dylib)'

/** Returns the import that small stubs call, 0 for none. */
export function scanMessenger(link: Link, undefineds: Undefined): number {
  if (link.messenger.symbol === 0 || !hasLiveStub(link)) return 0
  const target = link.symbols.Reference.target[link.messenger.symbol]
  const small = link.settings.objcStubsSmall === true
  if (target === 0) noteWanted(undefineds, link.messenger.name, REFERENCE)
  else if ((target & TARGET_IMPORT) === 0) {
    if (!small) addGot(link.gots, KEY_LOCAL, target)
  } else {
    const made = target & 0x7fffffff
    link.imports.Library.flags[made] |= IMPORT_USED
    if (small) return made
    addGot(link.gots, KEY_IMPORT, made)
  }
  return 0
}

function hasLiveStub(link: Link): boolean {
  for (let stub = 1; stub <= link.messageStubs.count; stub++) if (isLiveStub(link, stub)) return true
  return false
}
