// The links that the server keeps, one for an output.
import type { Host } from '../../host/host.ts'
import type { LinkOptions, RebuildResult, Session } from '../../types.ts'

interface Kept {
  session: Session
  /** Everything that makes it another link. */
  options: string
  /** By the host's clock, when it was last asked for. */
  used: number
  running: number
  /** Requests of one output wait for each other. */
  last: Promise<unknown>
}

export interface Sessions {
  kept: Map<string, Kept>
  host: Host
  /** At most so many, the ones used last; they go after so many milliseconds without use. */
  most: number
  idle: number
  create: (options: LinkOptions) => Session
}

export function createSessions(
  host: Host,
  most: number,
  idle: number,
  create: (options: LinkOptions) => Session,
): Sessions {
  return { kept: new Map(), host, most, idle, create }
}

/** Rebuilds the output of `options` for a client in `cwd`. What is the session's for good comes with the first request. */
export function linkIn(sessions: Sessions, cwd: string, options: LinkOptions): Promise<RebuildResult> {
  const key = JSON.stringify([cwd, options.output])
  const text = textOf(options)
  const known = sessions.kept.get(key)
  const turn = (known?.last ?? Promise.resolve()).then(() => rebuild(sessions, key, text, options))
  if (known === undefined) sessions.kept.set(key, createKept(sessions, text, options))
  const kept = sessions.kept.get(key)!
  kept.running++
  kept.last = turn.then(
    () => finish(sessions, kept),
    () => finish(sessions, kept),
  )
  return turn
}

function createKept({ create, host }: Sessions, options: string, given: LinkOptions): Kept {
  return { session: create(given), options, used: host.now(), running: 0, last: Promise.resolve() }
}

async function rebuild(sessions: Sessions, key: string, text: string, options: LinkOptions): Promise<RebuildResult> {
  const kept = sessions.kept.get(key)!
  if (kept.options !== text) {
    await kept.session.dispose()
    kept.session = sessions.create(options)
    kept.options = text
  }
  const { onProgress, errorLimit } = options
  return kept.session.rebuild({
    options: { ...(onProgress && { onProgress }), ...(errorLimit !== undefined && { errorLimit }) },
  })
}

function textOf(options: LinkOptions): string {
  const { host, signal, onProgress, cache, errorLimit, ...rest } = options
  return JSON.stringify(rest)
}

function finish(sessions: Sessions, kept: Kept): void {
  kept.used = sessions.host.now()
  kept.running--
  const over = sessions.kept.size - sessions.most
  if (over > 0) void drop(sessions, longestUnused(sessions).slice(0, over))
}

/** Keys of those that do nothing, the one that was used longest ago first. */
function longestUnused({ kept }: Sessions): string[] {
  const free = [...kept].filter(([, { running }]) => running === 0)
  return free.sort(([, a], [, b]) => a.used - b.used).map(([key]) => key)
}

/** Ends those that nobody has asked for lately. */
export async function dropUnused(sessions: Sessions): Promise<void> {
  const since = sessions.host.now() - sessions.idle
  await drop(
    sessions,
    longestUnused(sessions).filter((key) => sessions.kept.get(key)!.used <= since),
  )
}

export async function dropAll(sessions: Sessions): Promise<void> {
  await drop(sessions, [...sessions.kept.keys()])
}

async function drop(sessions: Sessions, keys: readonly string[]): Promise<void> {
  const gone = keys.map((key) => sessions.kept.get(key)!)
  for (const key of keys) sessions.kept.delete(key)
  for (const { session } of gone) await session.dispose()
}
