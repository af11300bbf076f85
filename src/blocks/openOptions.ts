// What a caller of openImage may say, checked before the file is read: what is wrong afterwards is the file's fault.
import { MAX_HINTS, type OpenOptions } from './types.ts'

const KINDS: Readonly<Record<keyof OpenOptions, string>> = {
  output: 'string',
  host: 'object',
  write: 'boolean',
  adhocCodesign: 'boolean',
  codeSize: 'number',
  symbolCount: 'number',
  headerPad: 'number',
}

export function checkHints(caller: string, options: OpenOptions): void {
  for (const [hint, most] of Object.entries(MAX_HINTS)) {
    const given = options[hint as keyof typeof MAX_HINTS] ?? 0
    if (!Number.isInteger(given) || given < 0 || given > most)
      throw new TypeError(`${caller}: expected ${hint} from 0 to ${most}, got ${given}`)
  }
}

/** The options that were given. @throws TypeError */
export function checkOpenOptions(options: OpenOptions): OpenOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  for (const [name, value] of given) {
    if (!Object.hasOwn(KINDS, name)) throw new TypeError(`openImage: the file says what ${name} is`)
    const kind = KINDS[name as keyof OpenOptions]
    if (typeof value !== kind || value === null)
      throw new TypeError(`openImage: expected ${name} to be ${kind === 'object' ? 'an' : 'a'} ${kind}, got ${value}`)
  }
  if (options.output === '') throw new TypeError('openImage: expected a path as output, got an empty one')
  checkHints('openImage', options)
  if (options.write === true && options.host === undefined) throw new TypeError('openImage: to write takes a host')
  return Object.fromEntries(given)
}
