// The client's side of a server: the whole command line goes there, and what the command would have said comes back.
import { createConnection } from 'node:net'
import { socketPath, whyNotPrivate } from './socketPlace.ts'
import { type Answer, receive, send } from './wire.ts'

/** What decides over a link beside its arguments. */
const VARIABLES = ['ZERO_AR_DATE', 'RC_TRACE_DYLIB_SEARCHING', 'LD_DYLIB_CPU_SUBTYPES_MUST_MATCH', 'HOME']

export interface ClientIo {
  stdout: (text: string) => void
  stderr: (text: string) => void
  env: Readonly<Record<string, string | undefined>>
  cwd: string
}

/** A server says at once that it has got the request, unless another link keeps it from that; one that is stopped never does. */
const PATIENCE_MILLISECONDS = 10000

/** The exit status; null, with nothing said, when there is no server of this build that has linked, or it says nothing for `patience`. */
export function askServer(
  argv: readonly string[],
  maker: string,
  io: ClientIo,
  patience: number = PATIENCE_MILLISECONDS,
): Promise<number | null> {
  const place = socketPath(io.env)
  if (whyNotPrivate(place) !== '') return Promise.resolve(null)
  return new Promise((resolve) => {
    const socket = createConnection(place)
    const said: (() => void)[] = []
    const timer = setTimeout(() => end(null), patience)
    const end = (status: number | null) => {
      clearTimeout(timer)
      socket.destroy()
      if (status !== null) for (const say of said) say()
      resolve(status)
    }
    socket.on('error', () => end(null))
    socket.on('close', () => end(null))
    socket.on('connect', () => {
      const env = Object.fromEntries(
        VARIABLES.flatMap((name) => (io.env[name] === undefined ? [] : [[name, io.env[name]!]])),
      )
      send(socket, { maker, argv: [...argv], cwd: io.cwd, umask: process.umask(), env })
    })
    receive(socket, (message) => {
      const answer = message as Partial<Record<'stdout' | 'stderr' | 'exit', unknown>> as Answer
      if ('accepted' in answer) clearTimeout(timer)
      else if ('stdout' in answer) said.push(() => io.stdout(String(answer.stdout)))
      else if ('stderr' in answer) said.push(() => io.stderr(String(answer.stderr)))
      else end('exit' in answer && typeof answer.exit === 'number' ? answer.exit : null)
    })
  })
}
