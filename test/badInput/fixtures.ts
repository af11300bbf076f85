// Small inputs of every format, each with what it takes to link it; made with the system's compiler and archiver.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMemoryHost, link } from '../../src/index.ts'
import type { Input, LinkOptions } from '../../src/types.ts'
import { archive, assemble, compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import type { Arch } from '../helpers/targets.ts'
import { ASSEMBLY, CALLER, CODE, EXCEPTIONS, LIBRARY, STUB_V3, STUB_V4, STUB_V5, SYSTEM } from './sources.ts'

/** A link of `inputs` in a memory host that has `files`; `subject` is the file to spoil. */
export interface Fixture {
  name: string
  arch: Arch
  files: Readonly<Record<string, Uint8Array>>
  subject: string
  inputs: readonly (string | Input)[]
  /** The format of the subject: which fields it has. */
  kind: 'macho' | 'archive' | 'fat' | 'text'
}

export const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

/** Options of the link of a fixture; both forms of fixups take turns. */
export function optionsOf(fixture: Fixture, fixupChains: boolean): LinkOptions {
  return {
    inputs: fixture.inputs,
    arch: fixture.arch,
    platform: MACOS_13,
    fixupChains,
    write: false,
    libraryPaths: ['/lib'],
    output: '/out',
    clientName: 'client',
    errorLimit: 20,
  }
}

function read(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path))
}

function fixture(
  name: string,
  arch: Arch,
  kind: Fixture['kind'],
  subject: Uint8Array | string,
  rest: Record<string, Uint8Array> = {},
): Fixture {
  const files: Record<string, Uint8Array> = { '/lib/libSystem.tbd': new TextEncoder().encode(SYSTEM), ...rest }
  const path = `/in/${name.replaceAll(' ', '-')}`
  files[path] = typeof subject === 'string' ? new TextEncoder().encode(subject) : subject
  const inputs = [...Object.keys(rest).filter((key) => key.startsWith('/in/')), path, '/lib/libSystem.tbd']
  return { name: `${name} (${arch})`, arch, files, subject: path, inputs, kind }
}

/** C with data, literals, thread-locals, constructors, debug information; C++ with exceptions; assembly with the rare tables. */
export function objects(arch: Arch): Fixture[] {
  const code = compile(arch, CODE, { flags: ['-g', '-gdwarf-4'] })
  const exceptions = compile(arch, EXCEPTIONS, { language: 'c++' })
  const frames = compile(arch, EXCEPTIONS, {
    language: 'c++',
    flags: ['-fno-exceptions', '-fasynchronous-unwind-tables', '-Xclang', '-femit-dwarf-unwind=always'],
  })
  return [
    fixture('code.o', arch, 'macho', read(code)),
    fixture('exceptions.o', arch, 'macho', read(exceptions)),
    fixture('frames.o', arch, 'macho', read(frames)),
    fixture('assembly.o', arch, 'macho', read(assemble(arch, ASSEMBLY[arch]))),
  ]
}

/** BSD, GNU and thin archives of two members, one of which the caller wants. */
export function archives(arch: Arch): Fixture[] {
  const caller = { '/in/caller.o': read(compile(arch, CALLER)) }
  const members = [
    compile(arch, LIBRARY, { name: 'a_member_with_a_long_name' }),
    compile(arch, 'int unused(void) { return 7; }', { name: 'unused' }),
  ]
  return [
    fixture('bsd.a', arch, 'archive', read(archive('bsd.a', members, 'rcs')), caller),
    fixture('gnu.a', arch, 'archive', read(gnuArchive(members)), caller),
    fixture('noindex.a', arch, 'archive', read(archive('noindex.a', members, 'rcS')), caller),
    fixture('thin.a', arch, 'archive', ...thinArchive(arch, caller)),
  ]
}

function gnuArchive(members: readonly string[]): string {
  const path = join(tempFolder(), 'gnu.a')
  mustRun('llvm-ar-22', ['--format=gnu', 'rcs', path, ...members])
  return path
}

function thinArchive(arch: Arch, caller: Record<string, Uint8Array>): [Uint8Array, Record<string, Uint8Array>] {
  const folder = tempFolder()
  const object = read(compile(arch, LIBRARY))
  mkdirSync(join(folder, 'members'))
  writeFileSync(join(folder, 'members/library.o'), object)
  mustRun('llvm-ar-22', ['--format=gnu', '--thin', 'rcs', 'thin.a', 'members/library.o'], { cwd: folder })
  return [
    read(join(folder, 'thin.a')),
    { ...caller, '/members/library.o': object, '/in/members/library.o': object },
  ].map((part) => part) as [Uint8Array, Record<string, Uint8Array>]
}

/** A universal file with the library for both architectures. */
export function universals(arch: Arch): Fixture[] {
  const path = join(tempFolder(), 'fat.o')
  mustRun('llvm-lipo-22', ['-create', compile('x86_64', LIBRARY), compile('arm64', LIBRARY), '-output', path])
  return [fixture('fat.o', arch, 'fat', read(path), { '/in/caller.o': read(compile(arch, CALLER)) })]
}

/** A dylib that our own linker makes, with exports, a re-export and an rpath. */
export async function dylibs(arch: Arch): Promise<Fixture[]> {
  const caller = { '/in/caller.o': read(compile(arch, CALLER)) }
  const made: Fixture[] = []
  for (const fixupChains of [true, false]) {
    const host = createMemoryHost({ '/library.o': read(compile(arch, LIBRARY)), '/libSystem.tbd': SYSTEM })
    const options: LinkOptions = {
      inputs: ['/library.o', { path: '/libSystem.tbd', reexport: true }],
      arch,
      platform: MACOS_13,
      outputType: 'dylib',
      installName: '/lib/libmade.dylib',
      rpaths: ['/here'],
      fixupChains,
      write: false,
      host,
    }
    const { outputFiles } = await link(options)
    made.push(fixture(fixupChains ? 'chained.dylib' : 'opcodes.dylib', arch, 'macho', outputFiles[0].contents, caller))
  }
  return made
}

/** Stubs of versions 3, 4 and 5. */
export function stubs(arch: Arch): Fixture[] {
  const caller = { '/in/caller.o': read(compile(arch, CALLER)) }
  return [
    fixture('v3.tbd', arch, 'text', STUB_V3, caller),
    fixture('v4.tbd', arch, 'text', STUB_V4, caller),
    fixture('v5.tbd', arch, 'text', STUB_V5, caller),
  ]
}

/** An object made by hand. */
export function objectFixture(object: Uint8Array, arch: Arch): Fixture {
  return fixture('made.o', arch, 'macho', object)
}

/** A library made by hand, with the files beside it; those in /in are inputs too. */
export function libraryFixture(library: Uint8Array, others: Record<string, Uint8Array>): Fixture {
  return fixture('made.library', 'x86_64', 'text', library, others)
}
