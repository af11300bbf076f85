// Functions of a back end with frames of their own, and a runtime whose exceptions pass them.
import { join } from 'node:path'
import type { BlockHandle, BlockUpdate, ImportHandle } from '../../src/blocks.ts'
import { link } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { libcxx, libSystem, tempFolder } from '../helpers/paths.ts'
import type { Target } from '../helpers/targets.ts'

export const LIBCXX = '/usr/lib/libc++.1.dylib'

/** Throws, catches what comes through `middle`, and counts what clean-ups of frames between say. */
export const RUNTIME = `
extern "C" int printf(const char *, ...);
static int noted;
extern "C" void note() { noted++; }
extern "C" int thrower(int x) { if (x > 100) throw x; return x + 1; }
extern "C" int run(int (*middle)(int)) {
  int sum = middle(1);
  try { sum += middle(1000); } catch (int y) { sum += y; }
  printf("%d %d\\n", sum, noted);
  return 0;
}`

interface Frame {
  code: number[]
  calls: [number, 'inner' | 'note' | 'resume'][]
  /** Of code and landing pad. */
  landing: number
  encoding: number
  branch: string
}

export const words = (...list: number[]) =>
  list.flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 255))

/** `int f(int x) { return inner(x) }` in a frame of its own; behind it a clean-up that notes, and goes on unwinding. */
export const FRAMES: Record<'arm64' | 'x86_64', Frame> = {
  arm64: {
    code: words(
      0xd10083ff, // sub sp, sp, #32
      0xa9017bfd, // stp x29, x30, [sp, #16]
      0x910043fd, // add x29, sp, #16
      0x94000000, // bl inner
      0xa9417bfd, // ldp x29, x30, [sp, #16]
      0x910083ff, // add sp, sp, #32
      0xd65f03c0, // ret
      0xf90003e0, // str x0, [sp]
      0x94000000, // bl note
      0xf94003e0, // ldr x0, [sp]
      0x94000000, // bl __Unwind_Resume
    ),
    calls: [
      [12, 'inner'],
      [32, 'note'],
      [40, 'resume'],
    ],
    landing: 28,
    encoding: 0x04000000,
    branch: 'ARM64_RELOC_BRANCH26',
  },
  x86_64: {
    code: [
      ...[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10], // push %rbp; mov %rsp, %rbp; sub $16, %rsp
      ...[0xe8, 0, 0, 0, 0, 0x48, 0x83, 0xc4, 0x10, 0x5d, 0xc3], // call inner; add $16, %rsp; pop %rbp; ret
      ...[0x48, 0x89, 0x04, 0x24, 0xe8, 0, 0, 0, 0], // mov %rax, (%rsp); call note
      ...[0x48, 0x8b, 0x3c, 0x24, 0xe8, 0, 0, 0, 0, 0x0f, 0x0b], // mov (%rsp), %rdi; call __Unwind_Resume; ud2
    ],
    calls: [
      [9, 'inner'],
      [24, 'note'],
      [33, 'resume'],
    ],
    landing: 19,
    encoding: 0x01000000,
    branch: 'X86_64_RELOC_BRANCH',
  },
}

export type Callees = Record<'inner' | 'note' | 'resume', BlockHandle | ImportHandle>

export function frameOf(target: Target, callees: Callees, cleans: boolean, pad = 0): BlockUpdate {
  const { code, calls, landing, branch, encoding } = FRAMES[target.arch]
  const kept = cleans ? code : code.slice(0, landing)
  const wanted = cleans ? calls : calls.slice(0, 1)
  const relocations = wanted.map(([offset, name]) => ({ offset, type: branch, target: callees[name] }))
  return { code: Uint8Array.from([...kept, ...Array(pad).fill(0)]), relocations, unwind: { encoding } }
}

/** Call sites: any call of the code in front of the landing pad leads there, to clean up; those of the pad lead nowhere. */
export function cleanupData(target: Target): BlockUpdate {
  const { landing, code } = FRAMES[target.arch]
  const sites = [0, landing, landing, 0, landing, code.length - landing, 0, 0]
  return { section: '__TEXT,__const', align: 4, code: Uint8Array.of(0xff, 0xff, 0x01, sites.length, ...sites) }
}

export async function runtime(target: Target): Promise<string> {
  const output = join(tempFolder(), 'libruntime.dylib')
  const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
  const object = compile(target.arch, RUNTIME, { language: 'c++' })
  const common = { arch: target.arch, platform, fixupChains: target.fixups === 'chained', adhocCodesign: true }
  await link({
    inputs: [object, libSystem, libcxx],
    output,
    outputType: 'dylib',
    installName: output,
    currentVersion: 0x10000,
    compatibilityVersion: 0x10000,
    ...common,
  })
  return output
}
