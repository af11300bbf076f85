// What the signature's size depends on, before there is a signature.
import type { Link } from '../../components/link.ts'
import { contentHash } from '../../src/core/contentHash.ts'
import type { Sha256 } from '../../src/formats/codesign.ts'

/** The signature's identifier: the base name of the output. */
export function identifier(link: Link): string {
  return link.settings.finalOutput.replace(/^.*[\\/]/, '')
}

/** The kernel takes 4 KiB pages for x86_64 and 16 KiB ones for arm64. */
export function pageShift(link: Link): number {
  return link.arch.name === 'arm64' ? 14 : 12
}

/** What pages and tables are hashed with, to digests of 32 bytes: a signature wants SHA-256, the UUID alone any hash. */
export function digester(link: Link): Sha256 {
  return link.settings.adhocCodesign ? link.host.sha256 : contentHash
}
