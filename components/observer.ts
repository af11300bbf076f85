// Who watches a link from outside: an abort signal, a progress callback, a trace. A link without them pays a look at the clock a system.
import { addLane, addSpan, createTrace, MAIN_LANE, type Trace } from '../src/core/trace.ts'
import type { Host } from '../src/host/host.ts'
import type { LinkOptions } from '../src/types.ts'
import type { Link } from './link.ts'

/** The event loop gets its turn when this many milliseconds have passed: timers, other links, whoever aborts. */
const TURN = 8
/** ld64.lld's default, in microseconds. */
const GRANULARITY = 500

export interface Observer {
  readonly host: Host
  readonly signal: AbortSignal | undefined
  readonly onProgress: LinkOptions['onProgress']
  readonly trace: Trace | null
  /** Called after each system; set by who takes statistics. */
  afterSystem: ((link: Link, system: string) => void) | null
  readonly began: number
  /** When the event loop had its last turn. */
  turned: number
  /** The system that runs, and the shares of the link that lie before it and before the next. */
  system: string
  from: number
  to: number
  /** The last share that was told. */
  fraction: number
}

export function createObserver(host: Host, options: LinkOptions): Observer {
  const began = host.now()
  const granularity = (options.timeTraceGranularity ?? GRANULARITY) / 1000
  return {
    host,
    signal: options.signal,
    onProgress: options.onProgress,
    trace: options.timeTrace === true ? createTrace(began, granularity) : null,
    afterSystem: null,
    began,
    turned: began,
    system: '',
    from: 0,
    to: 0,
    fraction: 0,
  }
}

/**
 * Between two pieces of work, `done` of `total` behind: gives the event loop its turn when it is due, tells of progress.
 * @throws the signal's reason after an abort; whatever the progress callback throws.
 */
export async function checkpoint(observer: Observer, done = 0, total = 0): Promise<void> {
  const { host, signal, onProgress, system } = observer
  if (host.turn !== undefined && host.now() - observer.turned >= TURN) {
    await host.turn()
    observer.turned = host.now()
  }
  signal?.throwIfAborted()
  if (onProgress === undefined) return
  observer.fraction = Math.max(observer.fraction, shareAt(observer, total === 0 ? 0 : Math.min(done / total, 1)))
  onProgress({ system, done, total, fraction: observer.fraction, elapsed: host.now() - observer.began })
  signal?.throwIfAborted()
}

function shareAt({ from, to }: Observer, part: number): number {
  return from + (to - from) * part
}

/** A step on the main thread that began at `start` and ends now, for the trace; does nothing without one. */
export function traceStep(observer: Observer, name: string, start: number, detail = ''): void {
  if (observer.trace !== null) addSpan(observer.trace, MAIN_LANE, name, start, observer.host.now(), detail)
}

/** A kernel on the worker of a seat, on a lane of its own, from `start` to `end` of the host's clock. */
export function traceWorker({ trace }: Observer, seat: number, name: string, start: number, end: number): void {
  if (trace === null) return
  while (trace.lanes.length <= MAIN_LANE + 1 + seat) addLane(trace, `worker ${trace.lanes.length}`)
  addSpan(trace, MAIN_LANE + 1 + seat, name, start, end)
}
