// What the signature's size depends on, before there is a signature.
import type { Link } from '../../components/link.ts'

/** The signature's identifier: the base name of the output. */
export function identifier(link: Link): string {
  return link.settings.finalOutput.replace(/^.*[\\/]/, '')
}

/** The kernel takes 4 KiB pages for x86_64 and 16 KiB ones for arm64. */
export function pageShift(link: Link): number {
  return link.arch.name === 'arm64' ? 14 : 12
}
