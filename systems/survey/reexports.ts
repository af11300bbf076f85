// Which libraries the output passes on (-sub_library, -sub_umbrella), and which it may not link at all.
import { error, warn } from '../../src/core/messages.ts'
import type { Survey } from './survey.ts'

/** -sub_library and -sub_umbrella name dylibs of the command line by the file name, with or without the extension. */
export function markReexports(found: Survey): void {
  for (const name of found.settings.subLibraries ?? [])
    markReexport(found, '-sub_library', name, ['', '.dylib', '.tbd'])
  for (const name of found.settings.subUmbrellas ?? []) markReexport(found, '-sub_umbrella', name, ['', '.tbd'])
}

function markReexport(found: Survey, option: string, name: string, extensions: readonly string[]): void {
  const dylib = found.dylibs.find(
    ({ path, explicit }) => explicit && extensions.some((extension) => baseName(path) === name + extension),
  )
  if (dylib === undefined) error(found.messages, 'no-such-dylib', `${option} ${name} does not match a supplied dylib`)
  else dylib.reexport = true
}

function baseName(path: string): string {
  return path.replace(/^.*[\\/]/, '')
}

/** -allowable_client of a dylib that is named itself: only those may link it. */
export function checkClients(found: Survey): void {
  const { settings } = found
  const client = settings.clientName ?? clientName(settings.finalOutput)
  for (const dylib of found.dylibs) {
    const { allowableClients, installName } = dylib.file
    if (!dylib.explicit || dylib.bundleLoader || allowableClients.length === 0 || allowableClients.includes(client))
      continue
    const text = `cannot link directly with '${baseName(installName ?? dylib.path)}' because ${client} is not an allowed client`
    error(found.messages, 'not-an-allowed-client', text, { file: dylib.path })
  }
}

/** The file name without `lib` and what follows the first dot. */
function clientName(path: string): string {
  return baseName(path).replace(/^lib/, '').replace(/\..*$/, '')
}

/** A re-exported library has one load command, which cannot say that it may be missing. */
export function checkWeakReexports(found: Survey): void {
  for (const { weak, reexport, path } of found.dylibs)
    if (weak && reexport)
      warn(found.messages, 'weak-reexport', `${path} is re-exported so cannot be weak-linked`, { file: path })
}

/** Code of an application extension may only call libraries that promise to suit it. */
export function checkExtensionSafety(found: Survey): void {
  if (found.settings.applicationExtension !== true) return
  for (const { path, file } of found.dylibs)
    if (!file.appExtensionSafe)
      warn(found.messages, 'unsafe-dylib', `using '-application_extension' with unsafe dylib: ${path}`, { file: path })
}
