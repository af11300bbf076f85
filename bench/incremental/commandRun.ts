// A run of the command with --incremental, beside the session that the bench holds.
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RebuildMode } from '../../src/node.ts'
import type { Arch } from '../../src/types.ts'
import { environment } from '../measure.ts'

const LD64 = resolve(fileURLToPath(import.meta.url), '../../../../dist/ld64.js')

export interface CommandRun {
  milliseconds: number
  mode: RebuildMode
  reason: string
  /** Bytes of output and snapshot, and pages of 16 KiB that they lie in. */
  bytes: number
  pages: number
}

/** Arguments that link the objects to `output`; the first run of them is a full link. */
export function commandArguments(arch: Arch, folder: string, root: string, objects: readonly string[]): string[] {
  const output = join(folder, 'out-command')
  const list = join(folder, 'filelist')
  writeFileSync(list, `${objects.join('\n')}\n`)
  for (const path of [output, `${output}.colonnade`]) rmSync(path, { force: true })
  const target = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', '-syslibroot', root]
  return [...target, '-filelist', list, '-lSystem', '--incremental', '--verbose', '-o', output]
}

/** @throws Error when it fails, or does not say what it did */
export function runCommand(args: readonly string[]): CommandRun {
  const started = performance.now()
  const done = spawnSync(process.execPath, [LD64, ...args], { encoding: 'utf8', env: environment() })
  const milliseconds = performance.now() - started
  const said = /^incremental: (noop|patch|full): (.*)\nincremental: wrote (\d+) bytes in (\d+) pages$/m.exec(
    done.stderr ?? '',
  )
  if (done.status !== 0 || said === null) throw new Error(`ld64.colonnade --incremental: ${done.error ?? done.stderr}`)
  return { milliseconds, mode: said[1] as RebuildMode, reason: said[2], bytes: Number(said[3]), pages: Number(said[4]) }
}
