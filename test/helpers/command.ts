import { spawnSync } from 'node:child_process'

export interface Outcome {
  /** Exit status; 128 + n for signal n, as in a shell. */
  status: number
  stdout: string
  stderr: string
}

export interface CommandOptions {
  cwd?: string
  env?: Record<string, string>
  input?: string | Uint8Array
  /** Milliseconds; a command that takes longer is killed (137). */
  timeout?: number
}

const SIGKILL = 9
const SIGNALS: Record<string, number> = {
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGKILL,
  SIGSEGV: 11,
  SIGTERM: 15,
}

/** Runs a command to its end. Throws only when it cannot be started. */
export function command(file: string, args: readonly string[], options: CommandOptions = {}): Outcome {
  const { cwd, env, input = '', timeout = 120_000 } = options
  const done = spawnSync(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    input,
    timeout,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (done.error && done.signal === null) throw done.error
  const status = done.status ?? 128 + (SIGNALS[done.signal ?? ''] ?? SIGKILL)
  return { status, stdout: done.stdout, stderr: done.stderr }
}

/** Runs a command that must succeed; returns its standard output. */
export function mustRun(file: string, args: readonly string[], options: CommandOptions = {}): string {
  const { status, stdout, stderr } = command(file, args, options)
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: status ${status}\n${stderr}${stdout}`)
  return stdout
}
