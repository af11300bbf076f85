// A program of many parts that is edited at random, as C and as what it prints: functions of three kinds, data, texts, calls to a dylib,
// weak definitions that win over each other, objects that come and go, members of an archive.
import { randomFrom } from '../../bench/random.ts'

export const LIBRARY_FUNCTIONS = 120
export const WEAKS = 4
export const MEMBERS = 3
/** As many functions as make one more a small part of an object. */
const PARTS = 96

export type Op =
  | { kind: 'mix'; by: number; plus: number }
  | { kind: 'data'; index: number }
  | { kind: 'text'; text: string }
  | { kind: 'call' | 'weak' | 'member'; index: number }
  | { kind: 'own' }

export interface Part {
  name: string
  scope: '' | 'static '
  ops: Op[]
}

export interface ProgramFile {
  id: number
  data: number[]
  parts: Part[]
  /** By weak function that the file defines, what it adds. */
  weaks: Map<number, number>
}

export interface LongProgram {
  files: ProgramFile[]
  members: number[]
  /** Bytes behind the load commands. */
  headerPad: number
  made: number
  random: () => number
}

export const EDITS = [
  'nothing',
  'touch',
  'change a constant',
  'change a constant',
  'change data',
  'grow a function',
  'shrink a function',
  'add a function',
  'add a function',
  'remove a function',
  'rename a function',
  'add data',
  'call a new import',
  'call a new import',
  'drop a call',
  'change a text',
  'weak definition',
  'add a file',
  'remove a file',
  'change a member',
  'use a member',
  'another option',
] as const
export type Edit = (typeof EDITS)[number]

export function createLongProgram(seed: number, files: number): LongProgram {
  const program: LongProgram = { files: [], members: [], headerPad: 64, made: 0, random: randomFrom(seed) }
  for (let member = 0; member < MEMBERS; member++) program.members.push(constant(program))
  for (let file = 0; file < files; file++) addFile(program)
  return program
}

export function below(program: LongProgram, count: number): number {
  return Math.floor(program.random() * count)
}

/** Takes an instruction of its own and half of a word, whatever it is: a change of it moves nothing. */
function constant(program: LongProgram): number {
  return 4096 + below(program, 8192) * 2 + 1
}

function addFile(program: LongProgram): void {
  const file: ProgramFile = { id: ++program.made, data: [], parts: [], weaks: new Map() }
  for (let i = 0; i < 100; i++) file.data.push(constant(program))
  for (let i = 0; i < PARTS; i++) addPart(program, file)
  file.parts[0].ops.push({ kind: 'text', text: textOf(program) }, { kind: 'own' })
  program.files.splice(below(program, program.files.length + 1), 0, file)
}

function addPart(program: LongProgram, file: ProgramFile): void {
  const scope = below(program, 2) === 0 ? '' : 'static '
  const part: Part = { name: `part${++program.made}`, scope, ops: [mix(program)] }
  for (let i = below(program, 4); i > 0; i--) part.ops.push(mix(program))
  if (below(program, 2) === 0) part.ops.push({ kind: 'data', index: below(program, file.data.length) })
  if (below(program, 4) === 0) part.ops.push({ kind: 'own' })
  file.parts.splice(below(program, file.parts.length + 1), 0, part)
}

function mix(program: LongProgram): Op {
  return { kind: 'mix', by: constant(program), plus: constant(program) }
}

function textOf(program: LongProgram): string {
  return `text ${'.'.repeat(below(program, 5))} ${below(program, 40)}`
}

function pick<T>(program: LongProgram, list: readonly T[]): T {
  return list[below(program, list.length)]
}

/** Functions of the library that nothing calls. */
function unused({ files }: LongProgram): number[] {
  const used = new Set(files.flatMap(({ parts }) => parts.flatMap(({ ops }) => ops.map(importOf))))
  return Array.from({ length: LIBRARY_FUNCTIONS }, (_, i) => i).filter((i) => !used.has(i))
}

function importOf(op: Op): number {
  return op.kind === 'call' ? op.index : -1
}

/** Returns false where the edit is not possible now; the program is then as it was. */
export function editLongProgram(program: LongProgram, edit: Edit): boolean {
  const file = pick(program, program.files)
  const part = pick(program, file.parts)
  switch (edit) {
    case 'nothing':
    case 'touch':
      return true
    case 'change a constant':
      part.ops[0] = mix(program)
      return true
    case 'change data':
      file.data[below(program, file.data.length)] = constant(program)
      return true
    case 'grow a function':
      part.ops.push(mix(program))
      return true
    case 'shrink a function':
    case 'drop a call':
      return dropOp(program, file, edit === 'drop a call' ? ['call', 'member', 'weak'] : ['mix', 'data', 'text', 'own'])
    case 'add a function':
      addPart(program, file)
      return true
    case 'remove a function':
      if (file.parts.length < 2) return false
      file.parts.splice(file.parts.indexOf(part), 1)
      return true
    case 'rename a function':
      part.name = `part${++program.made}`
      return true
    case 'add data':
      file.data.push(constant(program))
      return true
    case 'call a new import':
      part.ops.push({ kind: 'call', index: pick(program, unused(program)) })
      return true
    case 'change a text':
      part.ops.push({ kind: 'text', text: textOf(program) })
      return true
    case 'weak definition':
      return editWeak(program, file, part)
    case 'add a file':
      if (program.files.length > 5) return false
      addFile(program)
      return true
    case 'remove a file':
      if (program.files.length < 4) return false
      program.files.splice(program.files.indexOf(file), 1)
      return true
    case 'change a member':
      program.members[below(program, MEMBERS)] = constant(program)
      return true
    case 'another option':
      program.headerPad = 64 + below(program, 64) * 16
      return true
    case 'use a member':
      part.ops.push({ kind: 'member', index: below(program, MEMBERS) })
      return true
  }
}

/** The first operation of a function stays. */
function dropOp(program: LongProgram, file: ProgramFile, kinds: readonly string[]): boolean {
  const found = file.parts.flatMap(({ ops }) =>
    ops.flatMap((op, i) => (i > 0 && kinds.includes(op.kind) ? [{ ops, i }] : [])),
  )
  if (found.length === 0) return false
  const { ops, i } = pick(program, found)
  ops.splice(i, 1)
  return true
}

function editWeak(program: LongProgram, file: ProgramFile, part: Part): boolean {
  const index = below(program, WEAKS)
  if (below(program, 3) === 0) part.ops.push({ kind: 'weak', index })
  else if (file.weaks.has(index) && below(program, 2) === 0) file.weaks.delete(index)
  else file.weaks.set(index, constant(program))
  return true
}

const WEAK_OF_MAIN = 777

/** What the program prints. */
export function outputOf(program: LongProgram): string {
  let value = 1
  for (const file of program.files) value = (Math.imul(value, 31) + run(program, file, value)) >>> 0
  return `${value.toString(16)}\n`
}

function run(program: LongProgram, file: ProgramFile, start: number): number {
  let value = start
  let own = file.id
  for (const { ops } of file.parts)
    for (const op of ops) {
      if (op.kind === 'own') own = (own * 3 + 1) >>> 0
      value = op.kind === 'own' ? (value ^ own) >>> 0 : step(program, file, op, value)
    }
  return value
}

function step({ files, members }: LongProgram, { data }: ProgramFile, op: Op, value: number): number {
  if (op.kind === 'mix') return (Math.imul(value, op.by) + op.plus) >>> 0
  if (op.kind === 'data') return (value + data[op.index]) >>> 0
  if (op.kind === 'text') return [...op.text].reduce((sum, c) => (Math.imul(sum, 33) + c.charCodeAt(0)) >>> 0, value)
  if (op.kind === 'call') return (value ^ (Math.imul(value, op.index + 3) + op.index)) >>> 0
  if (op.kind === 'member') return (value + (value ^ members[op.index])) >>> 0
  if (op.kind === 'own') return value
  const winner = files.find(({ weaks }) => weaks.has(op.index))
  return (value ^ (value + (winner?.weaks.get(op.index) ?? WEAK_OF_MAIN))) >>> 0
}

export function sourceOfFile({ id, data, parts, weaks }: ProgramFile): string {
  const bodies = parts.map(
    ({ name, scope, ops }) =>
      `${scope}__attribute__((noinline)) unsigned ${name}(unsigned y) { ${ops.map((op) => statement(op, id)).join(' ')} return y; }`,
  )
  return `
    ${declarations(parts)}
    ${[...weaks].map(([index, plus]) => weakFunction(index, plus)).join('\n')}
    unsigned data${id}[] = { ${data.join(', ')} };
    static _Thread_local unsigned own = ${id};
    static __attribute__((noinline)) unsigned sum(const char *p, unsigned y) { while (*p) y = y * 33 + *p++; return y; }
    ${bodies.join('\n')}
    unsigned file${id}(unsigned y) { ${parts.map(({ name }) => `y = ${name}(y);`).join(' ')} return y; }
  `
}

function declarations(parts: readonly Part[]): string {
  const names = parts.flatMap(({ ops }) =>
    ops.flatMap((op) =>
      op.kind === 'call' || op.kind === 'weak' || op.kind === 'member' ? [`${op.kind}${op.index}`] : [],
    ),
  )
  return [...new Set(names)].map((name) => `unsigned ${name}(unsigned);`).join('\n')
}

function statement(op: Op, id: number): string {
  if (op.kind === 'mix') return `y = y * ${op.by} + ${op.plus};`
  if (op.kind === 'data') return `y += data${id}[${op.index}];`
  if (op.kind === 'text') return `y = sum("${op.text}", y);`
  if (op.kind === 'own') return 'own = own * 3 + 1; y ^= own;'
  return `y ${op.kind === 'member' ? '+' : '^'}= ${op.kind}${op.index}(y);`
}

function weakFunction(index: number, plus: number): string {
  return `__attribute__((weak, noinline)) unsigned weak${index}(unsigned y) { return y + ${plus}; }`
}

export function sourceOfMain({ files }: LongProgram): string {
  return `
    int printf(const char *, ...);
    ${files.map(({ id }) => `unsigned file${id}(unsigned);`).join('\n')}
    ${Array.from({ length: WEAKS }, (_, i) => weakFunction(i, WEAK_OF_MAIN)).join('\n')}
    int main(void) {
      unsigned y = 1;
      ${files.map(({ id }) => `y = y * 31 + file${id}(y);`).join('\n')}
      printf("%x\\n", y);
      return 0;
    }
  `
}

export function sourceOfMember(index: number, plus: number): string {
  return `unsigned member${index}(unsigned y) { return y ^ ${plus}; }`
}

export function sourceOfLibrary(): string {
  return Array.from(
    { length: LIBRARY_FUNCTIONS },
    (_, i) => `unsigned call${i}(unsigned y) { return y * ${i + 3} + ${i}; }`,
  ).join('\n')
}
