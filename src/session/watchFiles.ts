// Waits for changes of recorded files: by the host's watching of directories, else by looking at intervals.
import { type Host, HostError } from '../host/host.ts'
import type { FileRecords } from './fileRecords.ts'

const DELAY = 50
const INTERVAL = 500
/** A rebuild begins after this many delays even when events go on. */
const MOST_DELAYS = 20

export interface Watching {
  /** Watches for these files from now on. */
  follow(records: FileRecords): void
  end(): void
}

/** `look` is called when something may have changed. */
export function watchFiles(
  host: Host,
  { delay = DELAY, interval = INTERVAL }: { delay?: number; interval?: number },
  look: () => void,
): Watching {
  let timer: ReturnType<typeof setTimeout> | undefined
  let first = 0
  let stop: () => void = () => undefined
  let directories = ''
  const fire = () => {
    first = 0
    look()
  }
  const changed = () => {
    const now = host.now()
    if (first === 0) first = now
    clearTimeout(timer)
    timer = setTimeout(fire, now - first > delay * MOST_DELAYS ? 0 : delay)
  }
  return {
    follow: (records) => {
      const wanted = directoriesOf(host, records)
      if (wanted.join('\n') === directories) return
      directories = wanted.join('\n')
      stop()
      stop = startWatching(host, wanted, changed) ?? poll(look, interval)
    },
    end: () => {
      clearTimeout(timer)
      stop()
    },
  }
}

function startWatching(host: Host, directories: readonly string[], changed: () => void): (() => void) | null {
  try {
    return host.watch?.(directories, changed) ?? null
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    return null
  }
}

function poll(look: () => void, interval: number): () => void {
  const timer = setInterval(look, interval)
  return () => clearInterval(timer)
}

/** Where the files are, through symbolic links and as named; for those that are missing, the nearest directory that is there. */
function directoriesOf(host: Host, records: FileRecords): string[] {
  const found = new Set<string>()
  for (const [path, { stat }] of records) {
    if (stat !== null && !stat.isFile) continue
    found.add(parentOf(host.resolvePath(path)))
    if (stat !== null) found.add(parentOf(host.realPath(path)))
  }
  return [...new Set([...found].map((directory) => nearest(host, directory)))].sort()
}

function nearest(host: Host, directory: string): string {
  let at = directory
  while (host.stat(at)?.isFile !== false && at !== parentOf(at)) at = parentOf(at)
  return at
}

/** The root is its own parent. */
function parentOf(path: string): string {
  return path.replace(/[/\\][^/\\]*$/, '') || '/'
}
