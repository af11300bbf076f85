// Options that name segments and sections.
import { VM_PROT_EXECUTE, VM_PROT_READ, VM_PROT_WRITE } from '../formats/macho/constants.ts'
import { type Messages, error } from '../core/messages.ts'
import { type ArgumentList, all, asGiven } from './argumentList.ts'
import type { Draft } from './draft.ts'
import type { Argument } from './parseArguments.ts'
import { parseHex } from './parseVersion.ts'

export function layoutOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  renameOptions(draft, args, messages)
  const aligned = all(args, '-sectalign').flatMap((argument) => sectAlign(argument, messages) ?? [])
  if (aligned.length > 0) draft.sectAlign = aligned
  const protections = all(args, '-segprot').map((argument) => segProt(draft, argument, messages))
  if (protections.length > 0) draft.segmentProtections = protections
  const addresses = all(args, '-segaddr').flatMap((argument) => segAddr(argument, messages) ?? [])
  if (addresses.length > 0) draft.segmentAddresses = addresses
  const created = all(args, '-sectcreate').map(({ values: [segment = '', section = '', path = ''] }) => ({
    segment,
    section,
    path,
  }))
  if (created.length > 0) draft.sectCreate = created
  const empty = all(args, '-add_empty_section').map(
    ({ values: [segment = '', section = ''] }) => [segment, section] as const,
  )
  if (empty.length > 0) draft.addEmptySections = empty
}

function renameOptions(draft: Draft, args: ArgumentList, messages: Messages): void {
  const sections = all(args, '-rename_section')
  const segments = all(args, '-rename_segment')
  for (const { values } of [...sections, ...segments]) for (const name of values) checkName(name, messages)
  if (sections.length > 0)
    draft.renameSections = sections.map(({ values: [a = '', b = '', c = '', d = ''] }) => [a, b, c, d] as const)
  if (segments.length > 0) draft.renameSegments = segments.map(({ values: [a = '', b = ''] }) => [a, b] as const)
}

/** ld64.lld takes every punctuation mark but `.`, `$` and `_` for a mistake. */
function checkName(name: string, messages: Messages): void {
  if (/[!-#%-\-/:-@[-^`{-~]/.test(name)) error(messages, 'bad-name', `invalid name for segment or section: ${name}`)
}

function sectAlign({ values: [segment = '', section = '', text = ''] }: Argument, messages: Messages) {
  const align = parseHex(text)
  if (align === null || align > 0xffffffff)
    error(messages, 'bad-alignment', `-sectalign: failed to parse '${text}' as number`)
  else if (align === 0 || 2 ** Math.round(Math.log2(align)) !== align)
    error(messages, 'bad-alignment', `-sectalign: '${text}' (in base 16) not a power of two`)
  else return [{ segment, section, align }]
  return null
}

function segProt(draft: Draft, argument: Argument, messages: Messages) {
  const [segment = '', maxText = '', initText = ''] = argument.values
  const max = protection(maxText, messages)
  const init = protection(initText, messages)
  const onMac = draft.platform?.name === 'macos' || draft.platform?.name === 'mac-catalyst'
  const given = `invalid argument '${asGiven(argument)}'`
  if (onMac && init > max) error(messages, 'bad-protection', `${given}: init must not be more permissive than max`)
  if (!onMac && init !== max)
    error(messages, 'bad-protection', `${given}: max and init must be the same for non-macOS non-i386 archs`)
  if (segment === '__LINKEDIT')
    error(messages, 'bad-protection', "-segprot cannot be used to change __LINKEDIT's protections")
  return { segment, max, init }
}

function protection(text: string, messages: Messages): number {
  let bits = 0
  for (const letter of text) {
    if (letter === 'r') bits |= VM_PROT_READ
    else if (letter === 'w') bits |= VM_PROT_WRITE
    else if (letter === 'x') bits |= VM_PROT_EXECUTE
    else if (letter !== '-') {
      error(messages, 'bad-protection', `unknown -segprot letter '${letter}' in ${text}`)
      return 0
    }
  }
  return bits
}

function segAddr({ values: [segment = '', text = ''] }: Argument, messages: Messages) {
  const address = parseHex(text)
  if (address !== null) return [[segment, address] as const]
  error(messages, 'bad-number', `-segaddr: number expected, but got '${text}'`)
  return null
}
