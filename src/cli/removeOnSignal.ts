// A command that is stopped leaves nothing of the output that it writes ahead.
import type { Host } from '../host/host.ts'

// Node begins with the default action for each, whatever it was started with.
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const

/** The host; while it has a draft, a signal that ends the process removes that first. One draft at a time. */
export function removeOnSignal(host: Host): Host {
  const { drafts } = host
  if (drafts === undefined) return host
  let begun = ''
  const stop = (signal: NodeJS.Signals) => {
    forget()
    drafts.discard(begun)
    process.kill(process.pid, signal)
  }
  const forget = () => {
    for (const signal of SIGNALS) process.removeListener(signal, stop)
  }
  const begin = (path: string, mode: number) => {
    const draft = drafts.begin(path, mode)
    if (draft === null) return null
    begun = draft
    for (const signal of SIGNALS) process.on(signal, stop)
    return draft
  }
  const finish = (draft: string, path: string) => {
    const written = drafts.finish(draft, path)
    forget()
    return written
  }
  const discard = (draft: string) => {
    drafts.discard(draft)
    forget()
  }
  return { ...host, drafts: { ...drafts, begin, finish, discard } }
}
