// What dist/ld64.js does when it starts: compiles the program, which stands behind this in a comment, with the code cache
// beside it. Node would parse all of the program's 700 KB at every start, and each function again when it first runs.
//
//   dist/ld64.js     this, then `function program(){//` and the program in one line, then `\n}`
//   dist/ld64.cache  V8's code cache of the program, then the key. Without it, or when the key or V8 refuses it
//                    (another Node, other flags), the program is compiled from its text.
//   dist/ld64.incremental.cache  the same with what patches run: twice as large, and read where they are asked for.
import { readFileSync } from 'node:fs'
import { Script } from 'node:vm'

declare function program(): void
/** Hash of the program: of the text V8 compares the length alone. */
declare const PROGRAM_ID: string

const text = program.toString()
const source = text.slice(text.indexOf('//') + 2, -2)
const script = new Script(source, {
  filename: __filename,
  cachedData: readCache(
    __filename.replace(/\.js$/, process.argv.includes('--incremental') ? '.incremental.cache' : '.cache'),
  ),
})
script.runInThisContext()(exports, require, module)

function readCache(path: string): Buffer | undefined {
  const key = `${PROGRAM_ID} ${process.version} ${process.arch}`
  try {
    const cache = readFileSync(path)
    const end = cache.length - key.length
    return cache.toString('latin1', Math.max(0, end)) === key ? cache.subarray(0, end) : undefined
  } catch {
    return undefined
  }
}
