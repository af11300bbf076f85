// Which warnings of a link still hold when some of its inputs have changed.
import type { Message } from '../types.ts'

/** Whether a change of these files may take the warning away or say it otherwise: a patch repeats those of the link. */
export function mayEnd({ id, location }: Message, paths: readonly string[]): boolean {
  return id === 'undefined-symbol' || location === null || paths.includes(location.file)
}
