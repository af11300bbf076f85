// The host of a client: the same files, seen from its working directory. That of the process stays, for links run side by side.
import path from 'node:path'
import { type Host, HostError } from '../../host/host.ts'

export function hostAt(host: Host, cwd: string): Host {
  const at = (name: string) => (name === '/dev/stdout' || name === '/dev/stderr' ? refuse() : path.resolve(cwd, name))
  return {
    ...host,
    cwd: () => cwd,
    stat: (name) => host.stat(path.resolve(cwd, name)),
    readInto: (name, ...rest) => host.readInto(at(name), ...rest),
    writeFile: (name, ...rest) => host.writeFile(at(name), ...rest),
    updateFile: (name, parts) => host.updateFile!(at(name), parts),
    cloneFile: (name, ...rest) => host.cloneFile!(at(name), ...rest),
    keepFile: (name) => host.keepFile!(at(name)),
    exchangeFile: (name, kept, parts) => host.exchangeFile!(at(name), at(kept), parts),
    removeFile: (name) => host.removeFile!(at(name)),
    realPath: (name) => host.realPath(at(name)),
    resolvePath: at,
  }
}

/** The server's own streams are not the client's. */
function refuse(): never {
  throw new HostError('ENXIO', 'a server has no such stream')
}
