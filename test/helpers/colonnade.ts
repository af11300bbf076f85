import assert from 'node:assert/strict'
import { join } from 'node:path'
import { command, type CommandOptions, type Outcome } from './command.ts'
import { libSystem, root, tempFolder } from './paths.ts'
import type { Target } from './targets.ts'

export const ld64: string = join(root, 'dist/ld64.js')

/** Runs our command with these arguments. */
export function colonnade(args: readonly string[], options: CommandOptions = {}): Outcome {
  return command(process.execPath, [ld64, ...args], options)
}

/** Links for a target, with libSystem, into a new folder; the link must succeed without a word. Returns the output's path. */
export function linkFor(target: Target, args: readonly string[], name = 'out'): string {
  const output = join(tempFolder(), name)
  const { status, stdout, stderr } = colonnade([...target.flags, '-o', output, ...args, libSystem])
  assert.deepEqual({ status, said: stdout + stderr }, { status: 0, said: '' })
  return output
}
