// Sources of any program in C or C++, edited at random as a programmer edits them: statements that come, change and go in functions that
// run, new functions, data, texts, calls to a library, weak definitions, files. Each statement leaves a mark, whose value is known here.
import { randomFrom } from '../../bench/random.ts'

export const LIBRARY_FUNCTIONS = 64
export const MARKS = 4096
const WEAKS = 4

/** A function that was added to a file, or to several as a weak definition. */
interface MadeFunction {
  name: string
  scope: '' | 'static ' | 'weak '
  /** Line of the source before which it stands. */
  before: number
  steps: Step[]
}

type Step = { kind: 'mix'; by: number; plus: number } | { kind: 'odd'; plus: number } | { kind: 'text'; text: string }

/** A statement `marks[id] = ...` at the start of a function. */
interface Site {
  id: number
  /** Line of the source behind which it stands. */
  behind: number
  kind: 'constant' | 'data' | 'own' | 'text' | 'import' | 'made' | 'weak' | 'file'
  value: number
  /** A function, or data of the file, that it asks. */
  name: string
  text: string
}

export interface SourceFile {
  name: string
  language: 'c' | 'c++'
  lines: readonly string[]
  /** Lines that open a function which runs, and lines before which a function may stand. */
  openings: readonly number[]
  starts: readonly number[]
  sites: Site[]
  made: MadeFunction[]
  /** Whether the program's writer has it, as object or as archive member, or an edit has added it. */
  isMember: boolean
  isAdded: boolean
}

export interface SourceProgram {
  files: SourceFile[]
  ids: number
  names: number
  /** Bytes behind the load commands. */
  headerPad: number
  random: () => number
}

export const EDITS = [
  'nothing',
  'another option',
  'touch',
  'change a constant',
  'change a constant',
  'change a constant',
  'change data',
  'grow a function',
  'grow a function',
  'shrink a function',
  'add a function',
  'add a function',
  'add a function',
  'remove a function',
  'rename a function',
  'add data',
  'add a thread-local variable',
  'call a new import',
  'call a new import',
  'drop a call',
  'change a text',
  'weak definition',
  'add a file',
  'remove a file',
  'change a member',
] as const
export type Edit = (typeof EDITS)[number]

const OPENING =
  /^(?!struct|enum|union|namespace|class|extern|typedef|switch|constexpr|static const|#)[A-Za-z_].*\)\s*(const |noexcept )?\{$/
const CLOSED = /^$|[;}]$|\*\/$|^#|^\/\/|^ *(public|private|protected):$/

export function createSourceFile(name: string, text: string, isMember = false): SourceFile {
  const lines = text.split('\n')
  const language = name.endsWith('.c') ? 'c' : 'c++'
  const openings = lines.flatMap((line, i) => (isOpening(line, lines[i - 1] ?? '') ? [i] : []))
  const starts = language === 'c' ? openings.map((opening) => startOf(lines, opening)) : [0, lines.length]
  return { name, language, lines, openings, starts, sites: [], made: [], isMember, isAdded: false }
}

function isOpening(line: string, before: string): boolean {
  return OPENING.test(line.trimEnd()) || /^\) ?\{$/.test(line) || (line === '{' && before.endsWith(')'))
}

function startOf(lines: readonly string[], opening: number): number {
  let line = opening
  while (line > 0 && !CLOSED.test(lines[line - 1])) line--
  return line
}

export function createSourceProgram(files: SourceFile[], seed: number): SourceProgram {
  return { files, ids: 0, names: 0, headerPad: 64, random: randomFrom(seed) }
}

/** Marks each function of the program; the ids of those that ran tell which functions edits have an effect in. */
export function markAll(program: SourceProgram): void {
  for (const file of program.files)
    file.sites = file.openings.map((behind) => createSite(++program.ids, behind, 'constant', 1))
}

export function keepMarked(program: SourceProgram, ids: ReadonlySet<number>): void {
  for (const file of program.files) {
    file.openings = file.sites.flatMap(({ id, behind }) => (ids.has(id) ? [behind] : []))
    if (file.language === 'c') file.starts = file.openings.map((opening) => startOf(file.lines, opening))
    file.sites = []
  }
  program.ids = 0
}

/** What the program prints of its marks. */
export function sumOfMarks({ files }: SourceProgram): number {
  let sum = 0
  for (const { id, value } of files.flatMap(({ sites }) => sites)) sum = (sum + Math.imul(value, id * 2 + 1)) >>> 0
  return sum
}

function createSite(id: number, behind: number, kind: Site['kind'], value: number, name = '', text = ''): Site {
  return { id, behind, kind, value, name, text }
}

export function below(program: SourceProgram, count: number): number {
  return Math.floor(program.random() * count)
}

function pick<T>(program: SourceProgram, list: readonly T[]): T {
  return list[below(program, list.length)]
}

/** Takes an instruction of its own and half of a word, whatever it is: a change of it moves nothing. */
function constant(program: SourceProgram): number {
  return 4096 + below(program, 8192) * 2 + 1
}

function textOf(program: SourceProgram): string {
  return `text ${'.'.repeat(below(program, 9))} ${below(program, 4000)}`
}

function addSite(
  program: SourceProgram,
  file: SourceFile,
  kind: Site['kind'],
  value: number,
  name = '',
  text = '',
): void {
  file.sites.push(createSite(++program.ids, pick(program, file.openings), kind, value, name, text))
}

function addFunction(program: SourceProgram, file: SourceFile): void {
  const name = `${pick(program, NAMES)}_${++program.names}`
  const scope = below(program, 3) === 0 ? '' : 'static '
  const steps = Array.from({ length: 1 + below(program, 8) }, () => createStep(program, hasTexts(file)))
  const made: MadeFunction = { name, scope, before: pick(program, file.starts), steps }
  file.made.push(made)
  const start = constant(program)
  addSite(program, file, 'made', runFunction(made, start), name, String(start))
}

const NAMES = ['read', 'next_token', 'isEmpty', 'compare_entries', 'find_first_of', 'reset']

/** The first text of a file is an edit of its own: it brings a section. */
function hasTexts({ lines, sites }: SourceFile): boolean {
  return sites.some(({ kind }) => kind === 'text') || lines.some((line) => !line.startsWith('#') && line.includes('"'))
}

function createStep(program: SourceProgram, mayHaveText: boolean): Step {
  const kind = below(program, 16)
  if (kind === 0 && mayHaveText) return { kind: 'text', text: textOf(program) }
  if (kind === 1) return { kind: 'odd', plus: constant(program) }
  return { kind: 'mix', by: constant(program), plus: constant(program) }
}

function runFunction({ steps }: MadeFunction, start: number): number {
  return steps.reduce((value, step) => {
    if (step.kind === 'mix') return (Math.imul(value, step.by) + step.plus) >>> 0
    if (step.kind === 'odd') return value & 1 ? (value + step.plus) >>> 0 : value >>> 1
    return sumOfText(step.text, value)
  }, start >>> 0)
}

function sumOfText(text: string, start: number): number {
  return [...text].reduce((sum, c) => (Math.imul(sum, 33) + c.charCodeAt(0)) >>> 0, start)
}

function sitesOf(file: SourceFile, ...kinds: Site['kind'][]): Site[] {
  return file.sites.filter(({ kind }) => kinds.includes(kind))
}

/** Edits one file; returns it, or null where the edit is not possible now: the program is then as it was. */
export function editSource(program: SourceProgram, edit: Edit): SourceFile | null {
  const files = program.files.filter(
    (file) => file.isMember === (edit === 'change a member') && file.openings.length > 0,
  )
  if (files.length === 0) return null
  const file = pick(program, files)
  const done = EDITORS[edit](program, file)
  return done ? file : null
}

type Editor = (program: SourceProgram, file: SourceFile) => boolean

const EDITORS: Readonly<Record<Edit, Editor>> = {
  nothing: () => true,
  touch: () => true,
  'another option': (program) => {
    program.headerPad = 64 + below(program, 64) * 16
    return true
  },
  'change a constant': changeConstant,
  'change a member': (program, file) =>
    below(program, 2) === 0 ? changeConstant(program, file) : growFunction(program, file),
  'change data': (program, file) => changeSite(program, sitesOf(file, 'data', 'own')),
  'grow a function': growFunction,
  'shrink a function': (program, file) => dropSite(program, file, sitesOf(file, 'constant')),
  'add a function': (program, file) => {
    addFunction(program, file)
    return true
  },
  'remove a function': (program, file) => dropSite(program, file, sitesOf(file, 'made')),
  'rename a function': renameFunction,
  'add data': (program, file) => addVariable(program, file, 'data'),
  'add a thread-local variable': (program, file) => addVariable(program, file, 'own'),
  'call a new import': callImport,
  'drop a call': (program, file) => dropSite(program, file, sitesOf(file, 'import', 'weak')),
  'change a text': changeText,
  'weak definition': editWeak,
  'add a file': addFile,
  'remove a file': removeFile,
}

/** One of a statement or, as often as there are more of them, of a function that was added. */
function changeConstant(program: SourceProgram, file: SourceFile): boolean {
  const steps = file.made.flatMap(({ scope, steps }) =>
    scope === 'weak ' ? [] : steps.filter(({ kind }) => kind === 'mix'),
  )
  if (below(program, 3) > 0 || steps.length === 0) return changeSite(program, sitesOf(file, 'constant'))
  Object.assign(pick(program, steps), { by: constant(program), plus: constant(program) })
  for (const site of sitesOf(file, 'made'))
    site.value = runFunction(file.made.find(({ name }) => name === site.name)!, Number(site.text))
  return true
}

function changeSite(program: SourceProgram, sites: readonly Site[]): boolean {
  if (sites.length === 0) return false
  pick(program, sites).value = constant(program)
  return true
}

function growFunction(program: SourceProgram, file: SourceFile): boolean {
  addSite(program, file, 'constant', constant(program))
  return true
}

/** What nothing asks any more goes too. */
function dropSite(program: SourceProgram, file: SourceFile, sites: readonly Site[]): boolean {
  if (sites.length === 0) return false
  const site = pick(program, sites)
  file.sites.splice(file.sites.indexOf(site), 1)
  file.made = file.made.filter(({ name, scope }) => scope === 'weak ' || name !== site.name)
  return true
}

function renameFunction(program: SourceProgram, file: SourceFile): boolean {
  const sites = sitesOf(file, 'made')
  if (sites.length === 0) return false
  const site = pick(program, sites)
  const made = file.made.find(({ name }) => name === site.name)!
  made.name = site.name = `${pick(program, NAMES)}_${++program.names}`
  return true
}

function addVariable(program: SourceProgram, file: SourceFile, kind: 'data' | 'own'): boolean {
  addSite(program, file, kind, constant(program), `${kind}_${++program.names}`)
  return true
}

function callImport(program: SourceProgram, file: SourceFile): boolean {
  const used = new Set(program.files.flatMap((each) => sitesOf(each, 'import').map(({ name }) => name)))
  const free = Array.from({ length: LIBRARY_FUNCTIONS }, (_, i) => i).filter((i) => !used.has(`call_${i}`))
  if (free.length === 0) return false
  const index = pick(program, free)
  const start = constant(program)
  addSite(program, file, 'import', (Math.imul(start, index + 3) + index) >>> 0, `call_${index}`, String(start))
  return true
}

function changeText(program: SourceProgram, file: SourceFile): boolean {
  const sites = sitesOf(file, 'text')
  const text = textOf(program)
  if (sites.length === 0 || below(program, 3) === 0) addSite(program, file, 'text', sumOfText(text, 1), '', text)
  else Object.assign(pick(program, sites), { text, value: sumOfText(text, 1) })
  return true
}

/** The first file on the command line that defines one wins. */
function editWeak(program: SourceProgram, file: SourceFile): boolean {
  const name = `weak_${below(program, WEAKS)}`
  const has = file.made.findIndex((made) => made.name === name)
  const definitions = program.files.filter(({ made }) => made.some((each) => each.name === name)).length
  const asked = program.files.some(({ sites }) => sites.some((site) => site.name === name))
  if (has >= 0 && (definitions > 1 || !asked) && below(program, 2) === 0) file.made.splice(has, 1)
  else if (definitions > 0 && below(program, 2) === 0)
    addSite(program, file, 'weak', 0, name, String(constant(program)))
  else if (has >= 0) file.made[has].steps = [createStep(program, false)]
  else file.made.push({ name, scope: 'weak ', before: pick(program, file.starts), steps: [createStep(program, false)] })
  for (const { sites } of program.files)
    for (const site of sites)
      if (site.kind === 'weak') site.value = runFunction(winnerOf(program, site.name), Number(site.text))
  return true
}

function winnerOf({ files }: SourceProgram, name: string): MadeFunction {
  return files.flatMap(({ made }) => made).find((made) => made.name === name)!
}

/** A file of functions, the first of which a file that was there calls. */
function addFile(program: SourceProgram, caller: SourceFile): boolean {
  if (program.files.filter(({ isAdded }) => isAdded).length > 3) return false
  const name = `added_${++program.names}`
  const file = createSourceFile(`${name}.c`, `unsigned ${name}(unsigned y)\n{\n  return y * 7 + 5;\n}`)
  file.isAdded = true
  for (let i = 4 + below(program, 12); i > 0; i--) addFunction(program, file)
  program.files.push(file)
  const start = constant(program)
  addSite(program, caller.isAdded ? program.files[0] : caller, 'file', (start * 7 + 5) >>> 0, name, String(start))
  return true
}

function removeFile(program: SourceProgram): boolean {
  const added = program.files.filter((file) => file.isAdded && file.made.every(({ scope }) => scope !== 'weak '))
  if (added.length === 0) return false
  const gone = pick(program, added)
  program.files.splice(program.files.indexOf(gone), 1)
  const name = gone.name.slice(0, -2)
  for (const file of program.files) file.sites = file.sites.filter((site) => site.name !== name)
  return true
}

/** The source as it is now. */
export function sourceOf(file: SourceFile): string {
  const out = [declarationsOf(file), '#line 1']
  for (let line = 0; line <= file.lines.length; line++) {
    for (const made of file.made) if (made.before === line) out.push(definitionOf(made, file.language))
    if (line < file.lines.length) out.push(file.lines[line])
    for (const site of file.sites) if (site.behind === line) out.push(statementOf(site))
  }
  return `${out.join('\n')}\n`
}

function declarationsOf({ sites, made, language }: SourceFile): string {
  const asked = sites.filter(({ kind, name }) => kind !== 'data' && kind !== 'own' && name !== '')
  const own = new Map(made.map(({ name, scope }) => [name, scope]))
  const names = new Set([...asked.map(({ name }) => name), ...own.keys()])
  const functions = [...names].map(
    (name) => `${own.get(name) === 'static ' ? 'static ' : ''}unsigned ${name}(unsigned);`,
  )
  const variables = sites.flatMap(({ kind, name, value }) =>
    kind === 'data' || kind === 'own'
      ? [`static ${kind === 'own' ? '__thread ' : ''}volatile unsigned ${name} = ${value};`]
      : [],
  )
  const all = ['extern unsigned marks[];', 'unsigned sum_of_text(const char *, unsigned);', ...functions].join('\n')
  return [language === 'c' ? all : `extern "C" {\n${all}\n}`, ...variables].join('\n')
}

function definitionOf({ name, scope, steps }: MadeFunction, language: 'c' | 'c++'): string {
  const attributes = `__attribute__((noinline${scope === 'weak ' ? ', weak' : ''})) `
  const linkage = scope === 'static ' ? 'static ' : language === 'c++' ? 'extern "C" ' : ''
  return `${attributes}${linkage}unsigned ${name}(unsigned y) {\n${steps.map(stepOf).join('\n')}\n  return y;\n}\n`
}

function stepOf(step: Step): string {
  if (step.kind === 'mix') return `  y = y * ${step.by}u + ${step.plus}u;`
  if (step.kind === 'odd') return `  if (y & 1) y += ${step.plus}u; else y >>= 1;`
  return `  y = sum_of_text("${step.text}", y);`
}

function statementOf({ id, kind, value, name, text }: Site): string {
  if (kind === 'constant') return `  marks[${id}] = ${value}u;`
  if (kind === 'data' || kind === 'own') return `  marks[${id}] = ${name};`
  if (kind === 'text') return `  marks[${id}] = sum_of_text("${text}", 1);`
  return `  marks[${id}] = ${name}(${text}u);`
}

/** Prints the sum of all marks when the program ends, and with MARKS=1 which are set. */
export const MARKS_SOURCE = `
int printf(const char *, ...); int fflush(void *); char *getenv(const char *);
unsigned marks[${MARKS}];
unsigned sum_of_text(const char *text, unsigned sum) { while (*text) sum = sum * 33 + *text++; return sum; }
__attribute__((destructor)) static void print_marks(void) {
  unsigned sum = 0, list = getenv("MARKS") != 0;
  for (unsigned i = 0; i < ${MARKS}; i++) {
    sum += marks[i] * (i * 2 + 1);
    if (list && marks[i]) printf("mark %u\\n", i);
  }
  printf("marks %x\\n", sum);
  fflush(0);
}
`

export const LIBRARY_SOURCE: string = Array.from(
  { length: LIBRARY_FUNCTIONS },
  (_, i) => `unsigned call_${i}(unsigned y) { return y * ${i + 3} + ${i}; }`,
).join('\n')
