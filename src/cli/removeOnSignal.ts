// A command that is stopped leaves nothing of the output that it writes ahead.
import type { Host } from '../host/host.ts'

// Node begins with the default action for each, whatever it was started with.
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const

/** The host; while it has drafts, a signal that ends the process removes them first. */
export function removeOnSignal(host: Host): Host {
  const { drafts } = host
  if (drafts === undefined) return host
  const begun = new Set<string>()
  const stop = (signal: NodeJS.Signals) => {
    for (const draft of begun) {
      drafts.discard(draft)
      forget(draft)
    }
    process.kill(process.pid, signal)
  }
  const forget = (draft: string) => {
    begun.delete(draft)
    if (begun.size === 0) for (const signal of SIGNALS) process.removeListener(signal, stop)
  }
  const begin = (path: string, mode: number) => {
    const draft = drafts.begin(path, mode)
    if (draft === null) return null
    if (begun.size === 0) for (const signal of SIGNALS) process.on(signal, stop)
    begun.add(draft)
    return draft
  }
  const finish = (draft: string, path: string) => {
    const written = drafts.finish(draft, path)
    forget(draft)
    return written
  }
  const discard = (draft: string) => {
    drafts.discard(draft)
    forget(draft)
  }
  return { ...host, drafts: { ...drafts, begin, finish, discard } }
}
