import assert from 'node:assert/strict'
import { join } from 'node:path'
import { command, type CommandOptions, type Outcome } from './command.ts'
import { ran } from './count.ts'
import { minidyldFolder } from './paths.ts'
import type { Target } from './targets.ts'

const native = join(minidyldFolder, 'minidyld')

/** Executes a linked program: x86_64 natively, arm64 under qemu. Status 97 is the loader's own error. */
export function runImage(
  target: Target,
  image: string,
  args: readonly string[] = [],
  options: CommandOptions = {},
): Outcome {
  ran(target.arch, target.fixups, image)
  if (target.arch === 'x86_64') return command(native, [image, ...args], options)
  return command('qemu-aarch64', [`${native}-arm64`, image, ...args], options)
}

/** Checks an image without running it; fails with what minidyld found. */
export function verifyImage(target: Target, image: string): void {
  ran(target.arch, target.fixups, image)
  const { status, stdout, stderr } = command(native, ['--verify', image])
  assert.equal(status, 0, `${image}:\n${stdout}${stderr}`)
}
