// The text of --stats. Loaded only when asked for.
import type { LinkStats } from '../types.ts'

const KILOBYTE = 1024

/** A line a figure: sizes in KiB, counts as they are. */
export function statisticsText(stats: LinkStats): string {
  const lines = [`${'peak memory'.padEnd(WIDTH)}${kilobytes(stats.peakMemory)}`]
  for (const [kind, { rows, capacity, bytes, reserved }] of Object.entries(stats.columns))
    lines.push(`${label('columns', kind)}${kilobytes(bytes)} of ${kilobytes(reserved)}, ${rows} of ${capacity} rows`)
  for (const [name, { bytes, reserved }] of Object.entries(stats.arenas))
    lines.push(`${label('arena', name)}${kilobytes(bytes)} of ${kilobytes(reserved)}`)
  for (const [name, bytes] of Object.entries(stats.tables)) lines.push(`${label('table', name)}${kilobytes(bytes)}`)
  for (const [name, count] of Object.entries(stats.counts)) lines.push(`${label('count', name)}${number(count)}`)
  for (const [name, bytes] of Object.entries(stats.output)) lines.push(`${label('output', name)}${kilobytes(bytes)}`)
  for (const [name, bytes] of Object.entries(stats.resident))
    lines.push(`${label('resident after', name)}${kilobytes(bytes)}`)
  return `${lines.join('\n')}\n`
}

const WIDTH = 34

function label(group: string, name: string): string {
  return `${group.padEnd(15)}${name}`.padEnd(WIDTH)
}

function number(value: number): string {
  return String(value).padStart(10)
}

function kilobytes(bytes: number): string {
  return `${number(Math.ceil(bytes / KILOBYTE))} KiB`
}
