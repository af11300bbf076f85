// Programs whose objects refer to what a dylib has: functions, variables and thread-local variables, called, loaded and listed as
// statements say; and what such a program prints.
import { randomFrom } from '../../bench/random.ts'
import type { Arch } from '../helpers/targets.ts'

export const FUNCTIONS = 80
export const VARIABLES = 10
export const THREAD_LOCALS = 8

export const LIBRARY = `
  ${count(FUNCTIONS, (i) => `unsigned fn${i}(unsigned x) { return x * ${i + 3} + ${i}; }`)}
  ${count(VARIABLES, (i) => `unsigned value${i} = ${1000 + i * 7};`)}
  ${count(THREAD_LOCALS, (i) => `_Thread_local unsigned own${i} = ${i + 5};`)}
`

function count(times: number, text: (i: number) => string): string {
  return Array.from({ length: times }, (_, i) => text(i)).join('\n')
}

/** `pointer` loads the function's address; the image itself has `static`, `weak` (in every file) and `shared` (in main) functions. */
export type Statement = { kind: 'call' | 'load' | 'own' | 'pointer' | 'static' | 'weak' | 'shared'; index: number }

/**
 * Statements of each function, functions of the library in a list, and whether data refers to entries of the GOT of two shared
 * functions and of a static one: others load the address from such an entry then, too.
 */
export interface Referring {
  bodies: Statement[][]
  listed: number[]
  gots: boolean[]
}

export const LISTED = 4
const BODIES = 3

export function createReferring(): Referring {
  return {
    bodies: Array.from({ length: BODIES }, () => []),
    listed: new Array<number>(LISTED).fill(-1),
    gots: [false, false, false],
  }
}

export type Pick = (below: number) => number

export function picker(seed: number): Pick {
  const random = randomFrom(seed)
  return (below) => Math.floor(random() * below)
}

const KINDS = ['call', 'call', 'call', 'call', 'load', 'own', 'pointer', 'static', 'weak', 'shared'] as const
const MOST: Record<Statement['kind'], number> = {
  call: FUNCTIONS,
  pointer: FUNCTIONS,
  load: VARIABLES,
  own: THREAD_LOCALS,
  static: 2,
  weak: 2,
  shared: 2,
}

/** Changes one thing; returns whether the file then mentions something of the library that it did not. */
export function editReferring(file: Referring, pick: Pick): boolean {
  const before = mentions(file)
  const body = file.bodies[pick(BODIES)]
  const choice = pick(6)
  if (choice === 0) file.listed[pick(LISTED)] = pick(3) === 0 ? -1 : pick(FUNCTIONS)
  else if (choice === 1 && body.length > 2) body.splice(pick(body.length), 1)
  else if (choice === 2) {
    const entry = pick(file.gots.length)
    file.gots[entry] = !file.gots[entry]
  } else {
    const kind = KINDS[pick(KINDS.length)]
    body.splice(pick(body.length + 1), 0, { kind, index: pick(MOST[kind]) })
  }
  return [...mentions(file)].some((name) => !before.has(name))
}

/** What the file refers to of the library. */
function mentions({ bodies, listed }: Referring): Set<string> {
  const names = bodies
    .flat()
    .filter(({ kind }) => LIBRARY_KINDS.includes(kind))
    .map(({ kind, index }) => `${kind === 'pointer' ? 'call' : kind}${index}`)
  return new Set([...names, ...listed.filter((index) => index >= 0).map((index) => `call${index}`)])
}

const LIBRARY_KINDS: readonly string[] = ['call', 'pointer', 'load', 'own']

const TEXTS: Record<Statement['kind'], (index: number, file: number) => string> = {
  call: (index) => `y += fn${index}(y);`,
  load: (index) => `y ^= value${index};`,
  own: (index) => `y += own${index};`,
  pointer: (index) => `{ unsigned (*volatile to)(unsigned) = fn${index}; y += to(y); }`,
  static: (index) => `y += through${index}(y);`,
  weak: (index) => `y ^= weak${index}(y);`,
  shared: (index) => `{ unsigned (*volatile to)(unsigned) = shared${index}; y ^= to(y); }`,
}

/** Distances from each place to the entry of the GOT; 0 for none. */
function gotReferences(arch: Arch, file: number, gots: readonly boolean[]): string {
  const entry = (name: string) => (arch === 'arm64' ? `.long ${name}@GOT - .` : `.long ${name}@GOTPCREL + 4`)
  const lines = gots.map((is, i) => (is ? entry(['_shared0', '_shared1', '_through0'][i]) : '.long 0'))
  const text = `.section __DATA,__const\n.p2align 3\n.globl _gots${file}\n_gots${file}:\n${lines.join('\n')}\n.text`
  return `__asm__(${JSON.stringify(text)}); extern const int gots${file}[];`
}

/** Code of `size` bytes that nobody calls, so that sections have much room. */
const filler = (size: number) => `__asm__(".text\\n.globl _filler\\n_filler: .space ${size}");`

/** With `all` the object mentions all that the library has, so that its symbols are the same whatever it refers to. */
export function sourceOf(arch: Arch, file: number, { bodies, listed, gots }: Referring, all: boolean): string {
  const names = [
    ...Array.from({ length: FUNCTIONS }, (_, i) => `_fn${i}`),
    ...Array.from({ length: VARIABLES }, (_, i) => `_value${i}`),
    ...Array.from({ length: THREAD_LOCALS }, (_, i) => `_own${i}`),
  ]
  return `
    ${count(FUNCTIONS, (i) => `unsigned fn${i}(unsigned);`)}
    ${count(VARIABLES, (i) => `extern unsigned value${i};`)}
    ${count(THREAD_LOCALS, (i) => `extern _Thread_local unsigned own${i};`)}
    ${filler(34000).replaceAll('filler', `filler${file}`)}
    ${all ? names.map((name) => `__asm__(".reference ${name}");`).join('\n') : ''}
    unsigned shared0(unsigned), shared1(unsigned);
    unsigned (*list${file}[])(unsigned) = { ${listed.map((index) => (index < 0 ? '0' : `fn${index}`)).join(', ')}, shared0 };
    __attribute__((noinline, used)) static unsigned through0(unsigned x) { return x ^ 77; }
    __attribute__((noinline, used)) static unsigned through1(unsigned x) { return x + 91; }
    __attribute__((weak)) unsigned weak0(unsigned x) { return x * 9; }
    __attribute__((weak)) unsigned weak1(unsigned x) { return x + 4; }
    __attribute__((used)) static void *shared[] = { shared0, shared1 };
    ${gotReferences(arch, file, gots)}
    ${bodies
      .map((body, i) => {
        const statements = body.map(({ kind, index }) => TEXTS[kind](index, file))
        return `__attribute__((noinline)) unsigned part${file}_${i}(unsigned y) { ${statements.join(' ')} return y + ${i}; }`
      })
      .join('\n')}
    unsigned file${file}(unsigned y) {
      for (int i = 0; i < ${LISTED}; i++) if (list${file}[i]) y = list${file}[i](y);
      for (int i = 0; i < 3; i++)
        if (gots${file}[i]) y ^= (*(unsigned (**)(unsigned))((char *)&gots${file}[i] + gots${file}[i]))(y);
      return ${bodies.map((_, i) => `part${file}_${i}(y)`).join(' ^ ')};
    }
  `
}

export function mainOf(files: number): string {
  return `
    int printf(const char *, ...);
    unsigned shared0(unsigned x) { return x * 5 + 1; }
    unsigned shared1(unsigned x) { return x ^ 0x55; }
    ${count(files, (i) => `unsigned file${i}(unsigned);`)}
    int main(void) { ${count(files, (i) => `printf("%x\\n", file${i}(${i + 1}));`)} return 0; }
  `
}

const SHARED = [(x: number) => Math.imul(x, 5) + 1, (x: number) => x ^ 0x55, (x: number) => x ^ 77]

/** What the program prints. */
export function outputOf(files: readonly Referring[]): string {
  const fn = (index: number, x: number) => (Math.imul(x, index + 3) + index) >>> 0
  const apply = (y: number, { kind, index }: Statement): number => {
    if (kind === 'call' || kind === 'pointer') return (y + fn(index, y)) >>> 0
    if (kind === 'load') return (y ^ (1000 + index * 7)) >>> 0
    if (kind === 'own') return (y + index + 5) >>> 0
    if (kind === 'weak') return (y ^ (index === 0 ? Math.imul(y, 9) : y + 4)) >>> 0
    if (kind === 'shared') return (y ^ SHARED[index](y)) >>> 0
    return (y + (index === 0 ? (y ^ 77) >>> 0 : y + 91)) >>> 0
  }
  return files
    .map(({ bodies, listed, gots }, file) => {
      const from = listed.reduce((sum, index) => (index < 0 ? sum : fn(index, sum)), file + 1)
      const y = gots.reduce((sum, is, i) => (is ? (sum ^ SHARED[i](sum)) >>> 0 : sum), from)
      return bodies.reduce((sum, body, i) => (sum ^ (body.reduce(apply, y) + i)) >>> 0, 0)
    })
    .map((value) => `${value.toString(16)}\n`)
    .join('')
}
