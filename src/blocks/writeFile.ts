// The file of an image: written whole the first time, then by the pages that changed, in the ways in which a session does.
import type { Link } from '../../components/link.ts'
import { error, type Messages } from '../core/messages.ts'
import { type FileStat, type Host, HostError } from '../host/host.ts'
import { isSameFile } from '../session/fileRecords.ts'
import { createGenerations, endGenerations, type Generations, writeGeneration } from '../session/patch/generations.ts'
import type { State } from './state.ts'

const MODE = 0o755
const EMPTY = new Uint8Array(0)

export interface ImageFile {
  host: Host
  /** As it was left; null before the first write. */
  stat: FileStat | null
  generations: Generations
}

export function createImageFile(host: Host): ImageFile {
  return { host, stat: null, generations: createGenerations() }
}

/** False, with a message, where it cannot be written; the file is then as it was. */
export function writeImage(
  state: State,
  file: ImageFile,
  contents: Uint8Array,
  changed: boolean,
  messages: Messages,
): boolean {
  const { host, generations } = file
  const { output } = state.settings
  const writeWhole = () => host.writeFile(output, [contents], MODE)
  try {
    if (state.resized || !isOurs(file, output)) {
      endGenerations(host, generations)
      writeWhole()
    } else if (changed) {
      const source = { settings: state.settings, image: contents, tail: EMPTY } as Link
      writeGeneration(host, source, { pages: state.pages, shift: state.shift, tail: [] }, generations, writeWhole)
    }
  } catch (trouble) {
    if (!(trouble instanceof HostError)) throw trouble
    file.stat = null
    error(messages, 'cannot-write', `failed to open ${output}: ${trouble.message}`, { file: output })
    return false
  }
  file.stat = host.stat(output)
  return true
}

/** Nobody else has written it, or taken it away. */
function isOurs({ host, stat }: ImageFile, output: string): boolean {
  const now = host.stat(output)
  return now !== null && stat !== null && isSameFile(now, stat)
}

export function closeImageFile({ host, generations }: ImageFile): void {
  endGenerations(host, generations)
}
