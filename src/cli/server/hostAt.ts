// The host of a client: the same files, seen from its working directory. That of the process stays, for links run side by side.
import path from 'node:path'
import { type Host, HostError } from '../../host/host.ts'

export function hostAt(host: Host, cwd: string): Host {
  const at = (name: string) => (isOfProcess(name) ? refuse() : under(cwd, name))
  return {
    ...host,
    cwd: () => cwd,
    stat: (name) => (isOfProcess(name) ? null : host.stat(under(cwd, name))),
    readInto: (name, ...rest) => host.readInto(at(name), ...rest),
    writeFile: (name, ...rest) => host.writeFile(at(name), ...rest),
    updateFile: (name, parts) => host.updateFile!(at(name), parts),
    cloneFile: (name, ...rest) => host.cloneFile!(at(name), ...rest),
    keepFile: (name, as) => host.keepFile!(at(name), as === undefined ? as : at(as)),
    exchangeFile: (name, kept, parts) => host.exchangeFile!(at(name), at(kept), parts),
    removeFile: (name) => host.removeFile!(at(name)),
    makeFolder: (name) => host.makeFolder!(at(name)),
    realPath: (name) => host.realPath(at(name)),
    resolvePath: (name) => path.resolve(cwd, name),
  }
}

/** POSIX: `..` behind a symbolic link leads out of the folder that the link names, so that none is taken out of the text. */
function under(cwd: string, name: string): string {
  if (path.sep === '\\') return path.resolve(cwd, name)
  return name === '' || path.isAbsolute(name) ? name : `${cwd}/${name}`
}

/** Streams and open files, which are other ones in each process. */
function isOfProcess(name: string): boolean {
  return /^\/+(dev\/+(std(in|out|err)$|fd\/)|proc\/)/.test(name)
}

/** The server's own streams are not the client's. */
function refuse(): never {
  throw new HostError('ENXIO', 'a server has no such stream')
}
