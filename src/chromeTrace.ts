// A trace as Chrome's Trace Event Format has it, with the names that ld64.lld gives its own: viewers and scripts know them.
import type { Trace } from './core/trace.ts'
import type { TimeTrace, TraceEvent } from './types.ts'

const PROCESS = 1

/**
 * The spans as complete events, then a `Total` event for each name on a thread of its own, then the names of the threads. Times
 * are in microseconds from the trace's start, which is `epoch` (milliseconds since 1970).
 */
export function chromeTrace(trace: Trace, epoch: number): TimeTrace {
  const traceEvents: TraceEvent[] = trace.spans.map(({ lane, name, detail, start, end }) => ({
    ...complete(trace, lane, name, start, end),
    ...(detail === '' ? {} : { args: { detail } }),
  }))
  let thread = trace.lanes.length
  const totals = [...trace.totals].sort(([, a], [, b]) => b.milliseconds - a.milliseconds)
  for (const [name, { count, milliseconds }] of totals) {
    const args = { count, 'avg ms': Math.floor(milliseconds / count) }
    traceEvents.push({ ...complete(trace, thread++, `Total ${name}`, trace.began, trace.began + milliseconds), args })
  }
  traceEvents.push(metadata(0, 'process_name', 'colonnade'))
  trace.lanes.forEach((name, lane) => {
    traceEvents.push(metadata(lane, 'thread_name', name))
  })
  return { traceEvents, beginningOfTime: Math.round(epoch * 1000) }
}

function complete(trace: Trace, lane: number, name: string, start: number, end: number): TraceEvent {
  const ts = Math.round((start - trace.began) * 1000)
  const dur = Math.round((end - trace.began) * 1000) - ts
  return { pid: PROCESS, tid: PROCESS + lane, ts, ph: 'X', dur, name }
}

function metadata(lane: number, kind: string, name: string): TraceEvent {
  return { cat: '', pid: PROCESS, tid: PROCESS + lane, ts: 0, ph: 'M', name: kind, args: { name } }
}
