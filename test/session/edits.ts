// A program in C that is edited at random, the same way for the same seed.
import { randomFrom } from '../../bench/random.ts'

/** A function of a file: its name, how many statements it has, and a constant in it. */
interface Part {
  name: string
  statements: number
  constant: number
}

interface SourceFile {
  index: number
  text: string
  parts: Part[]
}

export interface Program {
  files: SourceFile[]
  made: number
  random: () => number
}

export const EDITS = [
  'touch',
  'change a body',
  'grow a body',
  'shrink a body',
  'add a function',
  'remove a function',
  'rename a function',
  'change a string',
  'add a file',
  'remove a file',
] as const
export type Edit = (typeof EDITS)[number]

export function createProgram(seed: number, files: number): Program {
  const program: Program = { files: [], made: 0, random: randomFrom(seed) }
  for (let i = 0; i < files; i++) addFile(program)
  return program
}

function below(program: Program, count: number): number {
  return Math.floor(program.random() * count)
}

function pick<T>(program: Program, list: readonly T[]): T {
  return list[below(program, list.length)]!
}

function addFile(program: Program): void {
  const file: SourceFile = { index: ++program.made, text: `text ${below(program, 100)}`, parts: [] }
  program.files.push(file)
  for (let i = below(program, 6); i >= 0; i--) addPart(program, file)
}

function addPart(program: Program, file: SourceFile): void {
  const part = { name: `part${++program.made}`, statements: below(program, 8) + 1, constant: below(program, 1000) }
  file.parts.splice(below(program, file.parts.length + 1), 0, part)
}

/** Returns the file that has to be compiled anew; null for a file that is only touched, added or removed. */
export function editProgram(program: Program, edit: Edit): SourceFile | null {
  const file = pick(program, program.files)
  const part = pick(program, file.parts)
  if (edit === 'touch') return null
  if (edit === 'add a file') addFile(program)
  else if (edit === 'remove a file' && program.files.length > 1) program.files = program.files.filter((f) => f !== file)
  else if (edit === 'change a body') part.constant = below(program, 1000)
  else if (edit === 'grow a body') part.statements += 1 + below(program, 4)
  else if (edit === 'shrink a body' && part.statements > 1) part.statements = 1
  else if (edit === 'add a function') addPart(program, file)
  else if (edit === 'remove a function' && file.parts.length > 1) file.parts = file.parts.filter((p) => p !== part)
  else if (edit === 'rename a function') part.name = `part${++program.made}`
  else file.text = `another text ${below(program, 1000)}`
  return file
}

/** Each file counts what its functions give, prints its text, and has data, constants and a thread-local variable. */
export function sourceOf({ index, text, parts }: SourceFile): string {
  const bodies = parts.map(
    ({ name, statements, constant }) =>
      `int ${name}(int x) { int y = x; ${'y = y * 7 + seen; seen ^= y;'.repeat(statements)} return y + ${constant}; }`,
  )
  return `
    int puts(const char *);
    static int volatile seen; static _Thread_local int own = ${index};
    int data${index} = ${index}; static const int table[] = { ${parts.map(({ constant }) => constant).join(', ')} };
    ${bodies.join('\n')}
    static int (*const list[])(int) = { ${parts.map(({ name }) => name).join(', ')} };
    int file${index}(int x) {
      puts("${text}");
      for (int i = 0; i < ${parts.length}; i++) own += list[i](x) + table[(x + i) % ${parts.length}];
      return own + data${index};
    }
  `
}

export function mainOf({ files }: Program): string {
  return `
    int printf(const char *, ...);
    ${files.map(({ index }) => `int file${index}(int);`).join(' ')}
    int main(int argc, char **argv) {
      int sum = 0;
      ${files.map(({ index }) => `sum = sum * 31 + file${index}(argc);`).join(' ')}
      printf("%x\\n", sum);
      return 0;
    }
  `
}
