// The package's entry under Node.js: the library with the file system as its host.
import {
  type BlockImage,
  createImage as createImageWith,
  type ImageOptions,
  type OpenOptions,
  openImage as openImageWith,
} from './blocks.ts'
import type { Host } from './host/host.ts'
import { createNodeHost as createHost } from './host/node.ts'
import { link as linkWith } from './link.ts'
import { context as contextWith } from './session.ts'
import type { LinkOptions, LinkResult, Session } from './types.ts'

export * from './index.ts'

/** The file system, clock and threads of this process. */
export function createNodeHost(): Host {
  return createHost(new URL('./worker.js', import.meta.url))
}

/** As the core's `link`; without `options.host` paths are those of this machine's file system. */
export function link(options: LinkOptions): Promise<LinkResult> {
  return linkWith(options.host === undefined ? { ...options, host: createNodeHost() } : options)
}

/** As the core's `context`; without `options.host` paths are those of this machine's file system. */
export function context(options: LinkOptions): Session {
  return contextWith(options.host === undefined ? { ...options, host: createNodeHost() } : options)
}

/** As the core's `createImage`; without `options.host` hashes and files are those of this machine. */
export function createImage(options: ImageOptions): BlockImage {
  return createImageWith(options.host === undefined ? { ...options, host: createNodeHost() } : options)
}

/** As the core's `openImage`; without `options.host` hashes and files are those of this machine. */
export function openImage(source: Uint8Array | string, options: OpenOptions = {}): BlockImage {
  return openImageWith(source, options.host === undefined ? { ...options, host: createNodeHost() } : options)
}
