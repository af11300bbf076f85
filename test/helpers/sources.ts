import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { root } from './paths.ts'

export interface Import {
  /** Path from the root for our own files, else the package or `node:` name. */
  target: string
  line: number
  /** `import type`: gone at run time. */
  typeOnly: boolean
}

export interface Source {
  /** Path from the root, with `/`. */
  path: string
  text: string
  lines: readonly string[]
  imports: readonly Import[]
}

const FOLDERS = ['src', 'components', 'systems', 'bench', 'examples', 'test']
const IMPORT =
  /^\s*(?:import|export)\s+(type\s)?[^'"]*?\bfrom\s+['"]([^'"]+)['"]|^\s*import\s+()['"]([^'"]+)['"]|\b()import\(['"]([^'"]+)['"]\)/gm

/** All TypeScript files of the repository. */
export function readSources(): Source[] {
  const paths = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      posix.join(folder, name.replaceAll('\\', '/')),
    ),
  )
  return paths
    .filter((path) => path.endsWith('.ts'))
    .sort()
    .map(readSource)
}

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, text, lines: text.trimEnd().split('\n'), imports: findImports(path, text) }
}

function findImports(path: string, text: string): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const name = match[2] ?? match[4] ?? match[6]
    const target = name.startsWith('.') ? posix.join(posix.dirname(path), name) : name
    return { target, line: text.slice(0, match.index).split('\n').length, typeOnly: match[1] !== undefined }
  })
}
