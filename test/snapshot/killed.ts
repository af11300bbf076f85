// The command, killed by SIGKILL at one of its changes of the file system: KILL_AT counts them from 1, two for each: before it,
// and after half of it (of a write) or after it. With KILL_AT=0 it is the command.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from '../helpers/paths.ts'

const wanted = Number(process.env.KILL_AT ?? 0)
let seen = 0

function step(): boolean {
  return ++seen === wanted
}

function die(): void {
  process.kill(process.pid, 'SIGKILL')
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
}

type Call = (...given: never[]) => unknown

/** `half` does the first half of the call; without it, and after it, the call is done as a whole. */
function guard(
  name: string,
  half: ((original: Call, given: unknown[]) => void) | null,
  counts = (_: unknown[]) => true,
) {
  const functions = fs as unknown as Record<string, Call>
  const original = functions[name]
  functions[name] = (...given: unknown[]) => {
    if (!counts(given)) return original(...(given as never[]))
    if (step()) die()
    const dies = step()
    if (dies && half !== null) {
      half(original, given)
      die()
    }
    try {
      return original(...(given as never[]))
    } finally {
      if (dies) die()
    }
  }
}

guard(
  'writevSync',
  (_, [fd, parts]) => {
    const bytes = Buffer.concat(parts as Uint8Array[])
    if (bytes.length > 1) fs.writeFileSync(fd as number, bytes.subarray(0, bytes.length >> 1))
  },
  ([fd]) => (fd as number) > 2,
)
guard(
  'writeSync',
  (original, [fd, bytes, offset, length, at]) => {
    original(...([fd, bytes, offset, (length as number) >> 1, at] as never[]))
  },
  ([fd, , , , at]) => (fd as number) > 2 && at !== undefined,
)
guard('openSync', null, ([, flags]) => flags !== undefined && flags !== 'r')
for (const name of ['renameSync', 'linkSync', 'rmSync', 'copyFileSync', 'unlinkSync']) guard(name, null)

createRequire(import.meta.url)(join(root, 'dist/ld64.js'))
