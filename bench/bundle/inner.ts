// Makes systems/inner/code.ts: the loops beside it as WebAssembly, by AssemblyScript. `npm run inner` after a change to them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(import.meta.dirname, '../../..')
const folder = resolve(root, 'systems/inner')
const built = resolve(root, 'build/systems/inner')
/** Not loops. */
const OTHERS: readonly string[] = ['code.ts', 'inner.ts', 'types.ts']
const OPTIONS = '-O3 --runtime stub --importMemory --initialMemory 1 --noAssert --outFile code.wasm'.split(' ')
const ASC = resolve(root, 'node_modules/assemblyscript/bin/asc.js')

/** types.ts as AssemblyScript has it: an array is the address of its first element. */
const TYPES = `
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
  const sources: Record<string, string> = { 'types.ts': TYPES }
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && !OTHERS.includes(name))
  for (const name of names) sources[name] = await translate(name)
  const text = compile(sources, names).toString('base64')
  return `// Made of the loops beside it by bench/bundle/inner.ts.\nexport const CODE =\n  '${text}'\n`
}

/** Constants of other files stand in the source; types come from TYPES. */
async function translate(name: string): Promise<string> {
  const source = readFileSync(resolve(folder, name), 'utf8')
  let constants = ''
  for (const [, isType, list, from] of source.matchAll(IMPORT)) {
    if (isType) continue
    const values = await import(resolve(built, from.replace(/\.ts$/, '.js')))
    for (const constant of list.split(',').map((one) => one.trim()))
      if (constant !== '') constants += `const ${constant}: i32 = ${values[constant]}\n`
  }
  const loops = source.replace(IMPORT, '').replace(/\bMath\.(imul|clz32)\b/g, '$1')
  return `import { U8, U16, U32, View, imul, clz32 } from './types'\n${constants}${loops}`
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
