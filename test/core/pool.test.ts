import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPool, FORGET, forgetParts, type Request, runChunks, startWorkers } from '../../src/core/pool.ts'
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
