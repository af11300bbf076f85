// What is compared: this tree, and another revision of it, built in a work tree of its own.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleLibrary, type Injection } from '../bundleLibrary.ts'
import { root } from '../jobs.ts'

export interface Side {
  name: string
  /** The bundled command, and the bundled library. */
  command: string
  library: string
}

/** `again` is a copy of the base: what differs between the two is noise. */
export interface Sides {
  folder: string
  base: Side
  again: Side
  head: Side
}

function run(command: string, args: readonly string[], cwd: string): string {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (done.error) throw done.error
  if (done.status !== 0)
    throw new Error(`${command} ${args.join(' ')}: status ${done.status}\n${done.stdout}${done.stderr}`)
  return done.stdout.trim()
}

export function revisionName(revision: string): string {
  return run('git', ['rev-parse', '--short', `${revision}^{commit}`], root)
}

/** A temporary folder that is gone when the process ends, and with it every work tree below it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'colonnade-compare-'))
  process.on('exit', () => {
    rmSync(folder, { recursive: true, force: true })
    spawnSync('git', ['worktree', 'prune'], { cwd: root })
  })
  return folder
}

/** Checks out and builds `revision`; returns its tree. Installs packages only where its lock file is another than ours. */
export function buildRevision(revision: string, folder: string): string {
  const tree = join(folder, 'tree')
  run('git', ['worktree', 'add', '--detach', tree, revision], root)
  const lock = (of: string) => readFileSync(join(of, 'package-lock.json'), 'utf8')
  if (lock(tree) === lock(root) && existsSync(join(root, 'node_modules')))
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  else run('npm', ['ci'], tree)
  run('npm', ['run', 'build'], tree)
  return tree
}

/** Base and head of two built trees. The copies are files of their own: modules and caches are shared by none. */
export async function makeSides(base: string, head: string, folder: string, names: [string, string]): Promise<Sides> {
  const side = async (name: string, tree: string, file: string, injection: Injection | null = null): Promise<Side> => {
    cpSync(join(tree, 'dist'), join(folder, file), { recursive: true })
    return {
      name,
      command: join(folder, file, 'ld64.js'),
      library: await bundleLibrary(tree, join(folder, `${file}.mjs`), injection),
    }
  }
  return {
    folder,
    base: await side(names[0], base, 'base'),
    again: await side(names[0], base, 'again'),
    head: await side(names[1], head, 'head'),
  }
}
