// Where the server listens: a socket in a folder that only the user can enter.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/** $COLONNADE_SOCKET, else link.sock in a folder of the user's own. */
export function socketPath(env: Environment): string {
  const { COLONNADE_SOCKET, XDG_RUNTIME_DIR } = env
  if (COLONNADE_SOCKET !== undefined && COLONNADE_SOCKET !== '') return path.resolve(COLONNADE_SOCKET)
  if (XDG_RUNTIME_DIR !== undefined && XDG_RUNTIME_DIR !== '')
    return path.join(XDG_RUNTIME_DIR, 'colonnade', 'link.sock')
  return path.join(os.tmpdir(), `colonnade-${process.getuid?.() ?? 'user'}`, 'link.sock')
}

/** Why the folder of the socket may be someone else's, in words; empty when it is the user's alone. */
export function whyNotPrivate(socket: string): string {
  const folder = path.dirname(socket)
  let found: fs.Stats
  try {
    found = fs.lstatSync(folder)
  } catch {
    return `${folder} is not there`
  }
  if (!found.isDirectory()) return `${folder} is no folder`
  if (process.getuid !== undefined && found.uid !== process.getuid()) return `${folder} belongs to another user`
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0) return `${folder} is open to other users`
  return ''
}

/** Where it cannot be made, `whyNotPrivate` says that it is not there. */
export function makeFolder(socket: string): void {
  try {
    fs.mkdirSync(path.dirname(socket), { recursive: true, mode: 0o700 })
  } catch {
    return
  }
}
