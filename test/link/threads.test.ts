import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeSynthetic } from '../../bench/synthetic.ts'
import { FORGET, type Request } from '../../src/core/pool.ts'
import type { Host, HostWorker, WorkerEvents } from '../../src/host/host.ts'
import { LC_SYMTAB } from '../../src/formats/macho/constants.ts'
import { createNodeHost, type Input, link, LinkFailure, type LinkOptions, type Message } from '../../src/node.ts'
import { archive, assemble, compile } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'
import { type Arch, archs } from '../helpers/targets.ts'

const programs = Object.fromEntries(
  archs.map((arch) => [arch, makeSynthetic({ arch, objects: 40, functions: 30 }, tempFolder())]),
)

function optionsFor(arch: Arch, more: Partial<LinkOptions> = {}): LinkOptions {
  const { inputs, stub } = programs[arch]!
  return { inputs: [...inputs, stub], arch, output: 'out', write: false, adhocCodesign: true, threadsFrom: 0, ...more }
}

async function bytesOf(options: LinkOptions): Promise<Buffer> {
  const { outputFiles } = await link(options)
  return Buffer.from(outputFiles[0]!.contents)
}

interface Watch {
  started?(): void
  posted?(request: Request): void
  replied?(): void
  stopped?(): void
}

/** A host whose workers are told of as `watch` has it; `waits` holds the caller until each worker has taken its first chunk. */
function watched(watch: Watch, waits = false): Host {
  const host = createNodeHost()
  return {
    ...host,
    startWorker: (events) => {
      watch.started?.()
      const worker = host.startWorker!({
        failed: events.failed,
        message: (message) => {
          watch.replied?.()
          events.message(message)
        },
      })
      return {
        ...worker,
        post: (message) => {
          worker.post(message)
          if (message === FORGET) return
          watch.posted?.(message as Request)
          if (waits) untilTaken(message as Request)
        },
        stop: () => {
          watch.stopped?.()
          worker.stop()
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

for (const arch of archs)
  for (const fixupChains of [true, false])
    test(`one, two and four threads write the same bytes: ${arch}, ${fixupChains ? 'chained' : 'opcodes'}`, async () => {
      const alone = await bytesOf(optionsFor(arch, { fixupChains, threads: 1 }))
      for (const threads of [2, 4]) {
        let replies = 0
        const host = watched({ replied: () => replies++ }, true)
        const together = await bytesOf(optionsFor(arch, { fixupChains, threads, host }))
        assert.ok(alone.equals(together), `${threads} threads`)
        assert.ok(replies >= threads - 1, `${replies} replies of ${threads - 1} workers`)
      }
    })

for (const arch of archs)
  test(`objects whose names are looked up together are linked as one after another: ${arch}`, async () => {
    const kernels = new Set<string>()
    const host = watched({ posted: ({ kernel }) => kernels.add(kernel) }, true)
    const { threadsFrom: _, ...small } = optionsFor(arch, { threads: 1 })
    const single = await bytesOf(small)
    assert.ok(single.equals(await bytesOf(optionsFor(arch, { threads: 1 }))))
    assert.ok(single.equals(await bytesOf(optionsFor(arch, { threads: 3, host }))))
    for (const kernel of ['findChunks', 'nameChunks', 'giveChunks', 'numberChunks'])
      assert.ok(kernels.has(kernel), kernel)
    assert.ok(!kernels.has('indexChunks'), 'without archives few names are looked up')
  })

test('what archives offer is looked up in an index, which all threads fill', async () => {
  const kernels = new Set<string>()
  const host = watched({ posted: ({ kernel }) => kernels.add(kernel) }, true)
  const { inputs, ...options } = optionsFor('arm64', {})
  const member = compile('arm64', 'int fromArchive(void) { return 1; }')
  const [library, user] = [
    archive('from.a', [member]),
    compile('arm64', 'int fromArchive(void); int user(void) { return fromArchive(); }'),
  ]
  const more = [...inputs, { path: user }, { path: library }]
  const alone = await bytesOf({ ...options, inputs: more, threads: 1, threadsFrom: Infinity })
  assert.ok(alone.equals(await bytesOf({ ...options, inputs: more, threads: 3, host })))
  assert.ok(kernels.has('indexChunks'))
})

test('the same with dead code stripped, identical code folded and far branches', async () => {
  const more = { deadStrip: true, icf: 'all', branchReach: 65536 } as const
  const alone = await bytesOf(optionsFor('arm64', { ...more, threads: 1 }))
  assert.ok(alone.equals(await bytesOf(optionsFor('arm64', { ...more, threads: 3, host: watched({}, true) }))))
})

const LISTS: readonly [string, Partial<LinkOptions>][] = [
  ['in the padded layout', { layout: 'padded' }],
  ['in the padded layout without locals', { layout: 'padded', stripLocals: 'all' }],
  ['without locals', { stripLocals: 'all' }],
  ['with a list of locals', { stripLocals: { only: ['*1*'] } }],
  ['with few exports, the others private', { exportedSymbols: ['_main'] }],
  ['without function starts', { functionStarts: false }],
]

for (const [title, more] of LISTS)
  test(`the symbol table and its names are the same on all threads ${title}`, async () => {
    const alone = await bytesOf(optionsFor('arm64', { ...more, threads: 1 }))
    for (const threads of [2, 4]) {
      const together = await bytesOf(optionsFor('arm64', { ...more, threads, host: watched({}, true) }))
      assert.ok(alone.equals(together), `${threads} threads`)
    }
  })

/** The errors of a link that must fail. */
async function errorsOf(options: LinkOptions): Promise<Message[]> {
  return (await failureOf(options)).errors
}

async function failureOf(options: LinkOptions): Promise<LinkFailure> {
  try {
    await link(options)
  } catch (cause) {
    assert.ok(cause instanceof LinkFailure, `${cause}`)
    return cause
  }
  throw new Error('expected the link to fail')
}

/** Makes the first symbol record of an object wrong. */
function broken(path: string): Input {
  const contents = new Uint8Array(readFileSync(path))
  const view = new DataView(contents.buffer)
  for (let at = 32, i = view.getUint32(16, true); i > 0; i--, at += view.getUint32(at + 4, true))
    if (view.getUint32(at, true) === LC_SYMTAB) contents[view.getUint32(at + 8, true) + 4] = 0x0c
  return { path, contents }
}

test('what is wrong with objects is said in their order', async () => {
  const { inputs, stub } = programs.arm64!
  const mixed = [...inputs, stub].map((path, i) => (i % 7 === 3 && i < inputs.length ? broken(path) : path))
  const options = { ...optionsFor('arm64'), inputs: mixed }
  const alone = await errorsOf({ ...options, threads: 1 })
  assert.ok(alone.filter(({ id }) => id === 'bad-symbol').length > 5)
  assert.deepEqual(await errorsOf({ ...options, threads: 3, host: watched({}, true) }), alone)
})

/** Inputs among the objects that cannot be used, each in its way. */
function withBadFiles(inputs: readonly string[], stub: string): string[] {
  const folder = tempFolder()
  const file = (name: string, contents: string | Uint8Array) => {
    writeFileSync(join(folder, name), contents)
    return join(folder, name)
  }
  const [first, second] = inputs.map((path) => readFileSync(path))
  const bad = [
    join(folder, 'missing.o'),
    file('text.o', 'no object'),
    file('empty.o', ''),
    file('cut.o', first!.subarray(0, 100)),
    file('half.o', second!.subarray(0, second!.length >> 1)),
    file('broken.a', '!<arch>\nnot a member header'),
    folder,
  ]
  return [...inputs.slice(0, 5), ...bad, ...inputs.slice(5), ...bad.slice(0, 3), stub]
}

test('what is wrong with files is said in their order, whoever reads them', async () => {
  const { inputs, stub } = programs.arm64!
  const kernels = new Set<string>()
  const host = watched({ posted: ({ kernel }) => kernels.add(kernel) }, true)
  const options = { ...optionsFor('arm64'), inputs: withBadFiles(inputs, stub) }
  const alone = await failureOf({ ...options, threads: 1 })
  assert.ok(alone.errors.length >= 9)
  const together = await failureOf({ ...options, threads: 3, host })
  assert.deepEqual(together.errors, alone.errors)
  assert.deepEqual(together.dependencies, alone.dependencies)
  assert.ok(kernels.has('readChunks'))
})

test('a file that is shorter or longer than it was is read as one thread reads it', async () => {
  const host = watched({}, true)
  const changed = programs.arm64!.inputs[7]!
  const { size } = statSync(changed)
  for (const found of [size + 100, size - 8]) {
    const stat: Host['stat'] = (path) => {
      const now = host.stat(path)
      return path === changed && now !== null ? { ...now, size: found } : now
    }
    const outcome = (threads: number) =>
      bytesOf(optionsFor('arm64', { threads, host: { ...host, stat } })).then(
        (bytes) => bytes.toString('base64'),
        (cause: LinkFailure) => cause.errors,
      )
    assert.deepEqual(await outcome(2), await outcome(1))
  }
})

test('a host that reads in its own way is asked for every file', async () => {
  const host = watched({}, true)
  const read = new Set<string>()
  const readInto: Host['readInto'] = (path, ...rest) => {
    read.add(path)
    return host.readInto(path, ...rest)
  }
  await link(optionsFor('arm64', { threads: 2, host: { ...host, readInto } }))
  assert.ok(programs.arm64!.inputs.every((path) => read.has(path)))
})

test('relocations that do not fit are reported in the order of the image', async () => {
  const { inputs, stub } = programs.arm64!
  const narrow = Array.from({ length: 30 }, (_, i) =>
    assemble('arm64', `.data\n.globl _narrow${i}\n_narrow${i}: .long _narrow${i}\n`, { name: `narrow${i}` }),
  )
  const options = { ...optionsFor('arm64'), inputs: [...narrow, ...inputs, stub] }
  const alone = await errorsOf({ ...options, threads: 1 })
  assert.equal(alone.filter(({ id }) => id === 'relocation-failed').length, 30)
  assert.deepEqual(await errorsOf({ ...options, threads: 3, host: watched({}, true) }), alone)
})

test('counters do not depend on threads, but for probes, which depend on the order of lookups', async () => {
  const counters = async (options: LinkOptions) =>
    (await link(options)).timings.map(({ milliseconds, probes, ...counted }) => counted)
  const alone = await counters(optionsFor('arm64', { threads: 1 }))
  assert.deepEqual(await counters(optionsFor('arm64', { threads: 2, host: watched({}, true) })), alone)
})

test('a trace has a lane for each worker, with the kernels that ran there, within the link', async () => {
  const host = watched({}, true)
  const { timeTrace } = await link(optionsFor('arm64', { threads: 3, host, timeTrace: true, timeTraceGranularity: 0 }))
  const events = timeTrace!.traceEvents
  const lanes = events.filter(({ name }) => name === 'thread_name').map(({ args }) => args?.name)
  assert.deepEqual(lanes.slice(0, 3), ['main', 'worker 1', 'worker 2'])
  const whole = events.find(({ name }) => name === 'ExecuteLinker')!
  for (const kernel of ['readChunks', 'fillChunks', 'relocateChunks', 'hashChunks']) {
    const spans = events.filter(({ name }) => name === kernel)
    assert.deepEqual([...new Set(spans.map(({ tid }) => tid))].sort(), [2, 3], kernel)
    for (const { ts, dur } of spans) assert.ok(ts >= 0 && ts + dur! <= whole.dur!, kernel)
  }
})

test('one thread, and a link that is small, start no worker', async () => {
  let started = 0
  const host = watched({ started: () => started++ })
  await link(optionsFor('arm64', { threads: 1, host }))
  const { threadsFrom: _, ...ordinary } = optionsFor('arm64', { threads: 4, host })
  await link(ordinary)
  assert.equal(started, 0)
})

test('workers are stopped when the link is done', async () => {
  let [started, stopped] = [0, 0]
  await link(optionsFor('arm64', { threads: 3, host: watched({ started: () => started++, stopped: () => stopped++ }) }))
  assert.deepEqual([started, stopped], [2, 2])
})

/** A worker that has begun on each job at once, and then does what `next` says. */
function fake(next: (events: WorkerEvents, request: Request) => void): Host {
  const startWorker = (events: WorkerEvents): HostWorker => ({
    post: (message) => {
      if (message === FORGET) return
      const request = message as Request
      Atomics.store(request.control, 1 + request.seat, 1)
      setImmediate(() => next(events, request))
    },
    hold: () => {},
    stop: () => {},
  })
  return { ...createNodeHost(), startWorker }
}

async function rejects(options: LinkOptions, text: RegExp): Promise<void> {
  await assert.rejects(link(options), (cause: unknown) => {
    assert.ok(cause instanceof LinkFailure)
    assert.deepEqual([cause.errors.length, cause.errors[0]!.id], [1, 'worker-failed'])
    assert.match(cause.errors[0]!.text, text)
    return true
  })
}

test('an exception in a worker fails the link', async () => {
  const host = fake((events, { id }) => events.message({ id, failed: 'Error: broken' }))
  await rejects(optionsFor('arm64', { threads: 2, host }), /^a worker thread failed: Error: broken/)
})

test("a worker's death fails the link", async () => {
  const host = fake((events) => events.failed('ended with exit code 7'))
  await rejects(optionsFor('arm64', { threads: 2, host }), /^a worker thread failed: ended with exit code 7/)
})

test('a request that a real worker cannot serve fails the link', async () => {
  const host = createNodeHost()
  const broken: Host = {
    ...host,
    startWorker: (events) => {
      const worker = host.startWorker!(events)
      return {
        ...worker,
        post: (message) => {
          if (message === FORGET) return
          Atomics.store((message as Request).control, 1 + (message as Request).seat, 1)
          worker.post({ ...(message as Request), kernel: 'nothing' })
        },
      }
    },
  }
  await rejects(optionsFor('arm64', { threads: 2, host: broken }), /is not a function/)
})

test('a worker that has not begun is not waited for', async () => {
  const host: Host = {
    ...createNodeHost(),
    startWorker: () => ({ post: () => {}, hold: () => {}, stop: () => {} }),
  }
  const alone = await bytesOf(optionsFor('x86_64', { threads: 1 }))
  assert.ok(alone.equals(await bytesOf(optionsFor('x86_64', { threads: 2, host }))))
})

test('a worker that comes to the exports before they are sorted leaves them alone', async () => {
  const alone = await bytesOf(optionsFor('x86_64', { threads: 1 }))
  const begun = new Set<string>()
  const host = watched({ posted: ({ kernel }) => begun.add(kernel) }, true)
  const start = host.startWorker!
  host.startWorker = (events) => {
    const worker = start(events)
    const post = (message: unknown) => {
      if (message === FORGET || (message as Request).kernel !== 'sortExportChunks') worker.post(message)
    }
    return { ...worker, post }
  }
  assert.ok(alone.equals(await bytesOf(optionsFor('x86_64', { threads: 2, host }))))
  assert.deepEqual([begun.has('exportChunks'), begun.has('sortExportChunks')], [true, false])
})

test('a thread sorts the exports while blocks are placed', async () => {
  const host = watched({}, true)
  const { timeTrace } = await link(optionsFor('arm64', { threads: 2, host, timeTrace: true, timeTraceGranularity: 0 }))
  const span = (name: string) => timeTrace!.traceEvents.find((event) => event.name === name)!
  assert.equal(span('sortExportChunks').tid, 2)
  assert.ok(span('sortExportChunks').ts < span('allocate').ts)
})

test('an abort ends a link that waits for a worker, and stops the workers', async () => {
  let stopped = 0
  const controller = new AbortController()
  const host = fake(() => controller.abort())
  const start = host.startWorker!
  host.startWorker = (events) => ({ ...start(events), stop: () => void stopped++ })
  await assert.rejects(link(optionsFor('arm64', { threads: 3, host, signal: controller.signal })), {
    name: 'AbortError',
  })
  assert.equal(stopped, 2)
})
