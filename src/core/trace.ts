// Spans of time on lanes, one lane a thread: what --time-trace writes. Kept only when asked for.

interface Span {
  lane: number
  name: string
  detail: string
  start: number
  end: number
}

export interface Trace {
  /** Milliseconds of the host's clock at which the trace starts. */
  readonly began: number
  /** Shorter spans, in milliseconds, are counted in `totals` but not kept. */
  readonly granularity: number
  /** Names of the lanes; lane 0 is the main thread. */
  readonly lanes: string[]
  readonly spans: Span[]
  readonly totals: Map<string, { count: number; milliseconds: number }>
}

export const MAIN_LANE = 0

export function createTrace(began: number, granularity: number): Trace {
  return { began, granularity, lanes: ['main'], spans: [], totals: new Map() }
}

/** A lane for a thread; returns its number. */
export function addLane(trace: Trace, name: string): number {
  return trace.lanes.push(name) - 1
}

/** Work on a lane from `start` to `end`, milliseconds of the main thread's clock (a worker's own starts later). `detail`: a path, say. */
export function addSpan(trace: Trace, lane: number, name: string, start: number, end: number, detail = ''): void {
  const milliseconds = end - start
  const total = trace.totals.get(name)
  if (total === undefined) trace.totals.set(name, { count: 1, milliseconds })
  else {
    total.count++
    total.milliseconds += milliseconds
  }
  if (milliseconds >= trace.granularity) trace.spans.push({ lane, name, detail, start, end })
}
