// What dist/ld64.js does when it starts: compiles the program, which stands beside it, with the code cache beside that. In a file of
// its own the program is read at once: Node would read 1 MB of text by 8 KiB, parse it, and each function again when it first runs.
//
//   dist/ld64.js          this
//   dist/ld64.program.js  the program: one expression, a function of `exports`, `require` and `module`
//   dist/ld64.cache       V8's code cache of the program, then the key. Without it, or when the key or V8 refuses it
//                         (another Node, other flags), the program is compiled from its text.
//   dist/ld64.stubs.js, dist/ld64.yaml.js  what few links ask for (leaveApart.ts)
//   dist/ld64.incremental.cache  the same with what patches run: twice as large, and read where they are asked for.
import { readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { Script } from 'node:vm'

/** Hash of the program: of the text V8 compares the length alone. */
declare const PROGRAM_ID: string

// With --preserve-symlinks-main this is where a link to it stands.
const here = realpathSync(__filename)
const stem = `${dirname(here)}/ld64`
const filename = `${stem}.program.js`
const script = new Script(readFileSync(filename, 'latin1'), {
  filename,
  cachedData: readCache(`${stem}${process.argv.includes('--incremental') ? '.incremental.cache' : '.cache'}`),
})
script.runInThisContext()(exports, here === __filename ? require : createRequire(here), module)

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
