// Makes systems/inner/code.ts: the loops beside it as WebAssembly, by AssemblyScript. `npm run inner` after a change to them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(import.meta.dirname, '../../..')
const folder = resolve(root, 'systems/inner')
const built = resolve(root, 'build/systems/inner')
/** Not loops. */
const OTHERS: readonly string[] = ['code.ts', 'inner.ts']
/** What loops import of functions, from there. */
const FUNCTIONS = '../../src/core/words.ts'
const OPTIONS = '-O3 --runtime stub --importMemory --initialMemory 1 --noAssert --outFile code.wasm'.split(' ')
const ASC = resolve(root, 'node_modules/assemblyscript/bin/asc.js')

/** src/core/widths.ts as AssemblyScript has it: an array is the address of its first element. */
const WIDTHS = `
@unmanaged export class U8 {
  @inline @operator("[]") get(i: i32): i32 { return <i32>load<u8>(changetype<usize>(this) + <usize>i) }
  @inline @operator("[]=") set(i: i32, value: i32): void { store<u8>(changetype<usize>(this) + <usize>i, <u8>value) }
}
@unmanaged export class U16 {
  @inline @operator("[]") get(i: i32): i32 { return <i32>load<u16>(changetype<usize>(this) + (<usize>i << 1)) }
  @inline @operator("[]=") set(i: i32, value: i32): void { store<u16>(changetype<usize>(this) + (<usize>i << 1), <u16>value) }
}
@unmanaged export class U32 {
  @inline @operator("[]") get(i: i32): u32 { return load<u32>(changetype<usize>(this) + (<usize>i << 2)) }
  @inline @operator("[]=") set(i: i32, value: u32): void { store<u32>(changetype<usize>(this) + (<usize>i << 2), value) }
}
@unmanaged export class View {
  @inline getInt32(at: i32, little: bool): i32 { return load<i32>(changetype<usize>(this) + <usize>at) }
  @inline setInt32(at: i32, value: i32, little: bool): void { store<i32>(changetype<usize>(this) + <usize>at, value) }
}
@inline export function imul(a: i32, b: i32): i32 { return a * b }
@inline export function clz32(word: i32): i32 { return clz(word) }
`

const IMPORT = /^import (type )?\{([^}]*)\} from '([^']*)'\n/gm

/** The text of systems/inner/code.ts. */
export async function innerCode(): Promise<string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && !OTHERS.includes(name))
  const sources: Record<string, string> = { 'widths.ts': WIDTHS }
  for (const name of [...names, FUNCTIONS]) sources[basename(name)] = await translate(name)
  const text = compile(sources, names).toString('base64')
  return `// Made of the loops beside it by bench/bundle/inner.ts.\nexport const CODE =\n  '${text}'\n`
}

/** Constants of other files stand in the source; types come from WIDTHS. */
async function translate(name: string): Promise<string> {
  const source = readFileSync(resolve(folder, name), 'utf8')
  let head = `import { U8, U16, U32, View, imul, clz32 } from './widths'\n`
  for (const [, isType, list, from] of source.matchAll(IMPORT)) {
    if (from === FUNCTIONS) head += `import {${list}} from './words'\n`
    else if (!isType) head += await constantsOf(list.split(','), from)
  }
  return head + source.replace(IMPORT, '').replace(/\bMath\.(imul|clz32)\b/g, '$1')
}

async function constantsOf(names: readonly string[], from: string): Promise<string> {
  const values = await import(resolve(built, from.replace(/\.ts$/, '.js')))
  const known = names.map((name) => name.trim()).filter((name) => name !== '')
  return known.map((name) => `const ${name}: i32 = ${values[name]}\n`).join('')
}

function compile(sources: Readonly<Record<string, string>>, names: readonly string[]): Buffer {
  const work = mkdtempSync(join(tmpdir(), 'colonnade-'))
  try {
    for (const name in sources) writeFileSync(join(work, name), sources[name])
    execFileSync(process.execPath, [ASC, ...names, ...OPTIONS, '--baseDir', work], { stdio: 'inherit' })
    return readFileSync(join(work, 'code.wasm'))
  } finally {
    rmSync(work, { recursive: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(resolve(folder, 'code.ts'), await innerCode())
