// The inner loops, compiled: an instance of WebAssembly with memory of its own, or the same functions in JavaScript where there
// is none. V8 compiles WebAssembly in one pass when it is made, and for all threads at once; JavaScript it runs slowly first, on each
// thread, which is over half of a link of 1,000 objects.
import { CODE } from './code.ts'
import { gatherLocals, measureNames } from './names.ts'
import { splitAtSymbols } from './split.ts'
import { groupSymbols, readSymbols } from './symbols.ts'

const LOOPS = { readSymbols, groupSymbols, measureNames, gatherLocals, splitAtSymbols }

export type Loops = typeof LOOPS

/** More than this is left to JavaScript. */
const MOST_BYTES = 1 << 30
const PAGE = 1 << 16

/** Loops that take views of `buffer` and nothing else. */
export interface Inner {
  loops: Loops
  buffer: ArrayBuffer
}

interface Wasm {
  Module: new (code: Uint8Array) => object
  Memory: new (size: { initial: number }) => { buffer: ArrayBuffer; grow(pages: number): number }
  Instance: new (module: object, imports: object) => { exports: Record<string, (...args: number[]) => number> }
}

/** Room of at least `size` bytes. */
export function createInner(size: number): Inner {
  const wasm = (globalThis as { WebAssembly?: Wasm }).WebAssembly
  const compiled = size <= MOST_BYTES && wasm !== undefined ? instantiate(wasm, size) : null
  return compiled ?? { loops: LOOPS, buffer: new ArrayBuffer(size) }
}

/** Null where no code may be made: pages with a policy against it, some hosts of workers. */
function instantiate(wasm: Wasm, size: number): Inner | null {
  try {
    const memory = new wasm.Memory({ initial: Math.ceil(size / PAGE) })
    const { exports } = new wasm.Instance(new wasm.Module(decode(CODE)), { env: { memory } })
    const loops: Record<string, unknown> = {}
    for (const name in LOOPS) loops[name] = taking(exports[name])
    return { loops: loops as Loops, buffer: memory.buffer }
  } catch {
    return null
  }
}

type Argument = number | ArrayBufferView

function taking(run: (...args: number[]) => number): (...args: Argument[]) => number {
  return (...args) => {
    for (let i = 0; i < args.length; i++) {
      const value = args[i]
      if (typeof value !== 'number') args[i] = value.byteOffset
    }
    return run(...(args as number[]))
  }
}

function decode(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
}
