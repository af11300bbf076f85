// Names of stubs that send one message: `_objc_msgSend$` and the selector.
import { nameOf } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { NAME_STRONG_REF, WHERE_UNDEFINED, WHERE_UNKNOWN } from '../../components/names.ts'
import { fromText } from '../../src/core/bytes.ts'
import { sameBytes } from '../../src/core/hash.ts'

const PREFIX: Uint8Array = fromText('_objc_msgSend$')

/** Characters before the selector. */
export const MESSAGE_PREFIX: number = PREFIX.length

export function isMessageName(link: Link, name: number): boolean {
  const { arena, offset, length } = link.names.Text
  if (length[name] < PREFIX.length) return false
  return sameBytes(link.arenas.list[arena[name]].bytes, offset[name], PREFIX, 0, PREFIX.length)
}

/** The first stub asks for objc_msgSend, as a reference would. Returns 1 when that is new: it must be looked for. */
export function wantMessenger(link: Link, name: number): number {
  if (link.messenger.name !== 0 || !isMessageName(link, name)) return 0
  const { Resolution } = link.names
  const messenger = nameOf(link, '_objc_msgSend')
  if (Resolution.where[messenger] === WHERE_UNKNOWN) Resolution.where[messenger] = WHERE_UNDEFINED
  Resolution.flags[messenger] |= NAME_STRONG_REF
  link.messenger.name = messenger
  return 1
}
