import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createPool,
  FORGET,
  forgetParts,
  type Kernel,
  type Request,
  restWorkers,
  runChunks,
  serveRequest,
  startChunks,
  startWorkers,
  stopWorkers,
} from '../../src/core/pool.ts'
import { createMemoryHost } from '../../src/host/memory.ts'
import { serve } from '../../src/serve.ts'

test('what workers are told to forget is sent again with the next job', async () => {
  const posted: unknown[] = []
  const worker = { post: (message: unknown) => void posted.push(message), stop: () => {}, hold: () => {} }
  const pool = createPool()
  startWorkers(pool, { ...createMemoryHost(), startWorker: () => worker }, 1)
  const view = { part: 7 }
  const job = () =>
    runChunks(
      pool,
      view,
      (from, part) => from[part],
      ['part'],
      'none',
      (_, __, take) => take(),
      null,
      2,
    )
  await job()
  await job()
  forgetParts(pool)
  await job()
  assert.equal(posted[2], FORGET)
  const sent = posted.filter((message) => message !== FORGET).map((message) => (message as Request).parts)
  assert.deepEqual(sent, [{ part: 7 }, {}, { part: 7 }])
})

test('a worker that forgets frees the memory and does not reply', () => {
  let collected = 0
  const answer = serve({ ...createMemoryHost(), collect: () => void collected++ })
  answer(FORGET, () => assert.fail('replied'))
  assert.equal(collected, 1)
})

const takeAll: Kernel<object, string, string[]> = (_, job, take) => {
  const taken: string[] = []
  for (let chunk = take(); chunk >= 0; chunk = take()) taken.push(`${job}${chunk}`)
  return taken
}

/** A pool with a worker that does what it is asked for when it is told to. */
function manualPool() {
  const waiting: Request[] = []
  const pool = createPool()
  let reply: (message: unknown) => void = () => {}
  const startWorker = (events: { message(message: unknown): void }) => {
    reply = (message) => events.message(message)
    return { post: (message: unknown) => void waiting.push(message as Request), stop: () => {}, hold: () => {} }
  }
  startWorkers(pool, { ...createMemoryHost(), startWorker }, 1)
  const work = () => reply(serveRequest({}, takeAll as Kernel<object, unknown, unknown>, waiting.shift()!))
  return { pool, work }
}

test('a job is under way while another runs, and each gets its own results', async () => {
  const { pool, work } = manualPool()
  const finish = startChunks(pool, {}, () => null, [], 'none', takeAll, 'a', 2)
  work()
  const other = runChunks(pool, {}, () => null, [], 'none', takeAll, 'b', 2)
  assert.deepEqual(await other, [['b0', 'b1']])
  work()
  assert.deepEqual(await finish(), [[], ['a0', 'a1']])
  assert.equal(pool.results.size, 0)
})

test('what no worker has begun is done where the job is waited for', async () => {
  const { pool } = manualPool()
  const finish = startChunks(pool, {}, () => null, [], 'none', takeAll, 'a', 2)
  assert.deepEqual(await finish(), [['a0', 'a1']])
  const alone = startChunks(createPool(), {}, () => null, [], 'none', takeAll, 'c', 1)
  assert.deepEqual(await alone(), [['c0']])
})

test('workers rest between links, and end with the pool or where a job is not awaited', async () => {
  const stopped: number[] = []
  let started = 0
  const startWorker = () => {
    const number = ++started
    return { post: () => {}, stop: () => void stopped.push(number), hold: () => {} }
  }
  const host = { ...createMemoryHost(), startWorker }
  const pool = createPool()
  startWorkers(pool, host, 2)
  restWorkers(pool)
  assert.deepEqual([pool.workers.length, started, stopped], [0, 2, []])
  startWorkers(pool, host, 1)
  assert.deepEqual([pool.workers.length, pool.resting.length, started], [1, 1, 2])
  restWorkers(pool)
  startWorkers(pool, host, 3)
  assert.deepEqual([pool.workers.length, started], [3, 3])
  startChunks(pool, {}, () => null, [], 'none', takeAll, 'a', 2)
  restWorkers(pool)
  assert.deepEqual(stopped, [1, 2, 3])
  startWorkers(pool, host, 1)
  restWorkers(pool)
  stopWorkers(pool)
  assert.deepEqual([pool.resting.length, stopped], [0, [1, 2, 3, 4]])
})
