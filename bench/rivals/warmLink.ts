// Links again and again in one process, as a build tool does (arguments: output or `-` for memory, runs, then the command's words), and
// prints the median milliseconds of link() after the first runs. Reading of the words is not counted.
import { rmSync } from 'node:fs'
import { runLd64 } from '../../src/cli/runLd64.ts'
import { createNodeHost, link, type LinkOptions } from '../../src/node.ts'
import { median } from '../compare/statistics.ts'

const WARMUPS = 20

const [output, runs, ...words] = process.argv.slice(2)
const inMemory = output === '-'
const times: number[] = []

async function timed(options: LinkOptions) {
  const started = performance.now()
  const result = await link(inMemory ? { ...options, write: false } : options)
  times.push(performance.now() - started)
  return result
}

for (let run = 0; run < WARMUPS + Number(runs); run++) {
  if (!inMemory) rmSync(output, { force: true })
  const stderr = (text: string) => process.stderr.write(text)
  const io = { stdout: () => {}, stderr, env: {}, cwd: process.cwd(), host: createNodeHost(), link: timed }
  const status = await runLd64([...words, '-o', inMemory ? 'out' : output], io)
  if (status !== 0) process.exit(status)
}
process.stdout.write(String(median(times.slice(WARMUPS))))
