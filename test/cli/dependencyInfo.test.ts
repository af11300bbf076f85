import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dependencyInfo, dependencyRule } from '../../src/cli/dependencyInfo.ts'
import { VERSION_LINE } from '../../src/cli/version.ts'
import { createMemoryHost } from '../../src/host/memory.ts'
import { LinkFailure } from '../../src/types.ts'
import { runCommand, TARGET } from './runCommand.ts'

const found = { read: ['b.o', 'a.o', 'b.o'], missing: ['/z', '/y'] }

test('the records are version, inputs, missing files and output, each kind sorted', () => {
  const text = Buffer.from(dependencyInfo(found, 'out')).toString('latin1')
  assert.equal(text, `\0${VERSION_LINE}\0\x10a.o\0\x10b.o\0\x11/y\0\x11/z\0\x40out\0`)
})

test('the rule escapes what Make would take apart', () => {
  const rule = dependencyRule({ read: ['a b.o', 'c$d#.o'], missing: [] }, 'out')
  assert.equal(rule, 'out: \\\n  a\\ b.o \\\n  c$$d\\#.o\n\na\\ b.o:\n\nc$$d\\#.o:\n')
})

test('both are written, also when the link fails', async () => {
  const host = createMemoryHost()
  const fail = new LinkFailure([], [], found)
  await runCommand([...TARGET, 'a.o', '-o', 'out', '-dependency_info', 'd', '--dependency-file=m'], { host, fail })
  assert.deepEqual(Buffer.from(host.files.get('/d')!.contents), Buffer.from(dependencyInfo(found, 'out')))
  assert.match(Buffer.from(host.files.get('/m')!.contents).toString(), /^out: \\\n/)
})
