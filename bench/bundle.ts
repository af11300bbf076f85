// Makes dist/ld64.program.js: one file, so that a small link does not wait for module loading; beside it dist/ld64.cache, what V8
// made of it, so that it does not wait for compilation either; what few links ask for; and dist/ld64.js, which starts the one with the other.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build } from 'esbuild'
import { leaveApart } from './bundle/leaveApart.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const outfile = resolve(root, 'dist/ld64.js')
const programFile = resolve(root, 'dist/ld64.program.js')

// CommonJS: Node 20 starts it some 20 ms sooner than a module. The folder says so, since the package itself is of modules.
mkdirSync(resolve(root, 'dist'), { recursive: true })
writeFileSync(resolve(root, 'dist/package.json'), '{"type":"commonjs"}\n')

// What is imported lazily is evaluated when it is first asked for, not at start-up.
const program = `(function(exports,require,module){${await bundle('src/cli/ld64.ts', { plugins: [leaveApart] })}})`
if (/[^\0-\x7f]/.test(program)) throw new Error('the program, which is read byte by byte, is not ASCII')
const stubs = await bundle('src/stubs/texts.ts', {})
const yaml = await bundle('yaml', {})
const id = createHash('sha256').update(program).update(stubs).update(yaml).digest('hex').slice(0, 16)
const start = await bundle('bench/bundle/start.ts', { define: { PROGRAM_ID: JSON.stringify(id) } })
writeFileSync(outfile, `#!/usr/bin/env node\n/*\n${licences()}*/\n${start}\n`)
chmodSync(outfile, 0o755)
writeFileSync(programFile, program)
writeFileSync(resolve(root, 'dist/ld64.stubs.js'), stubs)
writeFileSync(resolve(root, 'dist/ld64.yaml.js'), yaml)
writeCaches()

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
    ...options,
  })
  return outputFiles![0]!.text.replace(/^#!.*\n/, '').trim()
}

/** Two of them: what patches need beside a link would cost every small link 10 ms. */
function writeCaches(): void {
  const key = `${id} ${process.version} ${process.arch}`
  const train = [resolve(root, 'build/bench/bundle/train.js'), programFile]
  const options = { env: { ...process.env, NODE_OPTIONS: '' }, stdio: 'inherit' } as const
  execFileSync(process.execPath, [...train, resolve(root, 'dist/ld64.cache'), key], options)
  execFileSync(
    process.execPath,
    [...train, resolve(root, 'dist/ld64.incremental.cache'), key, '--incremental'],
    options,
  )
}

/** MPL-2.0 asks to say where the source is; ISC asks for its text. */
function licences(): string {
  const yaml = readFileSync(resolve(root, 'node_modules/yaml/LICENSE'), 'utf8')
  return `Contains bitECS 0.4.0 (MPL-2.0), source: https://github.com/NateTheGreatt/bitECS\nContains yaml:\n${yaml}`
}
