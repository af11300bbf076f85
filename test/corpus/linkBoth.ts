import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ld64 } from '../helpers/colonnade.ts'

export interface Both {
  ours: Uint8Array
  theirs: Uint8Array
}

function linked(command: string, before: readonly string[], args: readonly string[], output: string): Uint8Array {
  rmSync(output, { force: true })
  const done = spawnSync(command, [...before, ...args, '-o', output], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: status ${done.status}\n${done.stderr}`)
  return readFileSync(output)
}

/** Links with ld64.lld-22 and with us by the same arguments, into `folder`. Throws with the message of a link that fails. */
export function linkBoth(args: readonly string[], folder: string): Both {
  const theirs = linked('ld64.lld-22', [], args, join(folder, 'theirs'))
  return { ours: linked(process.execPath, [ld64], args, join(folder, 'ours')), theirs }
}
