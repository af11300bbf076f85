// Where -l and -framework look, as ld64.lld does.
import type { Host } from '../../src/host/host.ts'
import type { Settings } from '../../src/settings.ts'
import type { Survey } from './survey.ts'

const STANDARD_LIBRARIES = ['/usr/lib', '/usr/local/lib']
const STANDARD_FRAMEWORKS = ['/Library/Frameworks', '/System/Library/Frameworks']

export function isAbsolute(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path)
}

export function isFile(host: Host, path: string): boolean {
  return host.stat(path)?.isFile === true
}

function isDirectory(host: Host, path: string): boolean {
  return host.stat(path)?.isFile === false
}

/** Each -L or -F directory, absolute ones under every -syslibroot where they exist there, then the standard ones. */
function directories(settings: Settings, host: Host, given: readonly string[], standard: readonly string[]): string[] {
  const roots = settings.syslibroots ?? []
  const found: string[] = []
  for (const path of given) {
    const under = isAbsolute(path) ? roots.map((root) => root + path).filter((at) => isDirectory(host, at)) : []
    if (under.length > 0) found.push(...under)
    else if (isDirectory(host, path)) found.push(path)
  }
  if (settings.noStandardPaths) return found
  for (const path of standard)
    for (const root of roots.length === 0 ? [''] : roots) if (isDirectory(host, root + path)) found.push(root + path)
  return found
}

export function findDirectories(survey: Survey): void {
  const { settings, host } = survey
  survey.libraryDirectories = directories(settings, host, settings.libraryPaths ?? [], STANDARD_LIBRARIES)
  survey.frameworkDirectories = directories(settings, host, settings.frameworkPaths ?? [], STANDARD_FRAMEWORKS)
}

/** The first of `path` + each extension that is a file; those that are not are noted for -dependency_info. */
export function firstFile(survey: Survey, path: string, extensions: readonly string[]): string | null {
  for (const extension of extensions) {
    const found = isFile(survey.host, path + extension)
    if (survey.settings.printDylibSearch)
      survey.searched.push(`searched ${path + extension}${found ? ', found ' : ', not found'}\n`)
    if (found) return path + extension
    survey.dependencies.missing.push(path + extension)
  }
  return null
}

const DYLIB_EXTENSIONS = ['.tbd', '.dylib', '.so']

/** -lname: `libname` with an extension; a name that ends in .o is a file of that name. */
export function findLibrary(survey: Survey, name: string): string | null {
  const base = name.endsWith('.o') ? name : `lib${name}`
  const passes = name.endsWith('.o')
    ? [['']]
    : survey.settings.searchDylibsFirst
      ? [DYLIB_EXTENSIONS, ['.a']]
      : [[...DYLIB_EXTENSIONS, '.a']]
  for (const extensions of passes)
    for (const directory of survey.libraryDirectories) {
      const found = firstFile(survey, `${directory}/${base}`, extensions)
      if (found !== null) return found
    }
  return null
}

/** -framework Name[,suffix]: Name.framework/Name + suffix, else without the suffix. */
export function findFramework(survey: Survey, text: string): string | null {
  const [name, suffix] = text.split(',')
  for (const directory of survey.frameworkDirectories) {
    const base = `${directory}/${name}.framework/${name}`
    // Only the library itself has files with suffixes beside it, not the links that lead to it.
    const real = suffix && isFile(survey.host, base) ? survey.host.realPath(base) + suffix : ''
    const found = real !== '' && isFile(survey.host, real) ? real : firstFile(survey, base, ['.tbd', ''])
    if (found !== null) return found
  }
  return null
}
