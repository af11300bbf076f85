/** What messages begin with: the name the command was called by; `ld64.colonnade` where that is only the name of our script. */
export function programName(path: string | undefined): string {
  const base = (path ?? '').split(/[\\/]/).at(-1)!
  const name = base.replace(/\.(exe|[cm]?[jt]s)$/, '')
  return name === '' || name === 'ld64' ? 'ld64.colonnade' : name
}
