// From which input on a link takes care of memory that no one reads any more: below, it costs more time than the memory is worth.
import type { Settings } from '../../src/settings.ts'

const WORTH_COLLECTING = 256 << 20

export function isLarge(settings: Settings, bytes: number): boolean {
  return bytes >= (settings.threadsFrom ?? WORTH_COLLECTING)
}
