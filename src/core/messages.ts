// Messages are collected here and judged at the end: a link goes on as far as it can, so that one run tells all.
import type { Location, Message, Severity } from '../types.ts'

export interface Messages {
  readonly list: Message[]
  errors: number
  limit: number
}

export function createMessages(limit = 0): Messages {
  return { list: [], errors: 0, limit }
}

export function report(
  to: Messages,
  severity: Severity,
  id: string,
  text: string,
  location: Location | null = null,
  notes: string[] = [],
): void {
  if (severity === 'error') to.errors++
  to.list.push({ severity, id, text, location, notes })
}

export function error(
  to: Messages,
  id: string,
  text: string,
  location: Location | null = null,
  notes: string[] = [],
): void {
  report(to, 'error', id, text, location, notes)
}

export function warn(
  to: Messages,
  id: string,
  text: string,
  location: Location | null = null,
  notes: string[] = [],
): void {
  report(to, 'warning', id, text, location, notes)
}
