#!/usr/bin/env node
// The command `ld64.colonnade`.
import { createNodeHost } from '../host/node.ts'
import { programName } from './programName.ts'
import { runLd64 } from './runLd64.ts'

/** A terminal may not tell its width. */
const DEFAULT_COLUMNS = 80

const status = runLd64(process.argv.slice(2), {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  env: process.env,
  cwd: process.cwd(),
  host: createNodeHost(),
  link: async (options) => (await import('../link.ts')).link(options),
  columns: () => (process.stderr.isTTY ? process.stderr.columns || DEFAULT_COLUMNS : 0),
  program: programName(process.argv[1]),
})

// No top-level await: the bundle is CommonJS, which starts sooner than a module.
void status.then((code) => {
  process.exitCode = code
})
