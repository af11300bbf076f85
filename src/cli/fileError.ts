import { type Messages, error } from '../core/messages.ts'
import { HostError } from '../host/host.ts'

/** Reports that a file named by an option cannot be read; other errors pass through. */
export function fileError(messages: Messages, path: string, cause: unknown): void {
  if (!(cause instanceof HostError)) throw cause
  error(messages, 'cannot-open', `cannot open ${path}: ${cause.message}`, { file: path })
}
