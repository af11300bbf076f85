import type { PackedVersion } from '../../types.ts'

/** `1.2.3`, further components ignored, too large ones cut to what fits (as LLVM does); null when it is not a version. */
export function parseVersion(text: string): PackedVersion | null {
  if (!/^\d{1,9}(\.\d{1,9}){0,4}$/.test(text)) return null
  const [major, minor = 0, patch = 0] = text.split('.').map(Number)
  return Math.min(major, 0xffff) * 65536 + Math.min(minor, 255) * 256 + Math.min(patch, 255)
}
