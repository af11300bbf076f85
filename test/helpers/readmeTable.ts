import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './paths.ts'

/**
 * Rows of the Markdown tables in a file that have all of the columns `wanted` in their head, each row as its cells in the order of `wanted`,
 * without backquotes. An empty cell means the same as above. A file that is not there has no rows.
 */
export function readmeRows(file: string, wanted: readonly string[]): string[][] {
  let places: number[] = []
  let inTable = false
  let last: string[] = []
  const rows: string[][] = []
  for (const line of readLines(file)) {
    const cells = line.startsWith('|') ? line.split('|').map((cell) => cell.replaceAll('`', '').trim()) : null
    if (cells !== null && !inTable) places = wanted.map((name) => cells.indexOf(name))
    if (cells !== null && inTable && !places.includes(-1) && !/^\|[-:| ]+$/.test(line)) {
      last = places.map((place, i) => cells[place] || last[i] || '')
      rows.push(last)
    }
    inTable = cells !== null
  }
  return rows
}

function readLines(file: string): string[] {
  try {
    return readFileSync(join(root, file), 'utf8').split('\n')
  } catch {
    return []
  }
}
