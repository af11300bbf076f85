// The project's own inputs at scale: seeded objects as clang lays them out, written to a folder with all that a link of them needs.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Arch } from '../src/types.ts'
import { type SyntheticOptions, syntheticObjects } from './synthetic/program.ts'

export type Preset = 'small' | 'medium' | 'large'

export const presets: Readonly<Record<Preset, { objects: number; functions: number }>> = {
  small: { objects: 50, functions: 40 },
  medium: { objects: 1000, functions: 100 },
  large: { objects: 10000, functions: 100 },
}

export const defaultCache: string = join(tmpdir(), 'colonnade-bench')

/** A program on disk. `response` is the file for `LINKER @response -o x`; the linked program prints `expected` and a newline. */
export interface SyntheticFiles {
  folder: string
  response: string
  expected: string
  inputs: string[]
  stub: string
}

/** Part of the folder's name; a change of what is generated takes another one. */
export const VERSION = 3
const FOLDER_SIZE = 1000

const MAIN = `typedef unsigned (*function)(unsigned);
extern function *const bench_tables[];
int printf(const char *, ...);
int main(void) {
  unsigned sum = 0;
  for (function *const *t = bench_tables; *t; t++)
    for (function *f = *t; *f; f++) sum = (sum + (*f)(1)) * 33;
  printf("checksum %08x\\n", sum);
  return 0;
}
`

const STUB = `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/lib/libSystem.B.dylib'
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ _abs, _labs, _toupper, _tolower, _printf, _puts, _strlen, _memset, dyld_stub_binder,
               ___stack_chk_fail, ___stack_chk_guard ]
...
`

/** Writes a stub of libSystem where `-syslibroot folder -lSystem` finds it; returns its path. */
export function writeStub(folder: string): string {
  const path = join(folder, 'usr/lib/libSystem.tbd')
  mkdirSync(join(folder, 'usr/lib'), { recursive: true })
  writeFileSync(path, STUB)
  return path
}

/** Makes the program in a folder under `cache`, or finds it there. Needs clang 22 for its main.o. */
export function makeSynthetic(options: SyntheticOptions, cache: string = defaultCache): SyntheticFiles {
  const { arch, objects, functions, references = 8, seed = 1, debug = false } = options
  const folder = join(
    cache,
    `synthetic-${VERSION}-${arch}-${objects}-${functions}-${references}-${seed}${debug ? '-debug' : ''}`,
  )
  makeFolder(folder, (fresh) => writeProgram(options, fresh, folder))
  return {
    folder,
    response: join(folder, 'link.rsp'),
    expected: readFileSync(join(folder, 'expected'), 'utf8').trim(),
    inputs: readFileSync(join(folder, 'filelist'), 'utf8').trim().split('\n'),
    stub: join(folder, 'usr/lib/libSystem.tbd'),
  }
}

export function makePreset(arch: Arch, preset: Preset, cache?: string): SyntheticFiles {
  return makeSynthetic({ arch, ...presets[preset] }, cache)
}

/** Has `write` fill a folder beside `folder`, which takes its name when all is there; one with a link.rsp is done. */
export function makeFolder(folder: string, write: (fresh: string) => void): void {
  if (existsSync(join(folder, 'link.rsp'))) return
  rmSync(folder, { recursive: true, force: true })
  const fresh = `${folder}.${process.pid}`
  write(fresh)
  renameSync(fresh, folder)
}

/** Writes to `folder`; the paths in it are those that hold once it is called `name`. */
function writeProgram(options: SyntheticOptions, folder: string, name: string): void {
  mkdirSync(folder, { recursive: true })
  writeStub(folder)
  compileMain(options.arch, folder)
  const inputs = [join(name, 'main.o')]
  const sum = writeObjects(options, folder, (path) => inputs.push(join(name, path)))
  writeFileSync(join(folder, 'expected'), `checksum ${sum.toString(16).padStart(8, '0')}\n`)
  writeResponse(options.arch, inputs, ['System'], folder, name)
}

/** The files `filelist` and `link.rsp` of a folder that will be called `name` and holds the stubs of the libraries. */
export function writeResponse(
  arch: Arch,
  inputs: readonly string[],
  libraries: readonly string[],
  folder: string,
  name: string,
): void {
  writeFileSync(join(folder, 'filelist'), `${inputs.join('\n')}\n`)
  const lines = [`-arch ${arch}`, '-platform_version macos 13.0 13.0', `-syslibroot ${name}`]
  lines.push(`-filelist ${join(name, 'filelist')}`, ...libraries.map((library) => `-l${library}`))
  writeFileSync(join(folder, 'link.rsp'), `${lines.join('\n')}\n`)
}

/** A directory holds at most FOLDER_SIZE objects. Returns the checksum. */
function writeObjects(options: SyntheticOptions, folder: string, wrote: (path: string) => void): number {
  const objects = syntheticObjects(options)
  for (let i = 0; ; i++) {
    const next = objects.next()
    if (next.done) return next.value
    const group = `o${Math.floor(i / FOLDER_SIZE)}`
    if (i % FOLDER_SIZE === 0) mkdirSync(join(folder, group))
    writeFileSync(join(folder, group, next.value.name), next.value.bytes)
    wrote(join(group, next.value.name))
  }
}

/** main.o of a program of `syntheticObjects`. */
export function compileMain(arch: Arch, folder: string): void {
  const source = join(folder, 'main.c')
  writeFileSync(source, MAIN)
  const args = ['-target', `${arch}-apple-macos13`, '-O2', '-c', source, '-o', join(folder, 'main.o')]
  const done = spawnSync('clang-22', args, { encoding: 'utf8' })
  if (done.error) throw done.error
  if (done.status !== 0) throw new Error(`clang-22: status ${done.status}\n${done.stderr}`)
}
