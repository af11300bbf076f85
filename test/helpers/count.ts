import { appendFileSync } from 'node:fs'
import type { Arch, Fixups } from './targets.ts'

const seen = new Set<string>()

/**
 * Notes that an image was executed or verified, once for each `image`; test/run.ts sums the notes up and holds them to test/floor.json.
 * Without COLONNADE_COUNTS in the environment there is nobody to tell.
 */
export function ran(arch: Arch, fixups: Fixups, image?: string): void {
  const file = process.env.COLONNADE_COUNTS
  if (file === undefined || (image !== undefined && seen.has(image))) return
  if (image !== undefined) seen.add(image)
  appendFileSync(file, `${arch} ${fixups}\n`)
}
