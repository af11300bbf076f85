// A compiler that keeps its image open: it compiles only the functions whose lines have changed, and writes only what that changes.
//   node build/examples/toyCompiler.js FILE OUTPUT ARCH [--watch]
// A line is `name = term + term ...` with + - * from left to right; a term is a number or a name, which is called. `main` is printed.
import { readFileSync, watchFile } from 'node:fs'
import {
  type BlockHandle,
  type BlockRelocation,
  createImage,
  type FlushResult,
  type ImportHandle,
} from '../src/node.ts'

const LIBSYSTEM = '/usr/lib/libSystem.B.dylib'

interface Code {
  bytes: number[]
  relocations: BlockRelocation[]
}

type Handle = BlockHandle | ImportHandle

interface Backend {
  begin: readonly number[]
  end: readonly number[]
  save: readonly number[]
  restore: readonly number[]
  operators: Readonly<Record<string, readonly number[]>>
  number(value: number): number[]
  call(code: Code, target: Handle): void
  /** Prints what is in the result register by `format`, then returns 0. */
  print(code: Code, format: BlockHandle, printf: ImportHandle): void
}

const bytesOf = (...words: number[]) => words.flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 255))

const x86_64: Backend = {
  begin: [0x55, 0x48, 0x89, 0xe5], // push %rbp; mov %rsp, %rbp
  end: [0x5d, 0xc3], // pop %rbp; ret
  save: [0x50, 0x48, 0x83, 0xec, 8], // push %rax; sub $8, %rsp
  restore: [0x89, 0xc1, 0x48, 0x83, 0xc4, 8, 0x58], // mov %eax, %ecx; add $8, %rsp; pop %rax
  operators: { '+': [0x01, 0xc8], '-': [0x29, 0xc8], '*': [0x0f, 0xaf, 0xc1] },
  number: (value) => [0xb8, ...bytesOf(value)],
  call(code, target) {
    code.bytes.push(0xe8, 0, 0, 0, 0)
    code.relocations.push({ offset: code.bytes.length - 4, type: 'X86_64_RELOC_BRANCH', target })
  },
  print(code, format, printf) {
    code.bytes.push(0x89, 0xc6, 0x48, 0x8d, 0x3d, 0, 0, 0, 0) // mov %eax, %esi; lea format(%rip), %rdi
    code.relocations.push({ offset: code.bytes.length - 4, type: 'X86_64_RELOC_SIGNED', target: format })
    code.bytes.push(0x31, 0xc0) // xor %eax, %eax
    x86_64.call(code, printf)
    code.bytes.push(0x31, 0xc0)
  },
}

const arm64: Backend = {
  begin: bytesOf(0xa9bf7bfd), // stp x29, x30, [sp, #-16]!
  end: bytesOf(0xa8c17bfd, 0xd65f03c0), // ldp x29, x30, [sp], #16; ret
  save: bytesOf(0xf81f0fe0), // str x0, [sp, #-16]!
  restore: bytesOf(0x2a0003e1, 0xf84107e0), // mov w1, w0; ldr x0, [sp], #16
  operators: { '+': bytesOf(0x0b010000), '-': bytesOf(0x4b010000), '*': bytesOf(0x1b017c00) },
  number: (value) => bytesOf(0x52800000 | ((value & 0xffff) << 5), 0x72a00000 | ((value >>> 16) << 5)),
  call(code, target) {
    code.bytes.push(...bytesOf(0x94000000))
    code.relocations.push({ offset: code.bytes.length - 4, type: 'ARM64_RELOC_BRANCH26', target })
  },
  print(code, format, printf) {
    code.bytes.push(...arm64.save, ...bytesOf(0x90000000, 0x91000000)) // adrp x0; add x0, x0
    const offset = code.bytes.length - 8
    code.relocations.push({ offset, type: 'ARM64_RELOC_PAGE21', target: format })
    code.relocations.push({ offset: offset + 4, type: 'ARM64_RELOC_PAGEOFF12', target: format })
    arm64.call(code, printf)
    code.bytes.push(...bytesOf(0x910043ff, 0x52800000)) // add sp, sp, #16; mov w0, #0
  },
}

/** What a change of the source came to. */
export interface Compiled extends FlushResult {
  /** Names of the functions that were compiled. */
  compiled: string[]
}

export interface ToyCompiler {
  compile(source: string): Compiled
  /** Removes what the image keeps beside its output. */
  dispose(): void
}

/** Compiles sources one after the other into one image, which is written to `output`. */
export function createToyCompiler(arch: 'arm64' | 'x86_64', output: string): ToyCompiler {
  const backend = arch === 'arm64' ? arm64 : x86_64
  const image = createImage({
    arch,
    output,
    write: true,
    libraries: [LIBSYSTEM],
    entry: '_start',
  })
  const [start, format] = [image.declareBlock('_start'), image.declareBlock('_format')]
  const functions = new Map<string, { handle: BlockHandle; text: string | null }>()
  const printf = image.addImport('_printf', LIBSYSTEM)
  image.updateBlock(format, { section: '__TEXT,__const', align: 1, code: new TextEncoder().encode('%d\n\0') })

  const handleOf = (name: string) => {
    const known = functions.get(name)
    if (known !== undefined) return known.handle
    const handle = image.declareBlock(`_${name}`)
    functions.set(name, { handle, text: null })
    return handle
  }
  const update = (block: BlockHandle, fill: (code: Code) => void) => {
    const code: Code = { bytes: [...backend.begin], relocations: [] }
    fill(code)
    code.bytes.push(...backend.end)
    image.updateBlock(block, { code: Uint8Array.from(code.bytes), relocations: code.relocations })
  }
  const term = (code: Code, text: string) => {
    if (/^\d+$/.test(text)) code.bytes.push(...backend.number(Number(text)))
    else backend.call(code, handleOf(text))
  }
  const expression = (code: Code, text: string) => {
    const [first, ...rest] = text.split(/\s+/)
    term(code, first)
    for (let i = 0; i < rest.length; i += 2) {
      code.bytes.push(...backend.save)
      term(code, rest[i + 1])
      code.bytes.push(...backend.restore, ...backend.operators[rest[i]])
    }
  }
  update(start, (code) => {
    backend.call(code, handleOf('main'))
    backend.print(code, format, printf)
  })

  const compile = (source: string): Compiled => {
    const lines = new Map([...source.matchAll(/^(\w+) *= *(.*\S)/gm)].map(([, name, text]) => [name, text]))
    const compiled: string[] = []
    for (const [name, text] of lines) {
      const handle = handleOf(name)
      if (functions.get(name)!.text === text) continue
      update(handle, (code) => expression(code, text))
      functions.set(name, { handle, text })
      compiled.push(name)
    }
    for (const [name, { handle, text }] of [...functions]) {
      if (lines.has(name) || text === null) continue
      image.freeBlock(handle)
      functions.delete(name)
      // Those that call it are compiled again, for another block when the name comes back.
      for (const caller of functions.values()) if (caller.text?.split(/\s+/).includes(name)) caller.text = ''
    }
    return { ...image.flush(), compiled }
  }
  return { compile, dispose: image.dispose }
}

function main([file, output, arch, watch]: string[]): void {
  const { compile, dispose } = createToyCompiler(arch === 'x86_64' ? 'x86_64' : 'arm64', output)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      dispose()
      process.kill(process.pid, signal)
    })
  const run = () => {
    const { compiled, messages, ranges } = compile(readFileSync(file, 'utf8'))
    for (const { text } of messages) console.error(`error: ${text}`)
    const bytes = ranges.reduce((sum, range) => sum + range.bytes.length, 0)
    console.log(`${compiled.join(' ')}: ${bytes} bytes changed`)
  }
  // A change while the first compilation runs is not to be missed.
  if (watch === '--watch') watchFile(file, { interval: 100 }, run)
  run()
}

if (process.argv[1]?.endsWith('toyCompiler.js')) main(process.argv.slice(2))
