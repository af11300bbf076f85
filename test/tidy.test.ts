import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { type FunctionSize, measureFunctions } from './helpers/functions.ts'
import { root } from './helpers/paths.ts'
import { readmeRows } from './helpers/readmeTable.ts'
import { readSources, type Source } from './helpers/sources.ts'

const MAX_FILE = 700
const MAX_FUNCTION = 80
const MAX_MEDIAN = 15

const sources = readSources()
const library = sources.filter(({ path }) => /^(src|components|systems)\//.test(path))
/** Systems are the files at the top of systems/; folders beside them hold their parts. */
const systems = sources.map(({ path }) => path).filter((path) => /^systems\/(?!index\.ts$)\w+\.ts$/.test(path))

/** Lowest first. A file may import from its own layer and from those below. */
const LAYERS: readonly RegExp[] = [
  /^src\/(core\/.*|host\/host\.ts|types\.ts)$/,
  /^src\/(formats\/.*|stubs\/.*|ecs\.ts|host\/memory\.ts)$/,
  /^src\/(verify\/.*|(verify|sign|settings)\.ts)$/,
  /^(components|src\/arch)\//,
  /^(systems\/(?!index\.ts$).*|src\/image\.ts)$/,
  /^systems\/index\.ts$/,
  /^src\/((session|blocks|snapshot)\/.*|(?!(index|node|worker)\.ts$)[^/]+\.ts)$/,
  /^src\/index\.ts$/,
  /^src\/host\//,
  /^src\/(node|worker)\.ts$/,
  /^src\/cli\//,
]

function layerOf(path: string): number {
  return LAYERS.findIndex((layer) => layer.test(path))
}

test('every source file of the library has its layer', () => {
  assert.deepEqual(
    library.filter(({ path }) => layerOf(path) < 0).map(({ path }) => path),
    [],
  )
})

test('imports run downwards only', () => {
  const wrong: string[] = []
  for (const { path, imports } of library) {
    for (const { target, line } of imports) {
      if (target.endsWith('.ts') && layerOf(target) > layerOf(path)) wrong.push(`${path}:${line} imports ${target}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('no system imports another system', () => {
  const units = new Set(systems.map(unitOf))
  const wrong: string[] = []
  for (const { path, imports } of library.filter((source) => /^systems\/(?!index\.ts$)/.test(source.path))) {
    for (const { target } of imports) {
      if (target.startsWith('systems/') && units.has(unitOf(target)) && unitOf(target) !== unitOf(path))
        wrong.push(`${path} imports ${target}`)
    }
  }
  assert.deepEqual(wrong, [])
})

/** `resolve` for systems/resolve.ts and for all of systems/resolve/. */
function unitOf(path: string): string {
  return path.split('/')[1].replace(/\.ts$/, '')
}

test('imports name files that exist', () => {
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target.endsWith('.ts') && !existsSync(join(root, target)))
      .map(({ target }) => `${path}: ${target}`),
  )
  assert.deepEqual(wrong, [])
})

test('no imports go in circles', () => {
  const graph = new Map(
    sources.map(({ path, imports }) => [path, imports.filter((i) => !i.typeOnly).map((i) => i.target)]),
  )
  assert.deepEqual(findCycle(graph), [])
})

/** The files on a cycle of run-time imports, or none. Files without unfinished imports are taken away until none is left. */
function findCycle(graph: Map<string, string[]>): string[] {
  for (let before = -1; before !== graph.size; ) {
    before = graph.size
    for (const [path, targets] of graph) if (!targets.some((target) => graph.has(target))) graph.delete(path)
  }
  return [...graph.keys()]
}

test('the platform is reached through the host only', () => {
  const free = (path: string) => path === 'src/host/node.ts' || /^(src\/cli|bench|examples|test)\//.test(path)
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target.startsWith('node:') && !free(path))
      .map(({ target }) => `${path} imports ${target}`),
  )
  assert.deepEqual(wrong, [])
})

test('only the doorway imports bitECS, and packages are those of package.json', () => {
  const known = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies)
  const wrong: string[] = []
  for (const { path, imports } of library) {
    for (const { target } of imports) {
      if (target.endsWith('.ts') || target.startsWith('node:')) continue
      if (!known.includes(target) || (target === 'bitecs' && path !== 'src/ecs.ts'))
        wrong.push(`${path} imports ${target}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test(`no file has more than ${MAX_FILE} lines`, () => {
  const long = sources.filter(({ path, lines }) => lines.length > MAX_FILE && !path.startsWith('src/stubs/'))
  assert.deepEqual(
    long.map(({ path, lines }) => `${path}: ${lines.length}`),
    [],
  )
})

test('a system is a function of the same name as its file', () => {
  const wrong = sources.filter(({ path, text }) => {
    return (
      systems.includes(path) && !new RegExp(`^export (async )?function ${basename(path, '.ts')}\\b`, 'm').test(text)
    )
  })
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  )
})

test('functions are short', () => {
  const all = measureFunctions(library)
  const long = all.filter((f) => f.length > MAX_FUNCTION && !hasReason(f))
  assert.deepEqual(
    long.map((f) => `${f.path}:${f.line} ${f.name}: ${f.length} lines`),
    [],
  )
  const lengths = all.map((f) => f.length).sort((a, b) => a - b)
  assert.ok(lengths[lengths.length >> 1] <= MAX_MEDIAN, `the median function has ${lengths[lengths.length >> 1]} lines`)
})

/** `// long: why` in the comment right above the function. */
function hasReason({ path, line }: FunctionSize): boolean {
  const { lines } = sources.find((source) => source.path === path)!
  let above = line - 2
  while (above >= 0 && /^\s*(\/\/|\/?\*)/.test(lines[above])) {
    if (/^\s*\/\/ long: ./.test(lines[above])) return true
    above--
  }
  return false
}

test('nothing is left for later', () => {
  const mark = /\b(TO[D]O|FIX[M]E|XX[X])\b/
  const wrong = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) => (mark.test(line) ? [`${path}:${i + 1} ${line.trim()}`] : [])),
  )
  assert.deepEqual(wrong, [])
})

test('no test is skipped or singled out', () => {
  const mark = /\b(test|it|describe)\.(skip|only|todo)\b|\b(skip|only|todo): (true|')/
  const tests = sources.filter(({ path }) => path.endsWith('.test.ts') && path !== 'test/tidy.test.ts')
  const wrong = tests.filter(({ text }) => mark.test(text))
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  )
})

test('systems/README.md names the systems that there are', () => {
  const rows = readmeRows('systems/README.md', ['system', 'reads', 'writes'])
  compareNames(
    rows.map(([system]) => system),
    systems.map((path) => basename(path, '.ts')),
  )
})

test('components/README.md names the components and columns that there are, with their types', () => {
  const kinds = library.filter(({ path }) => path.startsWith('components/'))
  const rows = readmeRows('components/README.md', ['kind', 'component', 'column', 'type'])
  compareNames(
    rows.map((row) => row.join(' ')),
    kinds.flatMap(columnNames),
  )
})

/** `kind Component column type` of what `createKinds` makes with `const Component = columns(rows, { column: 'type' })`. */
function columnNames({ text }: Source): string[] {
  const names: string[] = []
  let kind = ''
  const finds = text.matchAll(/\bfunction create(\w+)\(|\bconst (\w+) = columns\([^{]*\{([^}]*)\}/g)
  for (const [, maker, component, layout] of finds) {
    if (maker !== undefined) kind = maker[0].toLowerCase() + maker.slice(1)
    else
      for (const [, column, type] of layout.matchAll(/(\w+): '(\w+)'/g))
        names.push(`${kind} ${component} ${column} ${type}`)
  }
  return names
}

test('README.md lists the options of a link that nothing reads yet', () => {
  const contract = sources.find(({ path }) => path === 'src/types.ts')!.text
  const options = /^export interface LinkOptions \{$([\s\S]*?)^\}$/m.exec(contract)![1]
  const readers = library.filter(({ path }) => path !== 'src/types.ts' && !/^src\/(cli|stubs)\//.test(path))
  const names = [...options.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name)
  compareNames(
    readmeRows('README.md', ['in LinkOptions']).flatMap(([cell]) => cell.split(', ')),
    names.filter((name) => !readers.some(({ text }) => readsOption(text, name))),
  )
})

/** `settings.name`, `options.name`, or `name` taken out of either. */
function readsOption(text: string, name: string): boolean {
  return new RegExp(`\\b(settings|options)\\??\\.${name}\\b|\\{[^}]*\\b${name}\\b[^}]*\\} = (link\\.)?settings`).test(
    text,
  )
}

function compareNames(written: readonly string[], inCode: readonly string[]): void {
  const missing = inCode.filter((name) => !written.includes(name))
  const gone = written.filter((name) => !inCode.includes(name))
  assert.deepEqual({ missing, gone }, { missing: [], gone: [] })
}
