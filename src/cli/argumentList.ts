// Questions asked of the parsed arguments.
import type { Argument } from './parseArguments.ts'

export interface ArgumentList {
  readonly list: readonly Argument[]
  readonly byName: ReadonlyMap<string, readonly Argument[]>
}

export function createArgumentList(list: readonly Argument[]): ArgumentList {
  const byName = new Map<string, Argument[]>()
  for (const argument of list) {
    if (argument.name === null) continue
    const same = byName.get(argument.name)
    if (same === undefined) byName.set(argument.name, [argument])
    else same.push(argument)
  }
  return { list, byName }
}

export function has(args: ArgumentList, name: string): boolean {
  return args.byName.has(name)
}

export function all(args: ArgumentList, name: string): readonly Argument[] {
  return args.byName.get(name) ?? []
}

export function last(args: ArgumentList, name: string): Argument | undefined {
  return args.byName.get(name)?.at(-1)
}

export function lastValue(args: ArgumentList, name: string): string | undefined {
  return last(args, name)?.values[0]
}

export function values(args: ArgumentList, name: string): string[] {
  return all(args, name).map((argument) => argument.values[0]!)
}

/** Whichever of the names was given last. */
export function lastOf(args: ArgumentList, ...names: string[]): Argument | undefined {
  if (!names.some((name) => args.byName.has(name))) return undefined
  return args.list.findLast((argument) => argument.name !== null && names.includes(argument.name))
}

/** true for the first name, false for the second, undefined where neither was given. */
export function toggle(args: ArgumentList, on: string, off: string): boolean | undefined {
  const given = lastOf(args, on, off)
  return given === undefined ? undefined : given.name === on
}

/** The option and its values as they were given. */
export function asGiven(argument: Argument): string {
  const { option, spelling, values: given } = argument
  return option?.arity === 'joined' ? spelling + given.join('') : [spelling, ...given].join(' ')
}
