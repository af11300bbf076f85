// link: the whole way from options to an output, for the library and the command.
import type { Link } from '../components/link.ts'
import { runPipeline } from '../systems/index.ts'
import { type Arch as ArchTable, withBranchReach } from './arch/arch.ts'
import { arm64 } from './arch/arm64.ts'
import { x86_64 } from './arch/x86_64.ts'
import { createMessages, error, type Messages } from './core/messages.ts'
import { type Host, HostError } from './host/host.ts'
import { inferTarget } from './inferTarget.ts'
import { settle } from './settings.ts'
import { type Arch, LinkFailure, type LinkOptions, type LinkResult, type OutputFile } from './types.ts'

const ARCHITECTURES: Record<Arch, ArchTable> = { arm64, x86_64 }

const OUTPUT_MODE = 0o755

/**
 * Links. Inputs are paths (read through `options.host`) or bytes; the output is written unless `write` is false, and comes
 * back in `outputFiles` then. Never prints, never exits; any number of links may run at once.
 * @throws LinkFailure with all errors and warnings; an existing output is then as it was. An AbortError after `signal`.
 */
export async function link(options: LinkOptions): Promise<LinkResult> {
  const host = options.host
  if (host === undefined)
    throw new TypeError(
      'link: no host given: pass one, or import link from the package root, which brings that of Node',
    )
  const messages = createMessages(options.errorLimit)
  const target = inferTarget(options, host)
  const settings = settle(options, target.arch, target.platform)
  const table = ARCHITECTURES[settings.arch]
  const arch = options.branchReach === undefined ? table : withBranchReach(table, options.branchReach)
  const done = await runPipeline(settings, arch, host, messages)
  failOnErrors(messages, done, options.fatalWarnings === true)
  const outputFiles = options.write === false ? [outputFile(done)] : []
  if (options.write !== false) write(host, done, messages)
  return {
    errors: [],
    warnings: messages.list.filter((message) => message.severity === 'warning'),
    outputFiles,
    timings: done.timings,
    reports: done.reports,
    dependencies: done.dependencies,
  }
}

function failOnErrors(messages: Messages, done: Link, fatalWarnings: boolean): void {
  const errors = messages.list.filter((message) => message.severity === 'error')
  const warnings = messages.list.filter((message) => message.severity === 'warning')
  if (errors.length > 0 || (fatalWarnings && warnings.length > 0))
    throw new LinkFailure(errors, warnings, done.dependencies)
}

function outputFile(done: Link): OutputFile {
  const contents = new Uint8Array(done.image.length + done.tail.length)
  contents.set(done.image)
  contents.set(done.tail, done.image.length)
  return { path: done.settings.output, contents, mode: OUTPUT_MODE }
}

function write(host: Host, done: Link, messages: Messages): void {
  const { output } = done.settings
  if (isInput(host, done, output)) {
    error(messages, 'output-is-input', `output file is one of the inputs: ${output}`, { file: output })
    failOnErrors(messages, done, false)
  }
  try {
    host.writeFile(output, [done.image, done.tail], OUTPUT_MODE)
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    error(messages, 'cannot-write', `failed to open ${output}: ${trouble.message}`, { file: output })
    failOnErrors(messages, done, false)
  }
}

/** Only what ends in the same name is looked at more closely: a system call an input would be felt. */
function isInput(host: Host, done: Link, output: string): boolean {
  const name = output.replace(/^.*[/\\]/, '')
  const place = host.realPath(output)
  return done.dependencies.read.some((path) => path.endsWith(name) && host.realPath(path) === place)
}
