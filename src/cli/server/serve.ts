// `colonnade serve`: keeps links in memory for whoever calls the command with --server.
import fs from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import type { Host } from '../../host/host.ts'
import { context } from '../../session.ts'
import { runLd64 } from '../runLd64.ts'
import { hostAt } from './hostAt.ts'
import { createSessions, dropAll, dropUnused, linkIn, type Sessions } from './sessions.ts'
import { makeFolder, socketPath, whyNotPrivate } from './socketPlace.ts'
import { isRequest, receive, type Request, send } from './wire.ts'

export interface ServeIo {
  stderr: (text: string) => void
  env: Readonly<Record<string, string | undefined>>
  host: Host
  maker: string
  program: string
}

interface Wishes {
  socket: string
  /** Seconds without a request until the server ends, and until a link is forgotten. */
  idle: number
  sessionIdle: number
  sessions: number
}

const USAGE = `USAGE: colonnade serve [--socket=PATH] [--idle=SECONDS] [--session-idle=SECONDS] [--sessions=COUNT]

Keeps the last links in memory (--sessions, 8) for \`ld64.colonnade --server\`, each until nobody has asked for it for a while
(--session-idle, 1800). Ends when it is told to (SIGTERM, SIGINT), or after --idle seconds without a request (10800).
`

/** Resolves to the exit status when the server has ended. */
export async function serve(words: readonly string[], io: ServeIo): Promise<number> {
  const wishes = wishesOf(words, io)
  if (wishes === null) {
    io.stderr(USAGE)
    return words.includes('--help') ? 0 : 1
  }
  makeFolder(wishes.socket)
  const trouble = whyNotPrivate(wishes.socket) || (await makeFree(wishes.socket))
  if (trouble !== '') {
    io.stderr(`${io.program}: error: ${trouble}\n`)
    return 1
  }
  const sessions = createSessions(io.host, wishes.sessions, wishes.sessionIdle * 1000, context)
  return new Promise((resolve) => void listen(wishes, sessions, io, resolve))
}

function wishesOf(words: readonly string[], { env }: ServeIo): Wishes | null {
  const wishes: Wishes = { socket: socketPath(env), idle: 10800, sessionIdle: 1800, sessions: 8 }
  const numbers = { '--idle': 'idle', '--session-idle': 'sessionIdle', '--sessions': 'sessions' } as const
  for (const word of words) {
    const [name, value] = [word.replace(/=.*/s, ''), word.replace(/^[^=]*=?/, '')]
    if (name === '--socket' && value !== '') wishes.socket = socketPath({ COLONNADE_SOCKET: value })
    else if (Object.hasOwn(numbers, name) && /^\d+(\.\d+)?$/.test(value))
      wishes[numbers[name as keyof typeof numbers]] = Number(value)
    else return null
  }
  return wishes
}

/** Takes away the socket of a server that is no more; why that cannot be done, in words, or empty. */
function makeFree(path: string): Promise<string> {
  const found = fs.lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return Promise.resolve('')
  if (process.platform !== 'win32' && !found.isSocket()) return Promise.resolve(`${path} is no socket`)
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(`a server listens at ${path} already`)
    })
    socket.on('error', () => {
      fs.rmSync(path, { force: true })
      resolve('')
    })
  })
}

/** How often the server looks whether it is of use still, at most. */
const LOOK_MILLISECONDS = 5000

function listen(
  { socket: path, idle }: Wishes,
  sessions: Sessions,
  io: ServeIo,
  ended: (status: number) => void,
): void {
  const open = new Set<Socket>()
  let last = io.host.now()
  const server = createServer((socket) => {
    open.add(socket)
    last = io.host.now()
    socket.on('error', () => undefined)
    socket.on('close', () => {
      open.delete(socket)
      last = io.host.now()
    })
    answer(socket, sessions, io)
  })
  const end = (status: number) => {
    clearInterval(timer)
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.removeListener(signal, stop)
    if (isOurs(path, inode)) fs.rmSync(path, { force: true })
    server.close()
    for (const socket of open) socket.destroy()
    void dropAll(sessions).then(() => ended(status))
  }
  const stop = () => end(0)
  let inode = 0
  const look = () => {
    void dropUnused(sessions)
    const isIdle = open.size === 0 && io.host.now() - last >= idle * 1000
    if (isIdle || !isOurs(path, inode)) end(0)
  }
  const timer = setInterval(look, Math.min(LOOK_MILLISECONDS, Math.max(50, idle * 250)))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
  server.on('error', (cause) => {
    io.stderr(`${io.program}: error: cannot listen at ${path}: ${cause.message}\n`)
    end(1)
  })
  listenPrivately(server, path, () => {
    inode = fs.lstatSync(path).ino
    io.stderr(`serving at ${path}\n`)
  })
}

/** The socket is made with no rights for others, whatever the folder. */
function listenPrivately(server: Server, path: string, listening: () => void): void {
  const umask = process.umask(0o077)
  server.listen(path, listening)
  process.umask(umask)
}

/** Another server may have taken the place, or someone has removed the socket: nobody finds this one any more. */
function isOurs(path: string, inode: number): boolean {
  return inode === 0 || fs.lstatSync(path, { throwIfNoEntry: false })?.ino === inode
}

/** Who connects asks at once; what asks for nothing would keep the server from ending. */
const REQUEST_MILLISECONDS = 10000

function answer(socket: Socket, sessions: Sessions, io: ServeIo): void {
  let asked = false
  socket.setTimeout(REQUEST_MILLISECONDS, () => socket.destroy())
  receive(socket, (message) => {
    if (asked || !isRequest(message)) return void socket.destroy()
    asked = true
    socket.setTimeout(0)
    const refused = whyRefused(message, io.maker)
    if (refused !== '') {
      send(socket, { refused })
      socket.end()
      return
    }
    send(socket, { accepted: true })
    void linkFor(message, socket, sessions, io).then((exit) => {
      send(socket, { exit })
      socket.end()
    })
  })
}

function whyRefused({ maker, umask }: Request, own: string): string {
  if (maker !== own) return `this is ${own}`
  return umask === process.umask() ? '' : 'files would be made with other rights'
}

function linkFor({ argv, cwd, env }: Request, socket: Socket, sessions: Sessions, io: ServeIo): Promise<number> {
  const host = hostAt(io.host, cwd)
  return runLd64(argv, {
    stdout: (stdout) => send(socket, { stdout }),
    stderr: (stderr) => send(socket, { stderr }),
    env,
    cwd,
    host,
    link: () => Promise.reject(new Error('a server links in sessions')),
    rebuild: (options) => linkIn(sessions, cwd, options),
    program: io.program,
  }).catch((trouble) => {
    send(socket, { stderr: `${io.program}: error: internal error: ${trouble?.stack ?? trouble}\n` })
    return 1
  })
}
