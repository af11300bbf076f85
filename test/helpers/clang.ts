import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun } from './command.ts'
import { minidyldFolder, tempFolder } from './paths.ts'
import type { Arch } from './targets.ts'

export type Language = 'c' | 'c++' | 'objc' | 'asm'

export interface CompileOptions {
  language?: Language
  /** Extra arguments, last on the command line. */
  flags?: readonly string[]
  /** Deployment target, default `macos13`. */
  os?: string
  /** File name of source and object without suffix; shows in the debug map and in messages. */
  name?: string
}

const SUFFIX: Record<Language, string> = { c: 'c', 'c++': 'cpp', objc: 'm', asm: 's' }
const cache = new Map<string, string>()

/** Compiles source text with clang to an object file; returns its path. The same text and options compile once a process. */
export function compile(arch: Arch, source: string, options: CompileOptions = {}): string {
  const key = JSON.stringify([arch, source, options])
  const known = cache.get(key)
  if (known !== undefined) return known
  const object = compileFresh(arch, source, options)
  cache.set(key, object)
  return object
}

function compileFresh(arch: Arch, source: string, options: CompileOptions): string {
  const { language = 'c', flags = [], os = 'macos13', name = 'test' } = options
  const folder = tempFolder()
  const input = join(folder, `${name}.${SUFFIX[language]}`)
  const object = join(folder, `${name}.o`)
  writeFileSync(input, source)
  const include = language === 'asm' ? [] : ['-I', join(minidyldFolder, 'tests'), '-O1', '-Wno-everything']
  const standard = language === 'c++' ? ['-std=c++17'] : []
  mustRun('clang-22', ['-target', `${arch}-apple-${os}`, ...include, ...standard, '-c', input, '-o', object, ...flags])
  return object
}

/** Assembles source text; see `compile`. */
export function assemble(arch: Arch, source: string, options: CompileOptions = {}): string {
  return compile(arch, source, { ...options, language: 'asm' })
}

/** Packs objects into an archive with llvm-ar; returns its path. */
export function archive(name: string, members: readonly string[], flags = 'rcS'): string {
  const path = join(tempFolder(), name)
  mustRun('llvm-ar-22', ['--format=darwin', flags, path, ...members])
  return path
}
