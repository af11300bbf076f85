// A program of three objects, one of which has several versions, linked as the command does with --incremental.
import { copyFileSync, linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type IncrementalResult, linkIncrementally, snapshotPath } from '../../src/incremental.ts'
import { createNodeHost, link } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import type { Target } from '../helpers/targets.ts'

export const MAKER = 'a linker'

const MAIN = `
  int printf(const char *, ...); int edited(int); int other(int); extern int shared;
  int main(int argc, char **argv) { printf("%d %d\\n", edited(argc) + shared, other(argc)); return 0; }
`
const OTHER = `
  int edited(int); int getpid(void); int puts(const char *); int shared = 3;
  int (*const hooks[])(int) = { edited };
  int other(int y) { puts("other"); return hooks[0](y) + (getpid() == 0); }
`

/** A version: what the function gives, how long it is, what it refers to. */
export interface Version {
  constant: number
  statements: number
  text?: string
  more?: string
}

function editedSource({ constant, statements, text = 'edited', more = '' }: Version): string {
  return `
    int puts(const char *); extern int shared; static int seen; _Thread_local int own = 1; ${more}
    int edited(int y) { puts("${text}"); ${'y = y * 7 + seen; seen ^= y; '.repeat(statements)} own++; return y + ${constant} + shared; }
    int behind(int y) { return y * 3 + seen; }
    int (*const list[])(int) = { edited, behind };
  `
}

export interface Program {
  target: Target
  folder: string
  output: string
  snapshot: string
  edited: string
  options: LinkOptions
  /** Compiled versions of the edited object. */
  versions: Map<string, Buffer>
  /** Arguments of the command for the same link. */
  args: string[]
}

export function createProgram(target: Target, more: Partial<LinkOptions> = {}, args: readonly string[] = []): Program {
  const folder = tempFolder()
  const edited = join(folder, 'edited.o')
  const take = (name: string, source: string) => {
    const path = join(folder, `${name}.o`)
    copyFileSync(compile(target.arch, source, { name, flags: ['-g'] }), path)
    return path
  }
  const objects = [take('main', MAIN), edited, take('other', OTHER)]
  const output = join(folder, 'out')
  const options: LinkOptions = {
    inputs: [...objects, { library: 'System' }],
    arch: target.arch,
    platform: { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 },
    fixupChains: target.fixups === 'chained',
    output,
    zeroArDate: true,
    host: createNodeHost(),
    ...more,
  }
  const words = [...target.flags, ...args, '--incremental', '-o', output, ...objects, '-lSystem']
  const program = {
    target,
    folder,
    output,
    snapshot: snapshotPath(output),
    edited,
    options,
    versions: new Map<string, Buffer>(),
    args: words,
  }
  edit(program, { constant: 1, statements: 4 })
  return program
}

/** Puts a version of the object where the linker finds it. Its source is always the same file, for the debug map names it. */
export function edit({ target, edited, versions }: Program, version: Version): void {
  const key = JSON.stringify(version)
  if (!versions.has(key)) {
    const source = edited.replace(/o$/, 'c')
    writeFileSync(source, editedSource(version))
    mustRun('clang-22', ['-target', `${target.arch}-apple-macos13`, '-O1', '-g', '-c', source, '-o', edited])
    versions.set(key, readFileSync(edited))
  }
  // As compilers do: whoever reads it has one version or the other.
  writeFileSync(`${edited}.new`, versions.get(key)!)
  renameSync(`${edited}.new`, edited)
}

export function run(program: Program, more: Partial<LinkOptions> = {}): Promise<IncrementalResult> {
  return linkIncrementally({ ...program.options, ...more }, MAKER)
}

export async function fresh(program: Program, more: Partial<LinkOptions> = {}): Promise<Buffer> {
  const { outputFiles } = await link({ layout: 'padded', ...program.options, ...more, write: false })
  return Buffer.from(outputFiles[0].contents)
}

/** Output and snapshot as they are now, to be put back: the output as the same file, by a second name. */
export function keep({ output, snapshot, folder }: Program): () => void {
  const kept = join(folder, `kept${statSync(output).ino}`)
  linkSync(output, kept)
  const bytes = readFileSync(snapshot)
  return () => {
    rmSync(output, { force: true })
    linkSync(kept, output)
    writeFileSync(snapshot, bytes)
  }
}
