// Suites over a whole link in this process, to memory: no start of Node, no output file.
import { statSync } from 'node:fs'
import { link } from '../src/node.ts'
import type { Arch } from '../src/types.ts'
import { jobOptions, jobs } from './jobs.ts'
import type { Task } from './kernels.ts'

export function linkTask(name: string, arch: Arch, cache: string): Task {
  const job = jobs[name](arch, cache)
  const bytes = job.inputs.reduce((sum, path) => sum + statSync(path).size, 0)
  const options = { ...jobOptions(job), output: 'out', write: false, threads: 1 }
  return { name: `${name}, ${arch}`, amount: `${(bytes / 1024).toFixed(0)} KiB`, run: () => link(options) }
}
