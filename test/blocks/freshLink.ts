// The same blocks by another way: an object of them that an ordinary linker links, and what that means differently.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { randomFrom } from '../../bench/random.ts'
import { type BlockHandle, type BlockImage, type BlockUpdate, createImage } from '../../src/blocks.ts'
import { link } from '../../src/node.ts'
import { compareImages, type Difference } from '../compare/compareImages.ts'
import { lld } from '../helpers/lld.ts'
import { tempFolder } from '../helpers/paths.ts'
import { type Target, targetOptions } from '../helpers/targets.ts'
import { buildAfresh, finish, type Model } from './model.ts'

export type Linker = 'ours' | 'lld'

/** What linkers find the imports of the model in; others are looked up at run time. */
const LIBRARY = `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: /usr/lib/libSystem.B.dylib
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ dyld_stub_binder, _printf, _exit, _abs, _puts, _malloc, _free, _getpid, _nor_this ]
...
`

/** An object of the model's blocks, without padding, which would count as contents. */
export function objectOf(model: Model, random: ReturnType<typeof randomFrom>): Uint8Array {
  const image = createImage({ arch: model.arch, outputType: 'object' })
  const object: BlockImage = {
    ...image,
    updateBlock: (block: BlockHandle, update: BlockUpdate) => image.updateBlock(block, { ...update, align: 1 }),
  }
  finish(model, object, buildAfresh(model, object, random))
  const { messages, contents } = image.flush()
  assert.deepEqual(messages, [])
  return contents!
}

/** A program or, where it has a name to be installed by, a library. */
export async function linkObject(
  target: Target,
  object: Uint8Array,
  installName: string | null,
  linker: Linker,
): Promise<Uint8Array> {
  const folder = tempFolder()
  const [input, library, output] = ['blocks.o', 'libSystem.tbd', 'linked'].map((name) => join(folder, name))
  writeFileSync(input, object)
  writeFileSync(library, LIBRARY)
  if (linker === 'lld') {
    const dylib = installName === null ? [] : ['-dylib', '-install_name', installName]
    const flags = [...target.flags, '-undefined', 'dynamic_lookup', ...dylib]
    const { status, stderr } = lld([...flags, input, library, '-o', output])
    assert.equal(status, 0, stderr)
  } else {
    const dylib = installName === null ? {} : ({ outputType: 'dylib', installName } as const)
    const inputs = [input, library]
    await link({ inputs, output, undefined: 'dynamic_lookup', ...dylib, ...targetOptions(target) })
  }
  return readFileSync(output)
}

/** Kinds of facts that are places, not meaning. */
const LAYOUT = new Set(['order', 'alignment', 'section header'])
/** What linkers add of their own accord. */
const ADDED = new Set(['LC_FUNCTION_STARTS', 'LC_DATA_IN_CODE', '__mh_execute_header', 'dyld_stub_binder'])

/** Calls of what may move go through stubs, and those of weak names through the GOT whatever the form of fixups. */
function meaning(text: string | null): string | null {
  const direct = text?.replace(/stub\(__got\(rebase (.*)\)\)$/, '$1') ?? null
  return direct?.replaceAll('__la_symbol_ptr(', '__got(') ?? null
}

function isPolicy({ kind, subject, ours, theirs }: Difference): boolean {
  if (LAYOUT.has(kind) || kind === 'function start') return true
  // Entries that one side lacks, or has left: fields say what leads through which entry to what.
  if (kind === 'stub helper' && theirs === null) return true
  const entry = /(__got|__la_symbol_ptr)\(/.test(subject) && (ours === null || theirs === null)
  if ((kind === 'fixup' || kind === 'indirect') && entry) return true
  if (ours === null && ADDED.has(subject)) return true
  // Imports that no field refers to, room between blocks, slots that linkers spare.
  if (kind === 'symbol' && theirs === null && ours!.startsWith('undef, ')) return true
  if (theirs === null && subject.startsWith('rest of ')) return true
  if (kind === 'relaxation') return theirs === 'computes the address'
  return ours !== null && meaning(ours) === meaning(theirs)
}

/** What an edited image and one that was linked of its blocks mean differently. */
export function linkedDifferences(edited: Uint8Array, linked: Uint8Array, object: Uint8Array): Difference[] {
  const inputs = [{ name: 'blocks.o', bytes: object }]
  const { differences, compared } = compareImages(edited, linked, { inputs })
  assert.ok(compared.symbol! > 20 && compared.field! > 20)
  return differences.filter((one) => !isPolicy(one))
}
