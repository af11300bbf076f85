// Programs whose objects refer to what a dylib has: functions, variables and thread-local variables, called, loaded and listed as
// statements say; and what such a program prints.
import { randomFrom } from '../../bench/random.ts'

export const FUNCTIONS = 40
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

/** `pointer` loads the function's address, `static` that of a function of the file itself. */
export type Statement = { kind: 'call' | 'load' | 'own' | 'pointer' | 'static'; index: number }

/** Statements of each function, and functions of the library in a list. */
export interface Referring {
  bodies: Statement[][]
  listed: number[]
}

export const LISTED = 4
const BODIES = 3

export function createReferring(): Referring {
  return { bodies: Array.from({ length: BODIES }, () => []), listed: new Array<number>(LISTED).fill(-1) }
}

export type Pick = (below: number) => number

export function picker(seed: number): Pick {
  const random = randomFrom(seed)
  return (below) => Math.floor(random() * below)
}

const KINDS = ['call', 'call', 'call', 'load', 'own', 'pointer', 'static'] as const

/** Changes one thing; returns whether the file then mentions something of the library that it did not. */
export function editReferring(file: Referring, pick: Pick): boolean {
  const before = mentions(file)
  const body = file.bodies[pick(BODIES)]
  const choice = pick(5)
  if (choice === 0) file.listed[pick(LISTED)] = pick(3) === 0 ? -1 : pick(FUNCTIONS)
  else if (choice === 1 && body.length > 2) body.splice(pick(body.length), 1)
  else {
    const kind = KINDS[pick(KINDS.length)]
    const most = kind === 'load' ? VARIABLES : kind === 'own' ? THREAD_LOCALS : kind === 'static' ? 2 : FUNCTIONS
    body.splice(pick(body.length + 1), 0, { kind, index: pick(most) })
  }
  return [...mentions(file)].some((name) => !before.has(name))
}

function mentions({ bodies, listed }: Referring): Set<string> {
  const names = bodies.flat().map(({ kind, index }) => `${kind === 'pointer' ? 'call' : kind}${index}`)
  return new Set([...names, ...listed.filter((index) => index >= 0).map((index) => `call${index}`)])
}

const TEXTS: Record<Statement['kind'], (index: number, file: number) => string> = {
  call: (index) => `y += fn${index}(y);`,
  load: (index) => `y ^= value${index};`,
  own: (index) => `y += own${index};`,
  pointer: (index) => `{ unsigned (*volatile to)(unsigned) = fn${index}; y += to(y); }`,
  static: (index) => `y += through${index}(y);`,
}

/** Code of `size` bytes that nobody calls, so that sections have much room. */
const filler = (size: number) => `__asm__(".text\\n.globl _filler\\n_filler: .space ${size}");`

/** With `all` the object mentions all that the library has, so that its symbols are the same whatever it refers to. */
export function sourceOf(file: number, { bodies, listed }: Referring, all: boolean): string {
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
    unsigned (*list${file}[])(unsigned) = { ${listed.map((index) => (index < 0 ? '0' : `fn${index}`)).join(', ')} };
    __attribute__((noinline, used)) static unsigned through0(unsigned x) { return x ^ 77; }
    __attribute__((noinline, used)) static unsigned through1(unsigned x) { return x + 91; }
    ${bodies
      .map((body, i) => {
        const statements = body.map(({ kind, index }) => TEXTS[kind](index, file))
        return `__attribute__((noinline)) unsigned part${file}_${i}(unsigned y) { ${statements.join(' ')} return y + ${i}; }`
      })
      .join('\n')}
    unsigned file${file}(unsigned y) {
      for (int i = 0; i < ${LISTED}; i++) if (list${file}[i]) y = list${file}[i](y);
      return ${bodies.map((_, i) => `part${file}_${i}(y)`).join(' ^ ')};
    }
  `
}

export function mainOf(files: number): string {
  return `
    int printf(const char *, ...);
    ${count(files, (i) => `unsigned file${i}(unsigned);`)}
    int main(void) { ${count(files, (i) => `printf("%x\\n", file${i}(${i + 1}));`)} return 0; }
  `
}

/** What the program prints. */
export function outputOf(files: readonly Referring[]): string {
  const fn = (index: number, x: number) => (Math.imul(x, index + 3) + index) >>> 0
  const apply = (y: number, { kind, index }: Statement): number => {
    if (kind === 'call' || kind === 'pointer') return (y + fn(index, y)) >>> 0
    if (kind === 'load') return (y ^ (1000 + index * 7)) >>> 0
    if (kind === 'own') return (y + index + 5) >>> 0
    return (y + (index === 0 ? (y ^ 77) >>> 0 : y + 91)) >>> 0
  }
  return files
    .map(({ bodies, listed }, file) => {
      const y = listed.reduce((sum, index) => (index < 0 ? sum : fn(index, sum)), file + 1)
      return bodies.reduce((sum, body, i) => (sum ^ (body.reduce(apply, y) + i)) >>> 0, 0)
    })
    .map((value) => `${value.toString(16)}\n`)
    .join('')
}
