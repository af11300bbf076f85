// `npm run demo`: links the example for both architectures through the library, shows what came out, checks it, and runs it where the host can.
// Needs Node only: the objects are committed (see build.sh), and `-lSystem` is answered by the embedded stub.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readSignature } from '../src/formats/codesign.ts'
import { LC_CODE_SIGNATURE } from '../src/formats/macho/constants.ts'
import { readImage } from '../src/formats/macho/image.ts'
import type { Host } from '../src/host/host.ts'
import { createNodeHost } from '../src/host/node.ts'
import { link } from '../src/link.ts'
import { type Arch, LinkFailure, type LinkOptions, type Message } from '../src/types.ts'
import { verify } from '../src/verify.ts'

const self = fileURLToPath(import.meta.url)
/** The repository's root, seen from build/examples. */
const root = resolve(dirname(self), '../..')
const MACOS_13 = 0x000d0000

export const archs: readonly Arch[] = ['arm64', 'x86_64']

/** What the example prints, wherever it runs. */
export const EXPECTED = `A column is this many diameters high:
Tuscan      7 =======
Doric       8 ========
Ionic       9 =========
Corinthian 10 ==========
Composite  10 ==========
together 44
`

/** The example's inputs in command-line order; paths. */
export function exampleInputs(arch: Arch): string[] {
  return ['hello.o', 'orders.o', 'libtext.a'].map((name) => join(root, 'examples/objects', arch, name))
}

/** `ld64 hello.o orders.o libtext.a -lSystem -adhoc_codesign`, as library options. */
export function exampleOptions(arch: Arch, output: string, host: Host): LinkOptions {
  return {
    inputs: [...exampleInputs(arch), { library: 'System' }],
    output,
    arch,
    platform: { name: 'macos', minVersion: MACOS_13, sdkVersion: MACOS_13 },
    noStandardPaths: true,
    adhocCodesign: true,
    host,
  }
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0')
}

function protection(bits: number): string {
  return [...'rwx'].map((letter, i) => ((bits >> i) & 1 ? letter : '-')).join('')
}

/** Lines: the segments of a linked image, each followed by its sections. */
export function segmentTable(bytes: Uint8Array): string[] {
  const lines = [
    `${'segment, section'.padEnd(22)} ${'address'.padStart(12)} ${'size'.padStart(9)} file offset  protection`,
  ]
  for (const segment of readImage(bytes).segments) {
    const place = `${hex(segment.vmAddress, 12)} ${hex(segment.vmSize, 9)} ${hex(segment.fileOffset, 11)}`
    lines.push(`${segment.name.padEnd(22)} ${place}  ${protection(segment.initProtection)}`)
    for (const { name, address, size, offset } of segment.sections)
      lines.push(`  ${name.padEnd(20)} ${hex(address, 12)} ${hex(size, 9)} ${hex(offset, 11)}`)
  }
  return lines
}

/** What `verify` finds, and an error when there is no signature at all. Warnings are in the list. */
export function checkExample(bytes: Uint8Array, file: string, host: Host): Message[] {
  const messages = verify(bytes, { file, host })
  if (describeSignature(bytes) === null)
    messages.push({ severity: 'error', id: 'unsigned', text: 'there is no code signature', location: null, notes: [] })
  return messages
}

/** One line on the ad-hoc signature, or null where there is none. */
export function describeSignature(bytes: Uint8Array): string | null {
  const range = readImage(bytes).tables.get(LC_CODE_SIGNATURE)
  if (range === undefined) return null
  const directory = readSignature(bytes, range.offset, range.size).directories[0]
  if (directory === undefined) return null
  const { identifier, codeSlots, pageShift } = directory
  return `signature: ad hoc, identifier ${identifier}, hashes of ${codeSlots} pages of ${2 ** pageShift} bytes`
}

/** How this host can run an image: a command to put before it, or why it cannot. */
export function runnerFor(arch: Arch): { command: string[] } | { reason: string } {
  const native = process.arch === (arch === 'arm64' ? 'arm64' : 'x64')
  if (process.platform === 'darwin')
    return native ? { command: [] } : { reason: `this is a Mac of the other architecture` }
  const loader = join(root, 'test/minidyld', arch === 'arm64' ? 'minidyld-arm64' : 'minidyld')
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { reason: `a ${process.platform} host on ${process.arch} does not run macOS programs` }
  if (!existsSync(loader)) return { reason: 'test/minidyld is not built (make -C test/minidyld)' }
  if (arch === 'x86_64') return { command: [loader] }
  const emulator = spawnSync('qemu-aarch64', ['--version'])
  return emulator.error ? { reason: 'there is no qemu-aarch64' } : { command: ['qemu-aarch64', loader] }
}

/** Runs the image; returns a line about it and whether all is well. A host that cannot run it is no failure. */
function runExample(arch: Arch, image: string): { text: string; fine: boolean } {
  const runner = runnerFor(arch)
  if ('reason' in runner) return { text: `not run: ${runner.reason}`, fine: true }
  const [file, ...args] = [...runner.command, image]
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 })
  if (status === 0 && stdout === EXPECTED) return { text: `it runs and prints:\n${stdout.trimEnd()}`, fine: true }
  return { text: `it ends with status ${status} and prints:\n${stdout}${stderr}`, fine: false }
}

async function demonstrate(arch: Arch, host: Host): Promise<boolean> {
  const folder = join(root, 'build/demo', arch)
  const output = join(folder, 'hello')
  mkdirSync(folder, { recursive: true })
  await link(exampleOptions(arch, output, host))
  const bytes = new Uint8Array(readFileSync(output))
  const messages = checkExample(bytes, output, host)
  const errors = messages.filter(({ severity }) => severity === 'error')
  const run = runExample(arch, output)
  console.log(`${output}: ${bytes.length} bytes for ${arch}\n`)
  for (const line of segmentTable(bytes)) console.log(line)
  console.log(`\n${describeSignature(bytes) ?? 'no signature'}`)
  console.log(errors.length === 0 ? 'verified' : 'NOT VERIFIED')
  for (const { severity, text } of messages) console.log(`${severity}: ${text}`)
  console.log(`${run.text}\n`)
  return run.fine && errors.length === 0
}

async function main(): Promise<number> {
  const host = createNodeHost()
  let fine = true
  for (const arch of archs) {
    try {
      fine = (await demonstrate(arch, host)) && fine
    } catch (error) {
      if (!(error instanceof LinkFailure)) throw error
      for (const { text, notes } of error.errors) console.error([`error: ${text}`, ...notes].join('\n>>> '))
      fine = false
    }
  }
  console.log(fine ? 'demo: all is well' : 'demo: FAILED')
  return fine ? 0 : 1
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(self))
  process.exitCode = await main()
