// Suites in which each system stands alone: the systems before it run first, on a fresh link, and do not count.
import { readFileSync } from 'node:fs'
import type { Arch } from '../src/types.ts'
import { jobs, type LinkJob } from './jobs.ts'
import type { Task } from './kernels.ts'
import { pipelineOptions, runTo } from './pipeline.ts'

/** The tasks of a job, one for each system; `run` returns the system's own time as tinybench takes it. */
export async function systemTasks(name: string, arch: Arch, cache: string): Promise<Task[]> {
  const job = jobs[name](arch, cache)
  const options = pipelineOptions(job, loaded(job))
  const { timings } = await runTo(options)
  return timings.map(({ system, rows }) => ({
    name: `${system}, ${name}`,
    amount: `${rows} rows`,
    run: async () => {
      const link = await runTo(options, system)
      return { overriddenDuration: link.timings.find((line) => line.system === system)!.milliseconds }
    },
  }))
}

function loaded(job: LinkJob) {
  return job.inputs.map((path) => ({ path, contents: new Uint8Array(readFileSync(path)) }))
}
