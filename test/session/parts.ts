// A program in C of which functions and data, static and global, and texts come, go, move and get other names: the same way for the same seed.
import { randomFrom } from '../../bench/random.ts'

type Kind = 'function' | 'data' | 'constant' | 'pointer' | 'text'

interface Part {
  kind: Kind
  name: string
  isStatic: boolean
  weight: number
}

export interface PartsFile {
  index: number
  parts: Part[]
}

export interface PartsProgram {
  files: PartsFile[]
  made: number
  random: () => number
}

export const PART_EDITS = ['add', 'remove', 'rename', 'move', 'change', 'hide or show'] as const
export type PartEdit = (typeof PART_EDITS)[number]
const KINDS: readonly Kind[] = ['function', 'function', 'function', 'data', 'constant', 'pointer', 'text']

export function createParts(seed: number, files: number, parts: number): PartsProgram {
  const program: PartsProgram = { files: [], made: 0, random: randomFrom(seed) }
  for (let index = 1; index <= files; index++) {
    const file: PartsFile = { index, parts: [] }
    program.files.push(file)
    for (const kind of ['function', 'data', 'constant', 'pointer', 'text'] as const)
      for (const isStatic of [false, true]) file.parts.push({ ...newPart(program), kind, isStatic })
    while (file.parts.length < parts) file.parts.push(newPart(program))
  }
  return program
}

export function below({ random }: PartsProgram, count: number): number {
  return Math.floor(random() * count)
}

function newPart(program: PartsProgram): Part {
  return {
    kind: KINDS[below(program, KINDS.length)],
    name: `part${++program.made}`,
    isStatic: below(program, 2) === 0,
    weight: below(program, 100) + 1,
  }
}

/** Returns the kind of what was edited. */
export function editParts(program: PartsProgram, file: PartsFile, edit: PartEdit): Kind {
  const at = below(program, file.parts.length)
  const part = file.parts[at]
  if (edit === 'add') {
    const made = newPart(program)
    file.parts.splice(below(program, file.parts.length + 1), 0, made)
    return made.kind
  }
  if (edit === 'remove' && file.parts.length > 12) file.parts.splice(at, 1)
  else if (edit === 'rename') part.name = `part${++program.made}`
  else if (edit === 'move') file.parts.splice(below(program, file.parts.length), 0, ...file.parts.splice(at, 1))
  else if (edit === 'hide or show') part.isStatic = !part.isStatic
  else part.weight += 1
  return part.kind
}

function definition({ kind, name, isStatic, weight }: Part, index: number): string {
  const linkage = isStatic ? '__attribute__((used)) static ' : ''
  if (kind === 'data') return `${linkage}int ${name} = ${weight};`
  if (kind === 'constant') return `${linkage}const int ${name}[] = { ${weight}, ${weight + 1}, 3 };`
  if (kind === 'pointer') return `${linkage}int *${name}[] = { &near${index}, &near${index} };`
  if (kind === 'text')
    return `__attribute__((noinline)) ${linkage}int ${name}(int y) { puts("text ${weight % 30}"); puts("of ${name}"); return y; }`
  const calls = weight % 3 === 0 ? `y += abs(y) + near${index};` : ''
  return `__attribute__((noinline)) ${linkage}int ${name}(int y) { ${calls} return y * ${weight} + 7; }`
}

function use({ kind, name }: Part): string {
  if (kind === 'function' || kind === 'text') return `${name}(x)`
  if (kind === 'data') return name
  return kind === 'constant' ? `${name}[x & 1]` : `*${name}[x & 1]`
}

/** What a file exports to others stays, and moves: weak definitions that all share, a function and a variable. */
export function partsSource({ index, parts }: PartsFile): string {
  const half = parts.length >> 1
  const definitions = parts.map((part) => definition(part, index))
  return `
    int abs(int); int getpid(void); int puts(const char *);
    int near${index} = ${index};
    ${definitions.slice(0, half).join('\n    ')}
    __attribute__((weak)) int shared = 3; __attribute__((weak)) int both(int y) { return y * 5 + shared; }
    ${definitions.slice(half).join('\n    ')}
    int file${index}(int x) {
      return ${parts
        .filter((_, i) => i % 3 !== 2)
        .map(use)
        .join(' + ')} + both(x) + (getpid() == 0) + abs(x);
    }
  `
}

export function partsMain({ files }: PartsProgram): string {
  return `
    int printf(const char *, ...); int both(int);
    ${files.map(({ index }) => `int file${index}(int); extern int near${index};`).join(' ')}
    int (*hooks[])(int) = { ${files.map(({ index }) => `file${index}`).join(', ')}, both };
    int main(int argc, char **argv) {
      for (int i = 0; i < ${files.length + 1}; i++) printf("%x\\n", hooks[i](argc));
      printf("%x\\n", ${files.map(({ index }) => `near${index}`).join(' + ')});
      return 0;
    }
  `
}
