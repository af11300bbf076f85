// Libraries that a loaded object asks for.
import { FILE_ARCHIVE, FILE_FORCE_LOAD, FILE_LOADED } from '../../components/files.ts'
import { type Link, locate } from '../../components/link.ts'
import { toText } from '../../src/core/bytes.ts'
import { error } from '../../src/core/messages.ts'
import { type ObjectHeader, readLinkerOptions } from '../../src/formats/macho/object.ts'

/** LC_LINKER_OPTION of a loaded object: its libraries take part from now on. */
export function activateLibraries(link: Link, file: number, header: ObjectHeader): void {
  if (header.options === 0 || link.settings.ignoreAutoLink) return
  const { bytes } = link.arenas.list[link.files.Source.arena[file]]
  for (const words of readLinkerOptions(bytes, link.files.Source.position[file], header, (from, to) =>
    toText(bytes, from, to),
  )) {
    if (
      words.length === 0 ||
      link.settings.ignoreAutoLinkLibraries?.includes(words[words.length - 1].replace(/^-l/, ''))
    )
      continue
    const found = link.autolinks.get(words.join(' '))
    if (found === undefined) {
      error(link.messages, 'bad-linker-option', `${words[0]} is not allowed in LC_LINKER_OPTION`, locate(link, file))
      continue
    }
    if (found.problem !== '') reportMissing(link, found, file)
    if (found.dylib >= 0) link.dylibs[found.dylib].active = true
    if (found.file !== 0) activateFile(link, found.file)
  }
}

/** ld64.lld: an object's wish that cannot be met is only told when something stays undefined. */
function reportMissing(link: Link, found: { problem: string }, file: number): void {
  const text = `auto-linked ${found.problem}`
  if (link.settings.strictAutoLink) error(link.messages, 'autolink-not-found', text, locate(link, file))
  else link.missingAutolinks.push(text)
  found.problem = ''
}

/** -force_load_swift_libs: what Swift objects ask for is loaded whole, unless the command line names it. */
function activateFile(link: Link, file: number): void {
  const { files, settings } = link
  if (files.Source.flags[file] & FILE_LOADED) return
  files.Source.flags[file] |= FILE_LOADED
  const name = link.paths[files.Source.path[file]].replace(/^.*[\\/]/, '')
  if (files.Source.kind[file] === FILE_ARCHIVE && settings.forceLoadSwiftLibs === true && name.startsWith('libswift'))
    files.Source.flags[file] |= FILE_FORCE_LOAD
}
