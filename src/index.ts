// The library without a host: for a browser, a worker, or a caller with files of its own. Nothing here reaches outside.
export {
  type BlockHandle,
  type BlockImage,
  type BlockLine,
  type BlockRelocation,
  type BlockSection,
  type BlockUpdate,
  createImage,
  type ExportOptions,
  type FlushResult,
  type ImageLibrary,
  type ImageOptions,
  type ImportHandle,
  type ImportOptions,
  type OpenOptions,
  openImage,
} from './blocks.ts'
export { createCache } from './cache.ts'
export { FormatError } from './core/bytes.ts'
export { type FileStat, type Host, HostError } from './host/host.ts'
export { createMemoryHost } from './host/memory.ts'
export { link } from './link.ts'
export { context } from './session.ts'
export { sign } from './sign.ts'
export * from './types.ts'
export { verify } from './verify.ts'
