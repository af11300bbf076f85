// Run as a process of its own, `train.js SOURCE CACHE KEY [--incremental]`: links small programs as the command would, and with the
// last word patches them too, and keeps what V8 has compiled for them. Flags of V8 are part of a code cache, so that this process has none.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import v8 from 'node:v8'
import { Script } from 'node:vm'
import type { Arch } from '../../src/types.ts'
import { LARGE_FILE } from '../../systems/survey/readSplit.ts'
import { editBody } from '../incremental/editBody.ts'
import { helloInputs, root } from '../jobs.ts'
import { writeStub } from '../synthetic.ts'
import { syntheticObjects } from '../synthetic/program.ts'

/** Of tapi's form, as SDKs have them. */
const STUB = `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/lib/libc++.1.dylib'
current-version: 1
compatibility-version: 1
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ '_sin', '_memcpy' ]
...
`

// What has not run for some collections would be dropped, the program's outermost function too, which V8 then parses whole.
const { setFlagsFromString } = v8
setFlagsFromString('--no-flush-bytecode')
// What ran in baseline code would be compiled to it as soon as there is a closure of it: the outermost function, in 1.8 ms.
setFlagsFromString('--no-sparkplug')
// What the program asks for itself, it asks for once the cache is read.
v8.setFlagsFromString = () => undefined
const [source, cache, key, patches] = process.argv.slice(2) as [string, string, string, string?]
const script = new Script(readFileSync(source, 'latin1'))
const program = script.runInThisContext()
// bitECS makes this once a process, and this process has one of its own.
Reflect.deleteProperty(globalThis, Symbol.for('bitecs-global-wildcard'))
const folder = mkdtempSync(join(tmpdir(), 'colonnade-train-'))
writeFileSync(join(dirname(writeStub(folder)), 'libc++.tbd'), STUB)
for (const more of [[], ['-syslibroot', folder], ['-dead_strip', '-no_fixup_chains']]) {
  await run(linkOf('arm64', more))
  await run(linkOf('x86_64', more))
}
for (const arch of ['arm64', 'x86_64'] as const) {
  const response = join(folder, 'link.rsp')
  for (const more of [[], ['-no_fixup_chains']]) {
    writeFileSync(response, [...largerLink(arch), ...more].join('\n'))
    await run([`@${response}`])
  }
  if (patches !== undefined) await patchTwice(arch)
}
rmSync(folder, { recursive: true })
// The defaults again: a cache is of use to processes with the same flags only.
setFlagsFromString('--sparkplug')
setFlagsFromString('--flush-bytecode')
writeFileSync(cache, Buffer.concat([script.createCachedData(), Buffer.from(key, 'latin1')]))

function linkOf(arch: Arch, more: readonly string[]): string[] {
  const target = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0']
  return [...target, ...more, ...helloInputs(arch), '-lSystem', '-o', join(folder, 'out')]
}

/**
 * A program that goes where large ones go: objects with frames of both kinds, weak definitions, strings in common, a debug map, and
 * one so large that it is read in parts.
 */
function largerLink(arch: Arch): string[] {
  const inputs: string[] = []
  for (const { name, bytes } of syntheticObjects({ arch, objects: 4, functions: 300, debug: true })) {
    inputs.push(join(folder, name))
    writeFileSync(inputs.at(-1)!, bytes)
    if (inputs.length === 1) truncateSync(inputs[0], LARGE_FILE)
  }
  inputs.push(join(root, `bench/bundle/objects/sample-${arch}.o`), helloInputs(arch)[2])
  const target = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', '-syslibroot', folder]
  return [
    ...target,
    '-dylib',
    '-undefined',
    'dynamic_lookup',
    ...inputs,
    '-lc++',
    '-lSystem',
    '-o',
    join(folder, 'out'),
  ]
}

/** The command with --incremental: a full link and two patches, of which the second takes the output of before the first. */
async function patchTwice(arch: Arch): Promise<void> {
  const link = [...largerLink(arch), '--incremental', '-o', join(folder, `patched-${arch}`)]
  const object = link.filter((word) => word.endsWith('.o'))[3]!
  for (const round of [0, 1, 2]) {
    if (round > 0) {
      const bytes = readFileSync(object)
      editBody(bytes, arch, 1000 + round)
      writeFileSync(object, bytes)
    }
    await run(link)
  }
}

/** The program says how it went in the exit status, and would end the process then. */
async function run(link: readonly string[]): Promise<void> {
  process.argv = [process.execPath, 'ld64.js', ...link]
  process.exitCode = undefined
  process.exit = (() => undefined) as () => never
  program({}, createRequire(source), {})
  while (process.exitCode === undefined) await setImmediate()
  if (process.exitCode !== 0) throw new Error(`the command failed: ${link.join(' ')}`)
}
