// Makes dist/ld64.js and its program, one file, so that a small link does not wait for module loading; and beside them
// dist/ld64.cache, what V8 made of it, so that it does not wait for compilation either.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const outfile = resolve(root, 'dist/ld64.js')
const cache = resolve(root, 'dist/ld64.cache')

// CommonJS: Node 20 starts it some 20 ms sooner than a module. The folder says so, since the package itself is of modules.
mkdirSync(resolve(root, 'dist'), { recursive: true })
writeFileSync(resolve(root, 'dist/package.json'), '{"type":"commonjs"}\n')

// What is imported lazily is evaluated when it is first asked for, not at start-up.
const program = `(function(exports,require,module){${await bundle('src/cli/ld64.ts', {})}})`
if (/[^\0-\x7f]/.test(program)) throw new Error('the program is not ASCII')
const id = createHash('sha256').update(program).digest('hex').slice(0, 16)
const source = `${program}//${id}`
writeFileSync(resolve(root, 'dist/ld64.program.js'), source)
writeFileSync(outfile, `#!/usr/bin/env node\n/*\n${licences()}*/\n${await bundle('bench/bundle/start.ts', {})}\n`)
chmodSync(outfile, 0o755)
writeCache()

async function bundle(entry: string, options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    write: false,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    supported: { 'template-literal': false },
    ...options,
  })
  return outputFiles![0]!.text.replace(/^#!.*\n/, '').trim()
}

function writeCache(): void {
  const key = `${id} ${process.version} ${process.arch}`
  const train = [resolve(root, 'build/bench/bundle/train.js'), resolve(root, 'dist/ld64.program.js'), cache, key]
  execFileSync(process.execPath, train, { env: { ...process.env, NODE_OPTIONS: '' }, stdio: 'inherit' })
}

/** MPL-2.0 asks to say where the source is; ISC asks for its text. */
function licences(): string {
  const yaml = readFileSync(resolve(root, 'node_modules/yaml/LICENSE'), 'utf8')
  return `Contains bitECS 0.4.0 (MPL-2.0), source: https://github.com/NateTheGreatt/bitECS\nContains yaml:\n${yaml}`
}
