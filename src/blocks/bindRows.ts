// Rows of binds in another order, or of two lists.
import { type BindRows, createBindRows } from '../formats/dyld/bind.ts'

const COLUMNS = ['segments', 'offsets', 'ordinals', 'addends', 'names', 'flags'] as const

export function joinBinds(first: BindRows, second: BindRows): BindRows {
  const rows = createBindRows(first.count + second.count)
  for (const name of COLUMNS) {
    rows[name].set(first[name].subarray(0, first.count))
    rows[name].set(second[name].subarray(0, second.count), first.count)
  }
  return rows
}

/** The rows of `order`, in that order. */
export function pickBinds(rows: BindRows, order: ArrayLike<number>): BindRows {
  const picked = createBindRows(order.length)
  for (const name of COLUMNS) for (let i = 0; i < order.length; i++) picked[name][i] = rows[name][order[i]]
  return picked
}
