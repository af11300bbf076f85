import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProgressLine } from '../../src/cli/progressLine.ts'
import { LinkFailure, type Message, type Progress } from '../../src/types.ts'
import { runCommand, TARGET } from './runCommand.ts'

function at(elapsed: number): Progress {
  return { system: 'load', done: 64, total: 128, fraction: 0.257, elapsed }
}

function message(severity: Message['severity'], text: string): Message {
  return { severity, id: 'test', text, location: null, notes: [] }
}

function written(times: readonly number[], columns = 80): string[] {
  const texts: string[] = []
  const line = createProgressLine(
    (text) => void texts.push(text),
    () => columns,
  )
  for (const time of times) line.show(at(time))
  line.clear()
  return texts
}

test('a short link has no progress line and asks for no terminal', () => {
  const line = createProgressLine(
    () => assert.fail('wrote'),
    () => assert.fail('asked'),
  )
  line.show(at(0))
  line.show(at(499))
  line.clear()
})

test('a long link has one, ten times a second, and takes it away', () => {
  assert.deepEqual(written([100, 600, 650, 700.5]), [
    '\rlinking: 25 %, load, 64 of 128 files, 0.6 s\u001b[K',
    '\rlinking: 25 %, load, 64 of 128 files, 0.7 s\u001b[K',
    '\r\u001b[K',
  ])
})

test('the line is never wider than the terminal, and absent without one', () => {
  assert.deepEqual(written([600], 12), ['\rlinking: 25\u001b[K', '\r\u001b[K'])
  assert.deepEqual(written([600, 800], 0), [])
})

test('the line is gone before messages are printed, whether the link fails or not', async () => {
  const warnings = [message('warning', 'careful')]
  const done = await runCommand([...TARGET, 'a.o'], { columns: 80, progress: [at(600)], result: { warnings } })
  const [, line, rest] = done.stderr.split('\r')
  assert.match(line, /^linking: /)
  assert.equal(rest, '\u001b[Kld64.colonnade: warning: careful\n')
  const fail = new LinkFailure([message('error', 'no')], [], { read: [], missing: [] })
  const failed = await runCommand([...TARGET, 'a.o'], { columns: 80, progress: [at(600)], fail })
  assert.equal(failed.stderr.split('\r')[2], '\u001b[Kld64.colonnade: error: no\n')
})

test('NO_COLOR and a dumb terminal keep it back', async () => {
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }])
    assert.equal((await runCommand([...TARGET, 'a.o'], { columns: 80, progress: [at(600)], env })).stderr, '')
})
