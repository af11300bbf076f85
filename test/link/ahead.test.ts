import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSynthetic } from '../../bench/synthetic.ts'
import { FORGET, type Request } from '../../src/core/pool.ts'
import { type Drafts, type Host, HostError } from '../../src/host/host.ts'
import { createNodeHost, link, LinkFailure, type LinkOptions } from '../../src/node.ts'
import { assemble } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { type Arch, archs } from '../helpers/targets.ts'

const programs = Object.fromEntries(
  archs.map((arch) => [arch, makeSynthetic({ arch, objects: 8, functions: 10 }, tempFolder())]),
)

/** Into a folder of its own, which holds an older output. */
function optionsFor(arch: Arch, more: Partial<LinkOptions> = {}): LinkOptions & { folder: string; output: string } {
  const folder = tempFolder()
  const output = join(folder, 'out')
  writeFileSync(output, 'older')
  const { inputs, stub } = programs[arch]!
  return { inputs: [...inputs, stub], arch, adhocCodesign: true, threadsFrom: 0, threads: 2, ...more, folder, output }
}

/** `posted` is called when the worker has begun on a request. */
function hostWith(posted: (request: Request) => void, drafts: Partial<Drafts> = {}): Host {
  const host = createNodeHost()
  return {
    ...host,
    drafts: { ...host.drafts!, ...drafts },
    startWorker: (events) => {
      const worker = host.startWorker!(events)
      return {
        ...worker,
        post: (message) => {
          worker.post(message)
          if (message === FORGET) return
          untilTaken(message as Request)
          posted(message as Request)
        },
      }
    },
  }
}

function untilTaken({ control, seat }: Request): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (const end = Date.now() + 10000; Atomics.load(control, 1 + seat) === 0 && Date.now() < end; )
    Atomics.wait(pause, 0, 0, 1)
}

async function linked(options: LinkOptions & { output: string }): Promise<Buffer> {
  await link(options)
  return readFileSync(options.output)
}

const VARIANTS: readonly [string, Partial<LinkOptions>][] = [
  ['chained', { fixupChains: true }],
  ['opcodes', { fixupChains: false }],
  ['without a signature', { adhocCodesign: false }],
  ['in the padded layout', { layout: 'padded' }],
]

for (const arch of archs)
  for (const [title, more] of VARIANTS)
    test(`what threads write ahead is what is written in one go: ${arch}, ${title}`, async () => {
      const alone = await linked(optionsFor(arch, { ...more, threads: 1 }))
      for (const threads of [2, 4]) {
        const written: unknown[] = []
        const host = hostWith(({ kernel, job }) => void (kernel === 'writeChunks' && written.push(job)))
        const options = optionsFor(arch, { ...more, threads, host })
        assert.ok(alone.equals(await linked(options)), `${threads} threads`)
        assert.equal(written.length, 2 * (threads - 1))
        assert.deepEqual(readdirSync(options.folder), ['out'])
        assert.equal(statSync(options.output).mode & 0o777, 0o755 & ~process.umask())
      }
    })

test('chains in what was taken for final are written all the same', async () => {
  const object = assemble(
    'x86_64',
    '.section __TEXT,__odd\n.p2align 3\n.quad _main, _main\n.text\n.globl _main\n_main: ret\n',
  )
  const more = { inputs: [object], fixupChains: true } as const
  const alone = await linked(optionsFor('x86_64', { ...more, threads: 1 }))
  // Chains are linked when the worker has written what it takes for final.
  const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  const host = hostWith(({ kernel }) => void (kernel === 'writeChunks' && pause()))
  const options = optionsFor('x86_64', { ...more, host })
  assert.ok(alone.equals(await linked(options)))
  assert.deepEqual(readdirSync(options.folder), ['out'])
})

test('a draft that cannot be written is no output: the whole is written anew', async () => {
  let discarded = ''
  const host = hostWith(() => {}, {
    begin: (name) => `${name}.gone/draft`,
    discard: (draft) => {
      discarded = draft
    },
  })
  const options = optionsFor('arm64', { host })
  const alone = await linked(optionsFor('arm64', { threads: 1 }))
  assert.ok(alone.equals(await linked(options)))
  assert.equal(discarded, `${options.output}.gone/draft`)
  assert.deepEqual(readdirSync(options.folder), ['out'])
})

test('who writes files in another way is asked to write all of the output', async () => {
  const files = new Map<string, number>()
  const host: Host = {
    ...hostWith(({ kernel }) => assert.notEqual(kernel, 'writeChunks')),
    writeFile: (name, chunks) =>
      void files.set(
        name,
        chunks.reduce((sum, { length }) => sum + length, 0),
      ),
  }
  const options = optionsFor('arm64', { host })
  await link(options)
  const alone = await linked(optionsFor('arm64', { threads: 1 }))
  assert.deepEqual([...files], [[options.output, alone.length]])
  assert.deepEqual(readdirSync(options.folder), ['out'])
})

/** Fails once the draft is there, and leaves the folder as it was. */
async function fails(options: ReturnType<typeof optionsFor>, expected: (cause: unknown) => boolean): Promise<void> {
  let drafts = 0
  const host = options.host!
  const { begin } = host.drafts!
  const drafting = {
    ...host.drafts!,
    begin: (name: string, mode: number) => {
      drafts++
      return begin(name, mode)
    },
  }
  await assert.rejects(link({ ...options, host: { ...host, drafts: drafting } }), expected)
  assert.equal(drafts, 1)
  assert.deepEqual(readdirSync(options.folder), ['out'])
  assert.equal(readFileSync(options.output, 'utf8'), 'older')
}

const isFailure = (id: string) => (cause: unknown) => cause instanceof LinkFailure && cause.errors[0]?.id === id

test('an abort while the output is written ahead leaves the older one and nothing else', async () => {
  for (const last of ['writeChunks', 'hashChunks']) {
    const controller = new AbortController()
    const host = hostWith(({ kernel }) => void (kernel === last && controller.abort()))
    const options = optionsFor('x86_64', { host, signal: controller.signal })
    await fails(options, (cause) => (cause as Error).name === 'AbortError')
  }
})

test('a worker that fails while the output is written ahead leaves the older one and nothing else', async () => {
  const host = hostWith(() => {})
  const start = host.startWorker!
  host.startWorker = (events) => {
    const worker = start(events)
    const post = (message: unknown) => {
      worker.post(message)
      if (message !== FORGET && (message as Request).kernel === 'hashChunks') events.failed('ended')
    }
    return { ...worker, post }
  }
  await fails(optionsFor('arm64', { host }), isFailure('worker-failed'))
})

test('fatal warnings leave the older output and nothing else', async () => {
  const platform = { name: 'macos', minVersion: 13 * 65536, sdkVersion: 13 * 65536 } as const
  const newer = assemble('arm64', '.build_version macos, 99, 0\n.globl _newer\n_newer: ret\n')
  const options = optionsFor('arm64', { host: hostWith(() => {}), fatalWarnings: true, platform })
  await fails({ ...options, inputs: [...options.inputs, newer] }, (cause) => {
    return cause instanceof LinkFailure && cause.errors.length === 0 && cause.warnings.length > 0
  })
})

test('an output that is an input stays as it is', async () => {
  const options = optionsFor('arm64', { host: hostWith(() => {}) })
  const object = readFileSync(options.inputs[0] as string)
  writeFileSync(options.output, object)
  const inputs = [options.output, ...options.inputs.slice(1)]
  await assert.rejects(link({ ...options, inputs }), isFailure('output-is-input'))
  assert.ok(object.equals(readFileSync(options.output)))
  assert.deepEqual(readdirSync(options.folder), ['out'])
})

test('a rest that cannot be written, and a name that cannot be given, leave the older output and nothing else', async () => {
  const refuse = (): never => {
    throw new HostError('ENOSPC', 'No space left on device')
  }
  await fails(optionsFor('arm64', { host: hostWith(() => {}, { write: refuse }) }), isFailure('cannot-write'))
  await fails(optionsFor('arm64', { host: hostWith(() => {}, { finish: refuse }) }), isFailure('cannot-write'))
})
