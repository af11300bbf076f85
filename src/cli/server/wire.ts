// What goes through the socket: messages of JSON, each behind its length in bytes, four of them, little-endian.
import type { Socket } from 'node:net'

/** Longer ones are nobody's command line. */
const MOST_BYTES = 1 << 26

/** From the client, the only message of a connection. */
export interface Request {
  /** Version and build: client and server must be the same. */
  maker: string
  argv: string[]
  cwd: string
  /** Of the files that it would make. */
  umask: number
  env: Record<string, string>
}

/** From the server: texts, then `exit`; or `refused` and why. */
export type Answer =
  | { accepted: true }
  | { stdout: string }
  | { stderr: string }
  | { exit: number }
  | { refused: string }

export function send(socket: Socket, message: Request | Answer): void {
  const text = Buffer.from(JSON.stringify(message))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  if (!socket.destroyed) socket.write(Buffer.concat([length, text]))
}

/** Calls `take` with each message; a stream that is none of messages is ended. */
export function receive(socket: Socket, take: (message: unknown) => void): void {
  let held = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes])
    while (held.length >= 4) {
      const length = held.readUInt32LE(0)
      if (length > MOST_BYTES) return void socket.destroy()
      if (held.length < 4 + length) return
      const message = parsed(held.subarray(4, 4 + length))
      held = held.subarray(4 + length)
      if (message === undefined) return void socket.destroy()
      take(message)
    }
  })
}

function parsed(bytes: Buffer): unknown {
  try {
    const message = JSON.parse(bytes.toString('utf8'))
    return typeof message === 'object' && message !== null ? message : undefined
  } catch {
    return undefined
  }
}

/** Whether a client has sent what a link needs. */
export function isRequest(message: unknown): message is Request {
  const { maker, argv, cwd, umask, env } = message as Partial<Request>
  const words = Array.isArray(argv) && argv.every((word) => typeof word === 'string')
  const values = typeof env === 'object' && env !== null && Object.values(env).every((text) => typeof text === 'string')
  return typeof maker === 'string' && typeof cwd === 'string' && typeof umask === 'number' && words && values
}
