// A small back end for tests: machine code for both architectures, with relocations as a compiler would give them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createNodeHost } from '../../src/host/node.ts'
import {
  type BlockHandle,
  type BlockImage,
  type BlockRelocation,
  type BlockUpdate,
  createImage,
  type FlushResult,
  type ImageOptions,
  type ImportHandle,
} from '../../src/blocks.ts'
import type { Arch, Target } from '../helpers/targets.ts'
import { tempFolder } from '../helpers/paths.ts'

export const LIBSYSTEM = '/usr/lib/libSystem.B.dylib'
export const host = createNodeHost()

type Any = BlockHandle | ImportHandle

/** Code that is put together from pieces, each with the relocations it needs. */
export interface Code {
  bytes: number[]
  relocations: BlockRelocation[]
}

export function newImage(target: Target, options: Partial<ImageOptions> = {}): BlockImage {
  return createImage({ arch: target.arch, fixupChains: target.fixups === 'chained', output: 'image', host, ...options })
}

function word(code: Code, value: number): void {
  for (let shift = 0; shift < 32; shift += 8) code.bytes.push((value >>> shift) & 255)
}

function relocate(code: Code, back: number, type: string, target: Any, addend = 0): void {
  code.relocations.push({ offset: code.bytes.length - back, type, target, addend })
}

/** The pieces of functions by architecture. `x19` or `rbx` holds the sum that a function returns. */
export const pieces = {
  x86_64: {
    begin: (code: Code) => void code.bytes.push(0x55, 0x53, 0x50, 0x89, 0xfb), // push rbp, rbx, rax; mov ebx, edi
    end: (code: Code) => void code.bytes.push(0x89, 0xd8, 0x59, 0x5b, 0x5d, 0xc3), // mov eax, ebx; pop; ret
    add(code: Code, value: number) {
      code.bytes.push(0x81, 0xc3) // add ebx, value
      word(code, value)
    },
    call(code: Code, target: Any) {
      code.bytes.push(0x89, 0xdf, 0xe8, 0, 0, 0, 0) // mov edi, ebx; call
      relocate(code, 4, 'X86_64_RELOC_BRANCH', target)
    },
    /** Calls through the GOT. */
    callThroughGot(code: Code, target: Any) {
      code.bytes.push(0x89, 0xdf, 0xff, 0x15, 0, 0, 0, 0) // mov edi, ebx; call *target(%rip)
      relocate(code, 4, 'X86_64_RELOC_GOT', target)
    },
    keep: (code: Code) => void code.bytes.push(0x89, 0xc3), // mov ebx, eax
    zero: (code: Code) => void code.bytes.push(0x31, 0xdb), // xor ebx, ebx
    text(code: Code, target: Any) {
      code.bytes.push(0x48, 0x8d, 0x3d, 0, 0, 0, 0) // leaq target(%rip), %rdi
      relocate(code, 4, 'X86_64_RELOC_SIGNED', target)
    },
    number: (code: Code) => void code.bytes.push(0x89, 0xde, 0x31, 0xc0), // mov esi, ebx; xor eax, eax
    callPlain(code: Code, target: Any) {
      code.bytes.push(0xe8, 0, 0, 0, 0)
      relocate(code, 4, 'X86_64_RELOC_BRANCH', target)
    },
    /** Adds a thread-local variable, then gives it a value. */
    thread(code: Code, target: Any, value: number) {
      code.bytes.push(0x48, 0x8b, 0x3d, 0, 0, 0, 0) // movq target@TLVP(%rip), %rdi
      relocate(code, 4, 'X86_64_RELOC_TLV', target)
      code.bytes.push(0xff, 0x17, 0x03, 0x18, 0xc7, 0x00) // call *(%rdi); addl (%rax), %ebx; movl value, (%rax)
      word(code, value)
    },
    /** Adds what a pointer in data points to. */
    load(code: Code, target: Any) {
      code.bytes.push(0x48, 0x8b, 0x05, 0, 0, 0, 0) // movq target(%rip), %rax
      relocate(code, 4, 'X86_64_RELOC_SIGNED', target)
      code.bytes.push(0x03, 0x18) // addl (%rax), %ebx
    },
  },
  arm64: {
    begin(code: Code) {
      word(code, 0xa9be7bfd) // stp x29, x30, [sp, #-32]!
      word(code, 0xf9000bf3) // str x19, [sp, #16]
      word(code, 0x2a0003f3) // mov w19, w0
    },
    end(code: Code) {
      word(code, 0x2a1303e0) // mov w0, w19
      word(code, 0xf9400bf3) // ldr x19, [sp, #16]
      word(code, 0xa8c27bfd) // ldp x29, x30, [sp], #32
      word(code, 0xd65f03c0) // ret
    },
    add(code: Code, value: number) {
      word(code, 0x52800008 | ((value & 0xffff) << 5)) // mov w8, #low
      word(code, 0x72a00008 | (((value >>> 16) & 0xffff) << 5)) // movk w8, #high, lsl #16
      word(code, 0x0b080273) // add w19, w19, w8
    },
    call(code: Code, target: Any) {
      word(code, 0x2a1303e0) // mov w0, w19
      word(code, 0x94000000) // bl
      relocate(code, 4, 'ARM64_RELOC_BRANCH26', target)
    },
    callThroughGot(code: Code, target: Any) {
      word(code, 0x2a1303e0) // mov w0, w19
      word(code, 0x90000008) // adrp x8
      relocate(code, 4, 'ARM64_RELOC_GOT_LOAD_PAGE21', target)
      word(code, 0xf9400108) // ldr x8, [x8]
      relocate(code, 4, 'ARM64_RELOC_GOT_LOAD_PAGEOFF12', target)
      word(code, 0xd63f0100) // blr x8
    },
    keep: (code: Code) => word(code, 0x2a0003f3), // mov w19, w0
    zero: (code: Code) => word(code, 0x52800013), // mov w19, #0
    text(code: Code, target: Any) {
      word(code, 0x90000000) // adrp x0
      relocate(code, 4, 'ARM64_RELOC_PAGE21', target)
      word(code, 0x91000000) // add x0, x0
      relocate(code, 4, 'ARM64_RELOC_PAGEOFF12', target)
    },
    /** Variable arguments go on the stack (Apple's convention). */
    number(code: Code) {
      word(code, 0xd10043ff) // sub sp, sp, #16
      word(code, 0xf90003f3) // str x19, [sp]
    },
    callPlain(code: Code, target: Any) {
      word(code, 0x94000000)
      relocate(code, 4, 'ARM64_RELOC_BRANCH26', target)
      word(code, 0x910043ff) // add sp, sp, #16
    },
    thread(code: Code, target: Any, value: number) {
      word(code, 0x90000000) // adrp x0, target@TLVPPAGE
      relocate(code, 4, 'ARM64_RELOC_TLVP_LOAD_PAGE21', target)
      word(code, 0xf9400000) // ldr x0, [x0, target@TLVPPAGEOFF]
      relocate(code, 4, 'ARM64_RELOC_TLVP_LOAD_PAGEOFF12', target)
      word(code, 0xf9400008) // ldr x8, [x0]
      word(code, 0xd63f0100) // blr x8
      word(code, 0xb9400008) // ldr w8, [x0]
      word(code, 0x0b080273) // add w19, w19, w8
      word(code, 0x52800008 | (value << 5)) // mov w8, #value
      word(code, 0xb9000008) // str w8, [x0]
    },
    load(code: Code, target: Any) {
      word(code, 0x90000008) // adrp x8
      relocate(code, 4, 'ARM64_RELOC_PAGE21', target)
      word(code, 0xf9400108) // ldr x8, [x8]
      relocate(code, 4, 'ARM64_RELOC_PAGEOFF12', target)
      word(code, 0xb9400108) // ldr w8, [x8]
      word(code, 0x0b080273) // add w19, w19, w8
    },
  },
}

export type Step =
  | { add: number }
  | { call: Any }
  | { callThroughGot: Any }
  | { load: Any }
  | { thread: Any; set: number }
  | { print: BlockHandle; with: ImportHandle }

/** A function `int f(int x)`: x goes through the steps. */
export function functionOf(arch: Arch, steps: readonly Step[], start: 'argument' | 'zero' = 'argument'): BlockUpdate {
  const code: Code = { bytes: [], relocations: [] }
  const p = pieces[arch]
  p.begin(code)
  if (start === 'zero') p.zero(code)
  for (const step of steps) {
    if ('add' in step) p.add(code, step.add)
    else if ('load' in step) p.load(code, step.load)
    else if ('thread' in step) p.thread(code, step.thread, step.set)
    else if ('print' in step) {
      p.text(code, step.print)
      p.number(code)
      p.callPlain(code, step.with)
    } else {
      if ('call' in step) p.call(code, step.call)
      else p.callThroughGot(code, step.callThroughGot)
      p.keep(code)
    }
  }
  p.end(code)
  return { code: Uint8Array.from(code.bytes), relocations: code.relocations }
}

export function textOf(text: string): BlockUpdate {
  return { section: '__TEXT,__const', align: 1, code: new TextEncoder().encode(`${text}\0`) }
}

/** Writes what a flush gave to a new file. */
export function save(result: FlushResult, name = 'image'): string {
  if (result.contents === null) throw new Error(result.messages.map(({ text }) => text).join('\n'))
  const path = join(tempFolder(), name)
  writeFileSync(path, result.contents, { mode: 0o755 })
  return path
}
