// Versions as options spell them, packed as Mach-O packs them.
import type { PackedVersion } from '../types.ts'

/** `1`, `1.2`, `1.2.3` into xxxx.yy.zz; null when it is no version, has more than `parts` parts, or a part does not fit. */
export function parseVersion(text: string, parts = 3): PackedVersion | null {
  if (!/^\d+(\.\d+)*$/.test(text)) return null
  const [major = 0, minor = 0, patch = 0, ...rest] = text.split('.').map(Number)
  if (rest.length > parts - 3 || major > 0xffff || minor > 0xff || patch > 0xff) return null
  return major * 0x10000 + minor * 0x100 + patch
}

/** `A.B.C.D.E` or less, as LC_SOURCE_VERSION has it: 24 bits, then 10 each; null when it is none or a part does not fit. */
export function parseSourceVersion(text: string): readonly number[] | null {
  const parts = /^\d+(\.\d+){0,4}$/.test(text) ? text.split('.').map(Number) : []
  return parts.length > 0 && parts.every((part, i) => part < (i === 0 ? 2 ** 24 : 1024)) ? parts : null
}

/** A number in base 16, with or without `0x`; null when it is none or is not below 2^53. */
export function parseHex(text: string): number | null {
  const digits = text.replace(/^0x/i, '')
  if (!/^[0-9a-f]+$/i.test(digits)) return null
  const value = Number.parseInt(digits, 16)
  return Number.isSafeInteger(value) ? value : null
}
