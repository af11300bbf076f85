// Makes dist/ld64.js: one file, so that a small link does not wait for module loading.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const outfile = resolve(root, 'dist/ld64.js')
const entry = 'src/cli/ld64.ts'

// esbuild keeps the entry's own `#!` line, before the banner.
const shebang = readFileSync(resolve(root, entry), 'utf8').startsWith('#!') ? '' : '#!/usr/bin/env node\n'
// CommonJS: Node 20 starts it some 20 ms sooner than a module. The folder says so, since the package itself is of modules.
// What is imported lazily is evaluated when it is first asked for, not at start-up.
mkdirSync(resolve(root, 'dist'), { recursive: true })
writeFileSync(resolve(root, 'dist/package.json'), '{"type":"commonjs"}\n')

await build({
  absWorkingDir: root,
  entryPoints: [entry],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minify: true,
  legalComments: 'none',
  banner: { js: shebang },
  footer: { js: `/*\n${licences()}*/` },
  logLevel: 'warning',
})
chmodSync(outfile, 0o755)

/** MPL-2.0 asks to say where the source is; ISC asks for its text. */
function licences(): string {
  const yaml = readFileSync(resolve(root, 'node_modules/yaml/LICENSE'), 'utf8')
  return `Contains bitECS 0.4.0 (MPL-2.0), source: https://github.com/NateTheGreatt/bitECS\nContains yaml:\n${yaml}`
}
