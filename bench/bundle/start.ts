// What dist/ld64.js does when it starts: compiles the program beside it with the code cache beside that. Within this file Node would read
// the program's 700 KB as UTF-8 and parse them (hello: 5 ms), and each function again when it first runs.
//
//   dist/ld64.js          this
//   dist/ld64.program.js  the program, ASCII; its last 16 characters are a hash of what stands before: V8 compares the length alone
//   dist/ld64.cache       V8's code cache of the program, then the key. Without it, or when the key or V8 refuses it
//                         (another Node, other flags), the program is compiled from its text.
import { readFileSync } from 'node:fs'
import { Script } from 'node:vm'

const beside = (ending: string) => __filename.replace(/\.js$/, ending)
const source = readFileSync(beside('.program.js'), 'latin1')
const script = new Script(source, { filename: __filename, cachedData: readCache(beside('.cache')) })
script.runInThisContext()(exports, require, module)

function readCache(path: string): Buffer | undefined {
  const key = `${source.slice(-16)} ${process.version} ${process.arch}`
  try {
    const cache = readFileSync(path)
    const end = cache.length - key.length
    return cache.toString('latin1', Math.max(0, end)) === key ? cache.subarray(0, end) : undefined
  } catch {
    return undefined
  }
}
