// The package's entry under Node.js: the library with the file system as its host.
import { createNodeHost } from './host/node.ts'
import { link as linkWith } from './link.ts'
import type { LinkOptions, LinkResult } from './types.ts'

export { createNodeHost } from './host/node.ts'
export * from './index.ts'

/** As the core's `link`; without `options.host` paths are those of this machine's file system. */
export function link(options: LinkOptions): Promise<LinkResult> {
  return linkWith(options.host === undefined ? { ...options, host: createNodeHost() } : options)
}
