// Run as a process of its own, `train.js SOURCE CACHE KEY`: links small programs as the command would and keeps what V8 has
// compiled for them. Flags of V8 are part of a code cache, so that this process has none.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Script } from 'node:vm'
import type { Arch } from '../../src/types.ts'
import { helloInputs } from '../jobs.ts'
import { writeStub } from '../synthetic.ts'

const [source, cache, key] = process.argv.slice(2) as [string, string, string]
const script = new Script(readFileSync(source, 'latin1'))
const program = script.runInThisContext()
const folder = mkdtempSync(join(tmpdir(), 'colonnade-train-'))
writeStub(folder)
for (const more of [[], ['-syslibroot', folder], ['-dead_strip', '-no_fixup_chains']]) {
  await run(linkOf('arm64', more))
  await run(linkOf('x86_64', more))
}
rmSync(folder, { recursive: true })
writeFileSync(cache, Buffer.concat([script.createCachedData(), Buffer.from(key, 'latin1')]))

function linkOf(arch: Arch, more: readonly string[]): string[] {
  const target = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0']
  return [...target, ...more, ...helloInputs(arch), '-lSystem', '-o', join(folder, 'out')]
}

/** The program says how it went in the exit status, and is over then. */
async function run(link: readonly string[]): Promise<void> {
  process.argv = [process.execPath, 'ld64.js', ...link]
  process.exitCode = undefined
  program({}, createRequire(import.meta.url), {})
  while (process.exitCode === undefined) await setImmediate()
  if (process.exitCode !== 0) throw new Error(`the command failed: ${link.join(' ')}`)
}
