/** The same number: what came of large ones or of a Float64Array is an allocation each time it is added to or read with, where an integer is none. */
export function integer(value: number): number {
  return (value | 0) === value ? value | 0 : value
}
