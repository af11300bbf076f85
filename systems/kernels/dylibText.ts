import type { Dylib } from '../../components/link.ts'

/** A stub may hold several libraries, so ld64.lld names the one that is meant. */
export function dylibText({ path, file }: Pick<Dylib, 'path' | 'file'>): string {
  return path.endsWith('.tbd') && file.installName !== null ? `${path}(${file.installName})` : path
}
