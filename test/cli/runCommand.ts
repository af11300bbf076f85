// The command with a link that only remembers its options.
import { runLd64 } from '../../src/cli/runLd64.ts'
import type { Host } from '../../src/host/host.ts'
import { createMemoryHost } from '../../src/host/memory.ts'
import type { LinkOptions, LinkResult, Progress } from '../../src/types.ts'

export const TARGET = ['-arch', 'arm64', '-platform_version', 'macos', '13.0', '14.2']

export interface Run {
  status: number
  stdout: string
  stderr: string
  /** null when no link was started. */
  options: LinkOptions | null
}

export interface RunSetup {
  host?: Host
  env?: Record<string, string>
  program?: string
  result?: Partial<LinkResult>
  fail?: Error
  /** What the link tells of its progress. */
  progress?: readonly Progress[]
  /** Width of the terminal. */
  columns?: number
}

export async function runCommand(argv: readonly string[], setup: RunSetup = {}): Promise<Run> {
  const run: Run = { status: -1, stdout: '', stderr: '', options: null }
  const empty: LinkResult = {
    errors: [],
    warnings: [],
    outputFiles: [],
    timings: [],
    reports: {},
    dependencies: { read: [], missing: [] },
  }
  run.status = await runLd64(argv, {
    stdout: (text) => {
      run.stdout += text
    },
    stderr: (text) => {
      run.stderr += text
    },
    env: setup.env ?? {},
    cwd: '/',
    host: setup.host ?? createMemoryHost(),
    link: async (options) => {
      run.options = options
      for (const progress of setup.progress ?? []) options.onProgress?.(progress)
      if (setup.fail !== undefined) throw setup.fail
      return { ...empty, ...setup.result }
    },
    columns: () => setup.columns ?? 0,
    ...(setup.program === undefined ? {} : { program: setup.program }),
  })
  return run
}
