import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root, seen from build/test/helpers. */
export const root: string = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')

export const minidyldFolder: string = join(root, 'test/minidyld')
export const libSystem: string = join(minidyldFolder, 'libSystem.tbd')
export const libcxx: string = join(minidyldFolder, 'libc++.tbd')

const folders: string[] = []
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A new empty folder that is removed when the process ends. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'colonnade-'))
  folders.push(folder)
  return folder
}
