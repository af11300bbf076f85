import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { createNodeHost } from '../../src/host/node.ts'
import { link } from '../../src/link.ts'
import { runLd64 } from '../../src/cli/runLd64.ts'
import { compareImages } from '../compare/compareImages.ts'
import { describeDifferences } from '../compare/describeDifferences.ts'
import { assemble, compile } from './clang.ts'
import { type Outcome, mustRun } from './command.ts'
import { ran } from './count.ts'
import { lld } from './lld.ts'
import { libSystem, tempFolder } from './paths.ts'
import { type Arch, type Target, archs, createTarget } from './targets.ts'

/** A folder in which a case makes its inputs; all names are relative to it. */
export interface Workbench {
  target: Target
  arch: Arch
  /** Assembles to `name`.o and returns that name; `os` is the deployment target of the triple. */
  asm: (name: string, source: string, os?: string) => string
  c: (name: string, source: string, ...flags: string[]) => string
  archive: (name: string, members: readonly string[], flags?: string) => string
  /** Writes a file and returns its name. */
  file: (name: string, contents: string | Uint8Array) => string
  run: (file: string, ...args: string[]) => string
  /** ld64.lld makes a library that the case links. */
  library: (name: string, ...args: string[]) => string
}

export interface Expected {
  /** What both say; nothing by default. */
  says?: RegExp
  status?: number
  env?: Record<string, string>
  /** Files that both write beside the output, compared as text. */
  files?: readonly string[]
  /** Deployment target, default macos 13.0. */
  platform?: readonly [string, string]
  /** Only one form of fixups, which the case names itself if it has to. */
  once?: boolean
  only?: Arch
  /** What the output must hold, for features that a comparison might pass over. */
  shows?: (bench: Workbench, image: Uint8Array) => void
}

export type Prepare = (bench: Workbench) => readonly string[]

/**
 * Tests that we and ld64.lld link the arguments that `prepare` returns (behind -arch, -platform_version and the fixup form) to
 * images that compare as equal, or say the same words. The output is `out`; libSystem.tbd is in the folder.
 */
export function agree(title: string, prepare: Prepare, expected: Expected = {}): void {
  for (const arch of expected.only === undefined ? archs : [expected.only]) {
    for (const form of expected.once ? (['chained'] as const) : (['chained', 'opcodes'] as const)) {
      const target = createTarget(arch, form)
      test(`${title} (${target.name})`, () => compareLinks(target, prepare, expected))
    }
  }
}

function createWorkbench(target: Target, folder: string): Workbench {
  const { arch } = target
  const run = (file: string, ...args: string[]) => mustRun(file, args, { cwd: folder })
  const file = (name: string, contents: string | Uint8Array) => {
    writeFileSync(join(folder, name), contents)
    return name
  }
  const take = (name: string, object: string) => {
    copyFileSync(object, join(folder, `${name}.o`))
    return `${name}.o`
  }
  const bench: Workbench = {
    target,
    arch,
    run,
    file,
    asm: (name, source, os = 'macos13') => take(name, assemble(arch, source, { name, os })),
    c: (name, source, ...flags) => take(name, compile(arch, source, { name, flags })),
    archive: (name, members, flags = 'rcS') => {
      run('llvm-ar-22', '--format=darwin', flags, name, ...members)
      return name
    },
    library: (name, ...args) => {
      const output = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', '-dylib', '-o', name]
      run('ld64.lld-22', ...output, '-install_name', `@rpath/${basename(name)}`, ...args, 'libSystem.tbd')
      return name
    },
  }
  file('libSystem.tbd', readFileSync(libSystem, 'utf8'))
  return bench
}

async function compareLinks(target: Target, prepare: Prepare, expected: Expected): Promise<void> {
  const folder = tempFolder()
  const bench = createWorkbench(target, folder)
  const [system, version] = expected.platform ?? ['macos', '13.0']
  const form = expected.once ? [] : target.flags.slice(-1)
  const fixed = ['-arch', target.arch, '-platform_version', system, version, version, ...form, '-o', 'out']
  const args = [...fixed, ...prepare(bench)]
  const theirs = collect(folder, lld(args, { cwd: folder, env: expected.env ?? {} }), expected)
  const ours = collect(folder, await colonnadeHere(args, folder, expected.env ?? {}), expected)
  assert.equal(ours.said, theirs.said)
  assert.equal(ours.status, theirs.status)
  if (expected.status !== -1) assert.equal(theirs.status, expected.status ?? 0, theirs.said)
  assert.match(theirs.said, expected.says ?? /^$/)
  assert.deepEqual(ours.files, theirs.files)
  assert.equal(ours.image === null, theirs.image === null)
  if (ours.image === null || theirs.image === null) return
  const { differences } = compareImages(ours.image, theirs.image)
  assert.equal(describeDifferences(differences, 5).join('\n'), '')
  ran(target.arch, target.fixups)
  expected.shows?.(bench, ours.image)
}

/** Runs our command in this process, in `folder`. */
async function colonnadeHere(args: readonly string[], folder: string, env: Record<string, string>): Promise<Outcome> {
  const outcome: Outcome = { status: -1, stdout: '', stderr: '' }
  const back = process.cwd()
  process.chdir(folder)
  try {
    outcome.status = await runLd64(args, {
      stdout: (text) => {
        outcome.stdout += text
      },
      stderr: (text) => {
        outcome.stderr += text
      },
      env,
      cwd: folder,
      host: createNodeHost(),
      link,
      program: 'ld64.lld',
    })
  } finally {
    process.chdir(back)
  }
  return outcome
}

interface Side {
  status: number
  said: string
  files: (string | null)[]
  image: Uint8Array | null
}

/** What a link left behind, taken away for the next one. */
function collect(folder: string, { status, stdout, stderr }: Outcome, expected: Expected): Side {
  const said = (stdout + stderr).replace(/^ld64\.lld(-22)?: /gm, '')
  const files = (expected.files ?? []).map((name) => {
    const path = join(folder, name)
    const text = existsSync(path) ? readFileSync(path, 'utf8') : null
    rmSync(path, { force: true })
    return text
  })
  const output = join(folder, 'out')
  const image = existsSync(output) ? new Uint8Array(readFileSync(output)) : null
  rmSync(output, { force: true })
  return { status, said, files, image }
}
