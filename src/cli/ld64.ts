#!/usr/bin/env node
// The command `ld64.colonnade`.
import type { Host } from '../host/host.ts'
import { createNodeHost, serveWorker, WORKER_WORD } from '../host/node.ts'
import { programName } from './programName.ts'
import { runLd64 } from './runLd64.ts'

/** A terminal may not tell its width. */
const DEFAULT_COLUMNS = 80

function main(): void {
  const host = createNodeHost(process.argv[1])
  const status = runLd64(process.argv.slice(2), {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    host,
    link: async (options) => (await import('../link.ts')).link(options),
    columns: () => (process.stderr.isTTY ? process.stderr.columns || DEFAULT_COLUMNS : 0),
    program: programName(process.argv[1]),
    build: () => buildOf(host, process.argv[1]!),
  })
  void status.then((code) => {
    process.exitCode = code
  })
}

/** Size and time of the command's file. */
function buildOf(host: Host, path: string): string {
  const stat = host.stat(path)
  return stat === null ? '' : `${stat.size}-${stat.mtimeSeconds}`
}

/** The same file is what workers run. Only its argument is looked at: loading node:worker_threads takes milliseconds. */
async function work(): Promise<void> {
  const { serve } = await import('../serve.ts')
  if (!serveWorker(serve(createNodeHost()))) main()
}

// No top-level await: the bundle is CommonJS, which starts sooner than a module.
if (process.argv[2] === WORKER_WORD) void work()
else main()
