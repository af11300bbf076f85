// Who is timed against us. Every linker gets the same inputs and the same options; what one does that another does not is said here.
import { join } from 'node:path'
import { root } from '../jobs.ts'
import type { Contestant } from '../measure.ts'
import type { Scenario } from '../scenarios.ts'

/** A linker that takes ld64's options; `command` is the words before them. */
export interface Rival {
  name: string
  command: readonly string[]
  /** What it does otherwise than the others. */
  note: string
}

export const OURS = 'colonnade'
export const PEER = 'ld64.lld'
export const NODE = 'node -e 0'
export const ONE_THREAD = ' --threads=1'
export const PEER_COMMAND = 'ld64.lld-22'

const us: Rival = {
  name: OURS,
  command: [process.execPath, join(root, 'dist/ld64.js')],
  note: 'starts Node each time; a UUID of SHA-256 where the image is signed, else of a hash of its own; ld64.lld takes xxh3',
}
const peer: Rival = { name: PEER, command: [PEER_COMMAND], note: 'writes through a mapping of the output file' }

/** `NAME=COMMAND`, words of the command separated by spaces. @throws RangeError when it is not that. */
export function parseRival(text: string): Rival {
  const at = text.indexOf('=')
  const command = text
    .slice(at + 1)
    .split(' ')
    .filter((word) => word !== '')
  if (at < 1 || command.length === 0) throw new RangeError(`expected NAME=COMMAND, got ${text}`)
  return { name: text.slice(0, at), command, note: 'given on the command line; its options are taken to mean the same' }
}

/** Us and the peer with their default threads and with one, the start of Node where it counts, and the others as they are. */
export function contestantsFor(scenario: Scenario, cache: string, others: readonly Rival[]): Contestant[] {
  const args = scenario.args()
  const entry = ({ name, command }: Rival, suffix: string): Contestant => {
    const output = join(cache, `out-${name.replace(/\W/g, '-')}${suffix === '' ? '' : '-1'}`)
    const flags = suffix === '' ? [] : [suffix.trim()]
    return { name: `${name}${suffix}`, command: [...command, ...flags, ...args, '-o', output], output }
  }
  const contestants = [us, peer].flatMap((rival) => [entry(rival, ''), entry(rival, ONE_THREAD)])
  contestants.push(...others.map((rival) => entry(rival, '')))
  if (scenario.small) contestants.push({ name: NODE, command: [process.execPath, '-e', '0'], output: null })
  return contestants
}

export function differences(others: readonly Rival[]): string {
  return ['what differs:', ...[us, peer, ...others].map(({ name, note }) => `  ${name}: ${note}`)].join('\n')
}
