// A stub of a library as large as those of an SDK, which passes others on, and objects that call into all of them.
import type { Arch } from '../../src/types.ts'
import { addMain } from './mainFunction.ts'
import { createObject, finishObject } from './objectFile.ts'

export interface SdkSize {
  libraries: number
  /** Exports of each library. */
  symbols: number
}

const LINE = 6

function symbolName(library: number, i: number): string {
  return `_sdk_${String(library).padStart(3, '0')}_operation_${String(i).padStart(5, '0')}`
}

function installName(library: number): string {
  return `/usr/lib/system/libsdk${library}.dylib`
}

function lines(names: readonly string[]): string {
  const parts: string[] = []
  for (let i = 0; i < names.length; i += LINE) parts.push(names.slice(i, i + LINE).join(', '))
  return parts.join(',\n               ')
}

/** Text-based stub, version 4: the umbrella's document, then one for each library that it passes on. */
export function sdkStub({ libraries, symbols }: SdkSize): string {
  const targets = '[ x86_64-macos, arm64-macos, x86_64-maccatalyst, arm64-maccatalyst ]'
  const all = Array.from({ length: libraries }, (_, library) => library)
  const head = (name: string) => `--- !tapi-tbd\ntbd-version: 4\ntargets: ${targets}\ninstall-name: '${name}'\n`
  const umbrella = `${head('/usr/lib/libsdk.dylib')}reexported-libraries:
  - targets: ${targets}
    libraries: [ ${lines(all.map((library) => `'${installName(library)}'`))} ]
`
  const parts = all.map((library) => {
    const names = Array.from({ length: symbols }, (_, i) => symbolName(library, i))
    return `${head(installName(library))}exports:
  - targets: ${targets}
    symbols: [ ${lines(names)} ]
`
  })
  return `${[umbrella, ...parts].join('')}...\n`
}

/** Yields the bytes of `objects` objects with `calls` calls each; the first has `_main`. */
export function* sdkObjects(arch: Arch, size: SdkSize, objects: number, calls: number): Generator<Uint8Array, void> {
  for (let index = 0; index < objects; index++) {
    const object = createObject(arch)
    const callees = Array.from({ length: calls }, (_, i) => {
      const drawn = Math.imul(index * calls + i + 1, 0x9e3779b1) >>> 4
      return symbolName(drawn % size.libraries, Math.floor(drawn / size.libraries) % size.symbols)
    })
    addMain(object, index === 0 ? '_main' : `_unit${index}`, [...new Set(callees)])
    yield finishObject(object)
  }
}
