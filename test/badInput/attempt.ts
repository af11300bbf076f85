// One link of a spoiled file, judged: a refusal that says where, or an image without a fault. Anything else is a bug.
import { createMemoryHost, link, verify } from '../../src/index.ts'
import { createNodeHost } from '../../src/host/node.ts'
import { LinkFailure, type Message } from '../../src/types.ts'
import { type Fixture, objectFixture, optionsOf } from './fixtures.ts'

export interface Outcome {
  /** `bug` is what may never be. */
  verdict: 'linked' | 'refused' | 'bug'
  text: string
  ids: string[]
  image: Uint8Array | null
}

const { sha256 } = createNodeHost()

/** Milliseconds that a link of a few kilobytes may take; an ordinary one takes less than ten. */
const LIMIT = 4000

/** Messages about a name that nobody defines or a library that is not there: no byte is to blame. */
const NO_BYTE = new Set([
  'not-an-allowed-client',
  'too-many-sections',
  'undefined-symbol',
  'library-not-found',
  'cannot-open',
])

/** A pointer in code, which ld64.lld links without a word and so do we; dyld refuses it. */
const TEXT_RELOCATION = /fixup at .* is in a read-only segment/

export async function attempt(
  fixture: Fixture,
  subject: Uint8Array,
  fixupChains: boolean,
  extra: object = {},
): Promise<Outcome> {
  const host = { ...createMemoryHost({ ...fixture.files, [fixture.subject]: subject }), sha256 }
  const started = performance.now()
  const outcome = await judge(fixture, { ...optionsOf(fixture, fixupChains), ...extra, host })
  const took = performance.now() - started
  if (took > LIMIT && outcome.verdict !== 'bug')
    return { ...outcome, verdict: 'bug', text: `took ${Math.round(took)} ms` }
  return outcome
}

async function judge(fixture: Fixture, options: Parameters<typeof link>[0]): Promise<Outcome> {
  try {
    const { outputFiles } = await link(options)
    const image = outputFiles[0].contents
    const faults = verify(image).filter((message) => message.severity === 'error')
    if (faults.length === 0 || faults.some((fault) => TEXT_RELOCATION.test(fault.text)))
      return { verdict: 'linked', text: '', ids: [], image }
    return {
      verdict: 'bug',
      text: `wrong image: ${faults[0].id}: ${faults[0].text}`,
      ids: faults.map((fault) => fault.id),
      image,
    }
  } catch (trouble) {
    if (!(trouble instanceof LinkFailure))
      return { verdict: 'bug', text: `threw ${(trouble as Error).stack}`, ids: [], image: null }
    const ids = trouble.errors.map((message) => message.id)
    const silent = trouble.errors.find((message) => !isLocated(fixture, message))
    if (silent === undefined && ids.length > 0) return { verdict: 'refused', text: trouble.message, ids, image: null }
    return {
      verdict: 'bug',
      text: `no place: ${silent?.id}: ${silent?.text} ${JSON.stringify(silent?.location)}`,
      ids,
      image: null,
    }
  }
}

/** A file of the link is named, and for what a reader refuses, the byte in it. */
function isLocated(fixture: Fixture, { id, location }: Message): boolean {
  if (NO_BYTE.has(id)) return true
  if (location === null || location.file === '') return false
  const file = fixture.files[location.file]
  return (
    file !== undefined && (location.offset === undefined || (location.offset >= 0 && location.offset <= file.length))
  )
}

/** An object of its own, linked to an executable. */
export function attemptObject(
  object: Uint8Array,
  fixupChains: boolean,
  arch: 'x86_64' | 'arm64' = 'x86_64',
): Promise<Outcome> {
  return attempt(objectFixture(object, arch), object, fixupChains)
}
