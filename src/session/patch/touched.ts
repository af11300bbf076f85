// Objects that refer to what has moved: through which of their symbol rows, and to which blocks that they would have if those did not
// follow others; null where all of an object has to be looked at.
export type Touched = Map<number, { rows: number[]; followers: number[] } | null>

export function touch(touched: Touched, file: number, row: number): void {
  const known = touched.get(file)
  if (known === undefined) touched.set(file, { rows: [row], followers: [] })
  else known?.rows.push(row)
}

/** A block of the file follows one that has moved. */
export function touchFollower(touched: Touched, file: number, block: number): void {
  const known = touched.get(file)
  if (known === undefined) touched.set(file, { rows: [], followers: [block] })
  else known?.followers.push(block)
}

/** Adds what `more` has. */
export function touchAll(touched: Touched, more: Touched): void {
  for (const [file, other] of more) {
    const known = touched.get(file)
    if (other === null || known === null) touched.set(file, null)
    else if (known === undefined) touched.set(file, other)
    else {
      known.rows.push(...other.rows)
      known.followers.push(...other.followers)
    }
  }
}
