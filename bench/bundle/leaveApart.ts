// What few links ask for stands beside the program, in dist/ld64.stubs.js and dist/ld64.yaml.js: of a program every start reads the
// whole text, and what V8 keeps of each function, whether it runs or not.
import { readFileSync } from 'node:fs'
import type { Plugin } from 'esbuild'

export const leaveApart: Plugin = {
  name: 'leave apart',
  setup(build) {
    build.onResolve({ filter: /^\.\/ld64\./ }, ({ path }) => ({ path, external: true }))
    build.onResolve({ filter: /^yaml$/ }, ({ path }) => ({ path, namespace: 'apart' }))
    build.onLoad({ filter: /./, namespace: 'apart' }, () => ({
      contents: `module.exports = require('./ld64.yaml.js')`,
    }))
    build.onLoad({ filter: /src.stubs.texts\.ts$/ }, ({ path }) => ({
      contents: textsApart(readFileSync(path, 'utf8')),
    }))
  },
}

/** Each text is made when a link asks for it; so is the file read. */
function textsApart(source: string): string {
  const names = source.match(/\blib\w+Symbols\w*/g)!
  return names.map((name) => `export const ${name} = () => require('./ld64.stubs.js').${name}()`).join('\n')
}
