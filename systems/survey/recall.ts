// Inputs that a kept link has read and that are as they were: their rows are made from its rows, and nothing is read.
import {
  FILE_AGAIN,
  FILE_ARCHIVE,
  FILE_ASKS,
  FILE_BROKEN,
  FILE_DEBUG,
  FILE_HIDDEN,
  FILE_LOADED,
  FILE_MISSING,
  FILE_OBJECT,
  FILE_PARSED,
  FILE_SKIPPED,
} from '../../components/files.ts'
import type { Kept } from '../../components/kept.ts'
import type { Input } from '../../src/types.ts'
import { addObject, fileFlags, noteAutolinks, objectFlags } from './inputs.ts'
import { addFile, type Place, type Survey } from './survey.ts'

/** New bytes go behind those of the kept link, whose positions stay what they are. */
export function takeOver(found: Survey, kept: Kept): void {
  const { arenas, names, internal } = kept.link
  const { list, shared } = arenas
  found.kept = kept
  found.arenas = { list: list.slice(), shared, locals: 0, reserved: [internal.arena, names.pool] }
}

/** Whether the kept link has the object or archive at `path`, and it is as it was. */
export function isKnown({ kept }: Survey, path: string | undefined): path is string {
  return kept !== null && path !== undefined && !kept.changed.has(path) && (kept.files.get(path) ?? 0) !== 0
}

export function sizeKnown({ kept }: Survey, path: string): number {
  return kept!.link.files.Source.size[kept!.files.get(path)!]
}

/** The file row of an input that is known; 0 when it is to be read. */
export function recallInput(found: Survey, path: string, input: Input, rank: number, explicit: boolean): number {
  if (!isKnown(found, path)) return 0
  const { link, files, changed } = found.kept!
  const old = files.get(path)!
  if (link.files.Source.kind[old] === FILE_OBJECT) {
    if (input.contents === undefined) noteTaken(found, path)
    return recallObject(found, old, rank, input, 0)
  }
  const archive = link.archives[link.files.Detail.archive[old]]
  if (archive.thin && membersOf(found, old).some((member) => changed.has(pathOf(found, member)))) return 0
  if (input.contents === undefined) noteTaken(found, path)
  const file = recallArchive(found, old, rank, input, explicit)
  found.seen.set(path, file)
  return file
}

function noteTaken({ dependencies, kept }: Survey, path: string): void {
  dependencies.read.push(path)
  kept!.taken.push(path)
}

function pathOf({ kept }: Survey, old: number): string {
  return kept!.link.paths[kept!.link.files.Source.path[old]]
}

function membersOf({ kept }: Survey, archive: number): number[] {
  const { files } = kept!.link
  const members: number[] = []
  for (let member = archive + 1; member <= files.count && files.Order.parent[member] === archive; member++)
    members.push(member)
  return members
}

function placeOf({ kept }: Survey, old: number): Place {
  const { arena, position, size, modified, flags } = kept!.link.files.Source
  return {
    arena: arena[old],
    position: position[old],
    size: size[old],
    modified: modified[old],
    skipped: (flags[old] & FILE_SKIPPED) !== 0,
  }
}

function recallObject(found: Survey, old: number, rank: number, input: Input, parent: number): number {
  const { files } = found.kept!.link
  const { rows } = found
  const path = pathOf(found, old)
  const place = placeOf(found, old)
  const is = files.Source.flags[old]
  if (is & (FILE_BROKEN | FILE_AGAIN)) return addObject(found, path, place, rank, input, parent)
  const file = addFile(found, FILE_OBJECT, path, place, rank)
  const flags = objectFlags(input, parent === 0) | (is & (FILE_DEBUG | FILE_ASKS | FILE_SKIPPED))
  rows.parent[file] = parent
  rows.flags[file] = flags
  for (const name of ['sections', 'symbols', 'blocks', 'unwinds', 'strings'] as const)
    rows[name][file] = files.Counts[name][old]
  if (is & FILE_PARSED && (is & FILE_HIDDEN) === (flags & FILE_HIDDEN)) rows.from[file] = old
  if (is & FILE_ASKS) noteAutolinks(found, place)
  return file
}

function recallArchive(found: Survey, old: number, rank: number, input: Input, explicit: boolean): number {
  const { link } = found.kept!
  const { rows } = found
  const { kind, flags } = link.files.Source
  const file = addFile(found, FILE_ARCHIVE, pathOf(found, old), placeOf(found, old), rank)
  const archive = link.archives[link.files.Detail.archive[old]]
  rows.flags[file] = fileFlags(input, explicit) | (explicit ? FILE_LOADED : 0)
  rows.archive[file] = found.archives.push(archive) - 1
  for (const member of membersOf(found, old)) {
    let made: number
    if (archive.thin) noteThinMember(found, member)
    if (kind[member] === FILE_OBJECT) made = recallObject(found, member, rank, { ...input, lazy: false }, file)
    else {
      made = addFile(found, kind[member], pathOf(found, member), placeOf(found, member), rank)
      rows.parent[made] = file
      rows.flags[made] = flags[member] & FILE_BROKEN
    }
    rows.member[made] = link.files.Order.member[member]
  }
  return file
}

/** A member that is a file of its own, or that was not there. */
function noteThinMember(found: Survey, member: number): void {
  const path = pathOf(found, member)
  if (found.kept!.link.files.Source.kind[member] === FILE_MISSING) found.kept!.taken.push(path)
  else noteTaken(found, path)
}
