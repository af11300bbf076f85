// The pipeline without the way around it: for timing systems one by one, and for what only the link itself knows.
import type { Link } from '../components/link.ts'
import { arm64 } from '../src/arch/arm64.ts'
import { x86_64 } from '../src/arch/x86_64.ts'
import { createMessages } from '../src/core/messages.ts'
import { createNodeHost } from '../src/host/node.ts'
import { settle } from '../src/settings.ts'
import type { Arch, Input, LinkOptions, Platform } from '../src/types.ts'
import { runPipeline } from '../systems/index.ts'
import { jobOptions, type LinkJob } from './jobs.ts'

/** Options of a job on one thread; `contents` stands for the files where they are to be read once only. */
export function pipelineOptions(job: LinkJob, contents: readonly Input[] | null = null): LinkOptions {
  const options = jobOptions(job)
  const libraries = job.libraries.map((library) => ({ library }))
  return { ...options, threads: 1, inputs: contents === null ? options.inputs : [...contents, ...libraries] }
}

/** Runs the systems up to `last`, or all. @throws Error when the link has errors. */
export async function runTo(options: LinkOptions, last = ''): Promise<Link> {
  const messages = createMessages()
  const settings = settle(options, options.arch as Arch, options.platform as Platform)
  const link = await runPipeline(settings, options.arch === 'arm64' ? arm64 : x86_64, createNodeHost(), messages, last)
  const wrong = messages.list.find(({ severity }) => severity === 'error')
  if (wrong !== undefined) throw new Error(wrong.text)
  return link
}
