// Fixups against the sections, and against each other.
import { type FixupKind, WEAK } from './collectFixups.ts'
import { type Check, fail, hex, isZerofill, sectionAt, sectionName, warn } from './context.ts'

const KINDS = ['rebase', 'bind', 'lazy bind', 'weak bind']

function checkPlace(check: Check, address: number): void {
  const section = sectionAt(check, address)
  if (section === null) return warn(check, 'fixup-section', `fixup at ${hex(address)} is in no section`)
  const name = sectionName(section)
  if (isZerofill(section))
    return warn(check, 'fixup-section', `fixup at ${hex(address)} is in zerofill section ${name}`)
  if (address + 8 > section.address + section.size) {
    fail(check, 'fixup-section', `fixup at ${hex(address)} runs over the end of ${name}`)
  }
}

/** Kinds may share a pointer: lazy ones are rebased first, and with -bind_at_load bound at once. One kind may not be there twice. */
function checkPair(check: Check, before: number, key: number): void {
  const [a, b] = [Math.floor(before / 4), Math.floor(key / 4)]
  const kind = (key % 4) as FixupKind
  if (a === b) {
    if (before === key)
      fail(check, 'fixup-twice', `${KINDS[before % 4]} and ${KINDS[kind]} of the pointer at ${hex(a)}`)
  } else if (b < a + 8) fail(check, 'fixup-overlap', `fixups at ${hex(a)} and ${hex(b)} overlap`)
}

export function checkFixups(check: Check): void {
  const { keys } = check.fixups
  for (let i = 0; i < keys.length; i++) {
    const sameWeakBind = i > 0 && keys[i] === keys[i - 1] && keys[i] % 4 === WEAK
    if (i > 0 && !sameWeakBind) checkPair(check, keys[i - 1], keys[i])
    if (i === 0 || Math.floor(keys[i] / 4) !== Math.floor(keys[i - 1] / 4)) checkPlace(check, Math.floor(keys[i] / 4))
  }
}
