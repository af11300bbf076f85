import type { LinkOptions } from '../types.ts'

/** LinkOptions while they are put together. */
export type Draft = { -readonly [K in keyof LinkOptions]: LinkOptions[K] }
