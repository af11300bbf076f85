// A line that tells how far a long link is, on terminals only.
import type { Progress } from '../types.ts'

/** Shorter links say nothing. */
const PATIENCE = 500
const EVERY = 100

export interface ProgressLine {
  show: (progress: Progress) => void
  /** Takes the line away, before anything else is printed. */
  clear: () => void
}

/** `columns` tells the width of the terminal, 0 for none; it is asked once, when a link takes long. */
export function createProgressLine(write: (text: string) => void, columns: () => number): ProgressLine {
  let width = -1
  let shown = 0
  const show = (progress: Progress) => {
    if (progress.elapsed < PATIENCE || width === 0 || progress.elapsed - shown < EVERY) return
    if (width < 0) width = Math.max(0, columns())
    if (width > 0) write(`\r${progressText(progress).slice(0, width - 1)}\u001b[K`)
    shown = progress.elapsed
  }
  const clear = () => {
    if (width > 0) write('\r\u001b[K')
    width = 0
  }
  return { show, clear }
}

function progressText({ system, done, total, fraction, elapsed }: Progress): string {
  const files = total > 0 ? `, ${done} of ${total} files` : ''
  return `linking: ${Math.floor(fraction * 100)} %, ${system}${files}, ${(elapsed / 1000).toFixed(1)} s`
}
