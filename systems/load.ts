// load: parses every object that takes part and is not parsed yet: sections, symbols, blocks, relocation runs, and activates the
// libraries that it names itself.
// Reads: files, arenas. Writes: sections, symbols, blocks, names (rows), file flags.
// Runs in turn with resolve until nothing more is wanted. Cost: one pass over the nlist records, name bytes and relocation
// addresses of the new files.

import { FILE_LOADED, FILE_OBJECT, FILE_PARSED } from '../components/files.ts'
import type { Link } from '../components/link.ts'
import { internMentions } from '../components/names.ts'
import { checkpoint } from '../components/observer.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { activateLibraries } from './load/activateLibraries.ts'
import { createLoadScratch, fillObject, type LoadScratch, reserveMentions } from './load/fillObject.ts'
import { breakFile, openObject, reading } from './load/openObject.ts'

/** Files between two looks at what goes on outside. */
const FILES_A_CHECK = 64

/** Returns how many files were parsed. */
export async function load(link: Link): Promise<number> {
  const { files } = link
  const scratch = createLoadScratch()
  let parsed = 0
  for (let file = 1; file <= files.count; file++) {
    if (!isWaiting(link, file)) continue
    loadObject(link, file, scratch)
    link.visited.rows += files.Ranges.symbols[file]
    link.visited.read += files.Ranges.symbols[file] * macho.NLIST_SIZE + files.Tables.stringsSize[file]
    if (++parsed % FILES_A_CHECK === 0) await checkpoint(link.observer, file, files.count)
  }
  return parsed
}

function isWaiting(link: Link, file: number): boolean {
  const { kind, flags } = link.files.Source
  return kind[file] === FILE_OBJECT && (flags[file] & (FILE_LOADED | FILE_PARSED)) === FILE_LOADED
}

function loadObject(link: Link, file: number, scratch: LoadScratch): void {
  link.files.Source.flags[file] |= FILE_PARSED
  const header = openObject(link, file)
  if (header === null) return
  reserveMentions(scratch, header.symbolCount)
  const count = fillObject(link, file, header, scratch.mentions, 0, scratch)
  if (count < 0) return
  const { names, arenas, symbols } = link
  const done = reading(link, file, () => {
    internMentions(names, arenas, scratch.mentions, 0, count, symbols.Definition.name, scratch.picked)
    activateLibraries(link, file, header)
    return true
  })
  if (done === null) breakFile(link, file)
}
