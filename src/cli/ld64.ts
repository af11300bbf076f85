#!/usr/bin/env node
// The command `ld64.colonnade`.
import { hashBytes } from '../core/hash.ts'
import type { Host } from '../host/host.ts'
import { createNodeHost, serveWorker, WORKER_WORD } from '../host/node.ts'
import { optimizeLate } from './optimizeLate.ts'
import { programName } from './programName.ts'
import { removeOnSignal } from './removeOnSignal.ts'
import { type CommandIo, runLd64 } from './runLd64.ts'
import { VERSION } from './version.ts'

/** The first word of `colonnade serve`. */
const SERVE = 'serve'

/** A terminal may not tell its width. */
const DEFAULT_COLUMNS = 80

function main(): void {
  const [argv, { env }] = [process.argv.slice(2), process]
  const serves = argv[0] === SERVE
  const made = removeOnSignal(createNodeHost(process.argv[1]))
  const host = serves ? made : optimizeLate(made)
  const used = new Set<NodeJS.WriteStream>()
  const stdout = (text: string) => write(used, process.stdout, text)
  const stderr = (text: string) => write(used, process.stderr, text)
  const maker = () => makerOf(host, process.argv[1]!)
  const program = programName(process.argv[1])
  const said = { stdout, stderr, env, cwd: process.cwd() }
  const io: CommandIo = {
    ...said,
    host,
    link: async (options) => (await import('../link.ts')).link(options),
    columns: () => (process.stderr.isTTY ? process.stderr.columns || DEFAULT_COLUMNS : 0),
    program,
    maker,
    remote: async (words) => (await import('./server/client.ts')).askServer(words, maker(), said),
  }
  const status = serves ? serveLinks(argv.slice(1), io) : runLd64(argv, io)
  void status.then((code) => {
    process.exitCode = code
    // Else V8 takes down its heap page by page: 5 ms of a small link, 25 of one of 1,000 objects. Pipes may take texts later, and a stream
    // that could not be written to fails the command in a moment.
    if ([...used].every((stream) => stream.writableLength === 0 && stream.errored === null)) process.exit()
  })
}

/** A stream that is not asked for is not made, which takes 3 ms. */
function write(used: Set<NodeJS.WriteStream>, stream: NodeJS.WriteStream, text: string): void {
  used.add(stream)
  stream.write(text)
}

async function serveLinks(words: readonly string[], { stderr, env, host, maker, program }: CommandIo): Promise<number> {
  const { serve } = await import('./server/serve.ts')
  return serve(words, { stderr, env, host, maker: maker!(), program: program! })
}

/** Version, size, time and hash of the command's file: packages may give all files one time, and it holds the hash of the program. */
function makerOf(host: Host, path: string): string {
  const stat = host.stat(path)
  if (stat === null) return VERSION
  const bytes = new Uint8Array(stat.size)
  const size = host.readInto(path, bytes, 0, bytes.length, 0)
  return `${VERSION} ${stat.size}-${stat.mtimeSeconds}-${hashBytes(bytes, 0, size).toString(16)}`
}

/** The same file is what workers run. Only its argument is looked at: loading node:worker_threads takes milliseconds. */
async function work(): Promise<void> {
  const { serve } = await import('../serve.ts')
  if (!serveWorker(serve(createNodeHost()))) main()
}

// No top-level await: the bundle is CommonJS, which starts sooner than a module.
if (process.argv[2] === WORKER_WORD) void work()
else main()
