// The links that are timed, each as a command and as a call of the library does it. Inputs are made once and kept.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Arch, LinkOptions } from '../src/types.ts'
import { compileMain, makeFolder, makeSynthetic, VERSION, writeResponse, writeStub } from './synthetic.ts'
import { writeArchive } from './synthetic/archive.ts'
import { type SyntheticObject, type SyntheticOptions, syntheticObjects } from './synthetic/program.ts'
import { sdkObjects, sdkStub } from './synthetic/sdk.ts'
import { stringObjects } from './synthetic/strings.ts'

export interface LinkJob {
  arch: Arch
  /** Paths, in order; `libraries` come behind them. */
  inputs: readonly string[]
  libraries: readonly string[]
  /** usr/lib below it holds the libraries' stubs. */
  syslibroot: string
  /** File with the same as arguments, all but -o. */
  response: string
}

/** Makes the inputs of a job in a folder under `cache`, or finds them there. */
export type JobMaker = (arch: Arch, cache: string) => LinkJob

const MACOS_13 = 0x000d0000

export const root: string = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** By name, the links of `npm run bench`. What takes long to make or to link comes last. */
export const jobs: Readonly<Record<string, JobMaker>> = {
  hello,
  '1k functions': program({ objects: 25, functions: 40 }),
  '50k functions': program({ objects: 500, functions: 100 }),
  'archive-heavy': (arch, cache) => archives(arch, cache, { members: 500, spare: 2000 }),
  'tbd-heavy': (arch, cache) => sdk(arch, cache, { libraries: 40, symbols: 2000 }),
  'string-heavy': (arch, cache) => strings(arch, cache, 200, 1000),
  'debug-map-heavy': program({ objects: 500, functions: 40, debug: true }),
  '1M functions': program({ objects: 10000, functions: 100 }),
}

export function jobOptions({ arch, inputs, libraries, syslibroot }: LinkJob): LinkOptions {
  return {
    arch,
    platform: { name: 'macos', minVersion: MACOS_13, sdkVersion: MACOS_13 },
    inputs: [...inputs.map((path) => ({ path })), ...libraries.map((library) => ({ library }))],
    syslibroots: [syslibroot],
  }
}

/** Paths of the example's objects, which are in the repository. */
export function helloInputs(arch: Arch): string[] {
  return ['hello.o', 'orders.o', 'libtext.a'].map((name) => join(root, 'examples/objects', arch, name))
}

function hello(arch: Arch, cache: string): LinkJob {
  return job(arch, join(cache, `hello-${VERSION}-${arch}`), ['System'], () => helloInputs(arch))
}

/** The program of `syntheticObjects`, in files of its own. */
export function program(size: Omit<SyntheticOptions, 'arch'>): JobMaker {
  return (arch, cache) => {
    const { folder, response, inputs } = makeSynthetic({ arch, ...size }, cache)
    return { arch, inputs, libraries: ['System'], syslibroot: folder, response }
  }
}

/** A folder with the stub of libSystem and what `write` puts there; `write` returns the inputs' paths, relative ones below it. */
function job(arch: Arch, folder: string, libraries: readonly string[], write: (fresh: string) => string[]): LinkJob {
  makeFolder(folder, (fresh) => {
    mkdirSync(fresh, { recursive: true })
    writeStub(fresh)
    const inputs = write(fresh).map((path) => resolve(folder, path))
    writeResponse(arch, inputs, libraries, fresh, folder)
  })
  const inputs = readFileSync(join(folder, 'filelist'), 'utf8').trim().split('\n')
  return { arch, inputs, libraries, syslibroot: folder, response: join(folder, 'link.rsp') }
}

const MEMBERS = 25
const SPARE_MEMBERS = 100

/** A program out of archives, of which it needs every member, beside archives of another, of which it needs none. */
export function archives(arch: Arch, cache: string, size: { members: number; spare: number }): LinkJob {
  const folder = join(cache, `archives-${VERSION}-${arch}-${size.members}-${size.spare}`)
  return job(arch, folder, ['System'], (fresh) => {
    compileMain(arch, fresh)
    const objects = [...syntheticObjects({ arch, objects: size.members, functions: 20 })]
    const tables = objects.pop()!
    const spare = [...syntheticObjects({ arch, objects: size.spare, functions: 10, space: 'spare' })]
    writeFileSync(join(fresh, tables.name), tables.bytes)
    return [
      'main.o',
      tables.name,
      ...packed(fresh, 'spare', spare, SPARE_MEMBERS),
      ...packed(fresh, 'a', objects, MEMBERS),
    ]
  })
}

function packed(folder: string, name: string, objects: readonly SyntheticObject[], each: number): string[] {
  const paths: string[] = []
  for (let i = 0; i < objects.length; i += each) {
    paths.push(`lib${name}${i / each}.a`)
    writeFileSync(join(folder, paths[paths.length - 1]), writeArchive(objects.slice(i, i + each)))
  }
  return paths
}

/** Few objects that call into stubs with many exports, most of them passed on by another library. */
export function sdk(arch: Arch, cache: string, size: { libraries: number; symbols: number }): LinkJob {
  const folder = join(cache, `sdk-${VERSION}-${arch}-${size.libraries}-${size.symbols}`)
  return job(arch, folder, ['sdk', 'System'], (fresh) => {
    writeFileSync(join(fresh, 'usr/lib/libsdk.tbd'), sdkStub(size))
    return written(fresh, sdkObjects(arch, size, 20, 250))
  })
}

/** String literals and pointers to them, half of the strings in every object. */
export function strings(arch: Arch, cache: string, objects: number, each: number): LinkJob {
  const folder = join(cache, `strings-${VERSION}-${arch}-${objects}-${each}`)
  return job(arch, folder, ['System'], (fresh) => written(fresh, stringObjects(arch, objects, each)))
}

function written(folder: string, objects: Iterable<Uint8Array>): string[] {
  return Array.from(objects, (bytes, i) => {
    writeFileSync(join(folder, `u${i}.o`), bytes)
    return `u${i}.o`
  })
}
