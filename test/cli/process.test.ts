import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ld64 } from '../helpers/colonnade.ts'
import { command } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'

const SIGTERM = 15
const module = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href)

/** A process of its own begins a draft, does what `then` says of it, and is told to end. */
function stopAfter(then: string): { status: number; left: string[] } {
  const folder = tempFolder()
  const script = `
    const { createNodeHost } = await import(${module('host/node.js')})
    const { removeOnSignal } = await import(${module('cli/removeOnSignal.js')})
    const { drafts } = removeOnSignal(createNodeHost())
    const out = ${JSON.stringify(join(folder, 'out'))}
    const draft = drafts.begin(out, 0o755)
    ${then}
    process.kill(process.pid, 'SIGTERM')
    setTimeout(() => {}, 10000)`
  const { status } = command(process.execPath, ['--input-type=module', '-e', script])
  return { status, left: readdirSync(folder) }
}

test('a signal ends the process and leaves no draft, but what is finished', () => {
  const status = 128 + SIGTERM
  assert.deepEqual(stopAfter(''), { status, left: [] })
  assert.deepEqual(stopAfter('drafts.finish(draft, out)'), { status, left: ['out'] })
  assert.deepEqual(stopAfter('drafts.discard(draft)'), { status, left: [] })
  assert.deepEqual(stopAfter('drafts.finish(draft, out); drafts.begin(out, 0o755)'), { status, left: ['out'] })
  assert.deepEqual(stopAfter('drafts.begin(out, 0o755); drafts.finish(draft, out)'), { status, left: ['out'] })
})

test('the command fails where nobody takes its texts', () => {
  const script = '(sleep 1; "$0" "$1" --help; echo "status $?" >&2) | :'
  const { stderr } = command('sh', ['-c', script, process.execPath, ld64])
  assert.match(stderr, /EPIPE.*status 1\n$/s)
})
