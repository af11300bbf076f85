import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FORGET, type Request } from '../../src/core/pool.ts'
import type { Host } from '../../src/host/host.ts'
import { context, createNodeHost, LinkFailure } from '../../src/node.ts'
import { assemble } from '../helpers/clang.ts'
import { tempFolder } from '../helpers/paths.ts'

const OBJECTS = 20
/** A load that relocate refuses: by then workers have been sent all there is. */
const ODD = 'adrp x0, _odd@PAGE\n ldr x0, [x0, _odd@PAGEOFF]\n .data\n .byte 1\n_odd: .quad 0\n .text'

function source(i: number, more: string): string {
  return `.subsections_via_symbols\n.text\n.globl _f${i}\n.p2align 2\n_f${i}:\n bl _f${(i + 1) % OBJECTS}\n ${more}\n ret\n`
}

/** Notes what each worker is sent of the link; a kernel that asks for `arch` must have been sent it. */
function watch(): { host: Host; started: () => number; isWhole: () => boolean } {
  const host = createNodeHost()
  let started = 0
  let isWhole = true
  const startWorker: Host['startWorker'] = (events) => {
    started++
    const worker = host.startWorker!(events)
    const sent = new Set<string>()
    const post = (message: unknown) => {
      if (message === FORGET) sent.clear()
      else for (const part of Object.keys((message as Request).parts)) sent.add(part)
      if ((message as Request).kernel === 'fillChunks' && !(sent.has('arch') && sent.has('settings'))) isWhole = false
      worker.post(message)
    }
    return { ...worker, post }
  }
  return { host: { ...host, startWorker }, started: () => started, isWhole: () => isWhole }
}

test('workers that begin after a link that failed are sent all parts, and stay', async () => {
  const folder = tempFolder()
  const inputs = Array.from({ length: OBJECTS }, (_, i) => join(folder, `${i}.o`))
  const put = (i: number, more: string) => copyFileSync(assemble('arm64', source(i, more)), inputs[i])
  for (let i = 0; i < OBJECTS; i++) put(i, 'nop')
  const { host, started, isWhole } = watch()
  const threads = { threads: 2, threadsFrom: 1, host }
  const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
  const session = context({
    arch: 'arm64',
    platform,
    outputType: 'dylib',
    inputs,
    output: join(folder, 'out'),
    ...threads,
  })
  put(3, ODD)
  await assert.rejects(session.rebuild(), LinkFailure)
  assert.equal(started(), 1)
  for (let i = 0; i < OBJECTS; i++) put(i, 'nop\n nop')
  await session.rebuild()
  assert.equal(started(), 2)
  put(3, 'nop\n .globl _new\n_new:')
  await session.rebuild({ options: { deadStrip: true } })
  assert.equal(started(), 2)
  assert.ok(isWhole())
  await session.dispose()
})
