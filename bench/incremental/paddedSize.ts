// What the room of the padded layout costs: the size of its file against the tight one of the same inputs.
import { link, type LinkOptions } from '../../src/node.ts'

export interface PaddedLine {
  scenario: string
  /** Of the files. */
  padded: number
  tight: number
  ratio: number
  met: boolean
}

export const PADDED_LIMIT = 1.35

const MEBIBYTE = 0x100000

/** Links `options` tight, compares with `padded` bytes, and prints a line. */
export async function comparePadded(scenario: string, options: LinkOptions, padded: number): Promise<PaddedLine> {
  const { outputFiles } = await link({ ...options, layout: 'tight', write: false })
  const tight = outputFiles[0].contents.length
  const ratio = padded / tight
  const sizes = `${(padded / MEBIBYTE).toFixed(1)} MiB, tight ${(tight / MEBIBYTE).toFixed(1)} MiB`
  console.log(`  ${'padded file'.padEnd(36)}${sizes}, ratio ${ratio.toFixed(3)}`)
  return { scenario, padded, tight, ratio, met: ratio <= PADDED_LIMIT }
}
