import { addContentFacts } from './atomFacts.ts'
import { addCommandFacts } from './commandFacts.ts'
import { type Exception, exceptions } from './exceptions.ts'
import { addFact, type Facts } from './facts.ts'
import { type Image, readImage } from './image.ts'
import { type InputFile, type InputObject, readInputs } from './inputs.ts'
import { compareMembers } from './members.ts'
import { placeInputs } from './place.ts'
import { addSymbolFacts } from './symbolFacts.ts'
import { addUnwindFacts } from './unwindFacts.ts'

// Compares two images linked from the same inputs by what they mean: addresses are read as the symbols they stand for.

// `kind` is the kind of fact, `subject` what it is about; a side is null where the image does not say it at all.
export interface Difference {
  kind: string
  subject: string
  ours: string | null
  theirs: string | null
}

export interface CompareOptions {
  // The objects and archives of the link. Without them bytes are compared as they are: code matches at equal layout only.
  inputs?: InputFile[]
  exceptions?: readonly Exception[]
}

export interface Comparison {
  differences: Difference[]
  excepted: Record<string, number>
  compared: Record<string, number>
}

function placedImage(bytes: Uint8Array, objects: InputObject[]): Image {
  const image = readImage(bytes)
  placeInputs(image, objects)
  return image
}

/** All that an image says (see the *Facts files), with addresses replaced by names. Its input objects are placed. */
export function describeImage(image: Image): Facts {
  const facts: Facts = new Map()
  // A table that cannot be read is itself a fact, so that one damaged table hides no other difference.
  for (const add of [addCommandFacts, addContentFacts, addUnwindFacts, addSymbolFacts]) {
    try {
      add(facts, image)
    } catch (error) {
      addFact(facts, 'unreadable', add.name, String(error))
    }
  }
  facts.set('placed', new Map([['input atoms', `${image.addressOf.size}`]]))
  return facts
}

// An order is compared by what both sides have: what one lacks is a difference of another kind.
function alignOrders(a: Facts, b: Facts): void {
  const ours = a.get('order') ?? new Map<string, string>()
  const theirs = b.get('order') ?? new Map<string, string>()
  for (const [subject, text] of ours) {
    const other = theirs.get(subject)
    if (other === undefined || other === text) continue
    const [left, right] = [text.split('\n'), other.split('\n')]
    const [inLeft, inRight] = [new Set(left), new Set(right)]
    ours.set(subject, left.filter((element) => inRight.has(element)).join('\n'))
    theirs.set(subject, right.filter((element) => inLeft.has(element)).join('\n'))
  }
}

function differencesOf(kind: string, ours: Map<string, string>, theirs: Map<string, string>): Difference[] {
  const differences: Difference[] = []
  for (const [subject, value] of ours) {
    const other = theirs.get(subject) ?? null
    if (other !== value || kind === 'unreadable') differences.push({ kind, subject, ours: value, theirs: other })
  }
  for (const [subject, value] of theirs) {
    if (!ours.has(subject)) differences.push({ kind, subject, ours: null, theirs: value })
  }
  return differences
}

/** Compares two images; `compared` counts our facts by kind. Throws on files that are no 64-bit Mach-O
 * or whose fixups cannot be decoded; any other damage is a difference of kind `unreadable`. */
export function compareImages(ours: Uint8Array, theirs: Uint8Array, options: CompareOptions = {}): Comparison {
  const cpu = new DataView(ours.buffer, ours.byteOffset).getUint32(4, true)
  const objects = readInputs(options.inputs ?? [], cpu)
  const images = [placedImage(ours, objects), placedImage(theirs, objects)] as const
  const members = compareMembers(...images, objects)
  const a = describeImage(images[0])
  const b = describeImage(images[1])
  alignOrders(a, b)
  const result: Comparison = { differences: [], excepted: {}, compared: {} }
  for (const kind of new Set([...a.keys(), ...b.keys()])) {
    const left = a.get(kind) ?? new Map()
    const right = b.get(kind) ?? new Map()
    result.compared[kind] = left.size
    for (const difference of differencesOf(kind, left, right)) {
      const exception = (options.exceptions ?? exceptions).find((e) => e.matches(difference, members))
      if (exception === undefined) result.differences.push(difference)
      else result.excepted[exception.id] = (result.excepted[exception.id] ?? 0) + 1
    }
  }
  return result
}
