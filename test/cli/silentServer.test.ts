import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { askServer } from '../../src/cli/server/client.ts'
import { receive, send } from '../../src/cli/server/wire.ts'
import { tempFolder } from '../helpers/paths.ts'

/** Asks a server that does with each connection what it is told. */
async function ask(answer: (socket: Socket) => void, patience: number): Promise<number | null> {
  const folder = tempFolder()
  chmodSync(folder, 0o700)
  const socket = join(folder, 'link.sock')
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  const said: string[] = []
  const io = {
    stdout: (text: string) => void said.push(text),
    stderr: (text: string) => void said.push(text),
    env: { COLONNADE_SOCKET: socket },
    cwd: folder,
  }
  const status = await askServer(['-v'], 'a linker', io, patience)
  server.close()
  assert.deepEqual(said, [])
  return status
}

test('a client of a server that says nothing links itself', async () => {
  assert.equal(await ask((socket) => socket.on('error', () => undefined), 50), null)
})

test('a server that has got the request may take its time', async () => {
  const status = await ask((socket) => {
    receive(socket, () => {
      send(socket, { accepted: true })
      setTimeout(() => send(socket, { exit: 7 }), 2500)
    })
  }, 2000)
  assert.equal(status, 7)
})
