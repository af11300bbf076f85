// Itanium C++ names to C++ text, for messages. Source: the Itanium C++ ABI, section 5.1 (mangling).
// A name outside of what is read here is shown as it is: a message never fails over a name.

interface Reading {
  readonly text: string
  at: number
  /** Entries that S_, S0_... refer to, in order. */
  substitutions: string[]
  /** Arguments of the last template-args of the encoding's name: T_, T0_... */
  templateArguments: string[]
  depth: number
}

/** Thrown and caught here only: the name is not understood. */
class Unreadable extends Error {}

const MAX_DEPTH = 256
const MAX_LENGTH = 1 << 14

const BUILTINS: Readonly<Record<string, string>> = {
  v: 'void',
  w: 'wchar_t',
  b: 'bool',
  c: 'char',
  a: 'signed char',
  h: 'unsigned char',
  s: 'short',
  t: 'unsigned short',
  i: 'int',
  j: 'unsigned int',
  l: 'long',
  m: 'unsigned long',
  x: 'long long',
  y: 'unsigned long long',
  n: '__int128',
  o: 'unsigned __int128',
  f: 'float',
  d: 'double',
  e: 'long double',
  g: '__float128',
  z: '...',
  Dn: 'std::nullptr_t',
  Di: 'char32_t',
  Ds: 'char16_t',
  Du: 'char8_t',
  Dh: 'half',
  Da: 'auto',
  Dc: 'decltype(auto)',
}

const OPERATORS: Readonly<Record<string, string>> = {
  nw: ' new',
  na: ' new[]',
  dl: ' delete',
  da: ' delete[]',
  aw: ' co_await',
  ng: '-',
  ps: '+',
  ad: '&',
  de: '*',
  co: '~',
  pl: '+',
  mi: '-',
  ml: '*',
  dv: '/',
  rm: '%',
  an: '&',
  or: '|',
  eo: '^',
  aS: '=',
  pL: '+=',
  mI: '-=',
  mL: '*=',
  dV: '/=',
  rM: '%=',
  aN: '&=',
  oR: '|=',
  eO: '^=',
  ls: '<<',
  rs: '>>',
  lS: '<<=',
  rS: '>>=',
  eq: '==',
  ne: '!=',
  lt: '<',
  gt: '>',
  le: '<=',
  ge: '>=',
  ss: '<=>',
  nt: '!',
  aa: '&&',
  oo: '||',
  pp: '++',
  mm: '--',
  cm: ',',
  pm: '->*',
  pt: '->',
  cl: '()',
  ix: '[]',
}

const STANDARD: Readonly<Record<string, string>> = {
  St: 'std',
  Sa: 'std::allocator',
  Sb: 'std::basic_string',
  Ss: 'std::string',
  Si: 'std::istream',
  So: 'std::ostream',
  Sd: 'std::iostream',
}

const SPECIAL: Readonly<Record<string, string>> = {
  TV: 'vtable for ',
  TT: 'VTT for ',
  TI: 'typeinfo for ',
  TS: 'typeinfo name for ',
}

/** A symbol as the source has it: `__Z1fv` is `f()`, `_main` is `main`; what is not understood stays as it is. */
export function demangle(symbol: string): string {
  const mangled = /^_{1,4}Z/.test(symbol)
  if (mangled) return demangleItanium(symbol) ?? symbol
  return symbol.startsWith('_') ? symbol.slice(1) : symbol
}

/** The qualified name of a mangled function without its parameters, null for anything else. */
export function demangledFunction(symbol: string): string | null {
  if (!/^_{1,4}Z/.test(symbol)) return null
  const text = demangleItanium(symbol)
  const open = text?.indexOf('(') ?? -1
  return text === null || open <= 0 ? null : text.slice(0, open)
}

function demangleItanium(symbol: string): string | null {
  if (symbol.length > MAX_LENGTH) return null
  const reading: Reading = {
    text: symbol,
    at: symbol.indexOf('Z') + 1,
    substitutions: [],
    templateArguments: [],
    depth: 0,
  }
  try {
    const text = readEncoding(reading)
    if (reading.at === symbol.length) return text
    return symbol[reading.at] === '.' ? `${text} (${symbol.slice(reading.at)})` : null
  } catch (trouble) {
    if (trouble instanceof Unreadable) return null
    throw trouble
  }
}

function fail(): never {
  throw new Unreadable()
}

function take(reading: Reading, expected: string): boolean {
  if (!reading.text.startsWith(expected, reading.at)) return false
  reading.at += expected.length
  return true
}

function peek(reading: Reading, length = 1): string {
  return reading.text.slice(reading.at, reading.at + length)
}

/** One level deeper in the grammar; names nest as deep as their bytes say. */
function nested<T>(reading: Reading, read: (reading: Reading) => T): T {
  if (++reading.depth > MAX_DEPTH) fail()
  const result = read(reading)
  reading.depth--
  return result
}

function readEncoding(reading: Reading): string {
  const special = SPECIAL[peek(reading, 2)]
  if (special !== undefined) {
    reading.at += 2
    return special + nested(reading, readType)
  }
  if (take(reading, 'GV')) return `guard variable for ${readName(reading).text}`
  if (take(reading, 'TW')) return `thread-local wrapper routine for ${readName(reading).text}`
  if (take(reading, 'TH')) return `thread-local initialization routine for ${readName(reading).text}`
  if (peek(reading) === 'T' && /[hv]/.test(peek(reading, 2)[1] ?? '')) return readThunk(reading)
  const name = readName(reading)
  if (reading.at >= reading.text.length || /[.E]/.test(peek(reading))) return name.text
  const result = name.hasTemplateArguments && !name.isConstructor ? `${nested(reading, readType)} ` : ''
  return `${result}${name.text}(${readParameters(reading)})${name.qualifiers}`
}

function readThunk(reading: Reading): string {
  const virtual = peek(reading, 2) === 'Tv'
  reading.at += 2
  const offset = /^(n?\d+_){1,2}/.exec(reading.text.slice(reading.at))
  if (offset === null) fail()
  reading.at += offset[0].length
  return `${virtual ? 'virtual' : 'non-virtual'} thunk to ${nested(reading, readEncoding)}`
}

function readParameters(reading: Reading): string {
  const types: string[] = []
  while (reading.at < reading.text.length && !/[.E]/.test(peek(reading))) types.push(nested(reading, readType))
  return types.length === 1 && types[0] === 'void' ? '' : types.join(', ')
}

interface Name {
  text: string
  qualifiers: string
  hasTemplateArguments: boolean
  isConstructor: boolean
}

function readName(reading: Reading): Name {
  if (peek(reading) === 'N') return nested(reading, readNestedName)
  if (take(reading, 'Z')) return nested(reading, readLocalName)
  let text: string
  if (peek(reading) === 'S' && peek(reading, 2) !== 'St') text = readSubstitution(reading)
  else {
    text = (take(reading, 'St') ? 'std::' : '') + readUnqualified(reading, '')
    if (peek(reading) === 'I') reading.substitutions.push(text)
  }
  const hasTemplateArguments = peek(reading) === 'I'
  if (hasTemplateArguments) text += nested(reading, readTemplateArguments)
  return { text, qualifiers: '', hasTemplateArguments, isConstructor: false }
}

function readLocalName(reading: Reading): Name {
  const outer = readEncoding(reading)
  if (!take(reading, 'E')) fail()
  const name = take(reading, 's')
    ? { text: 'string literal', qualifiers: '', hasTemplateArguments: false, isConstructor: false }
    : readName(reading)
  const discriminator = /^_(\d|_\d+_)/.exec(reading.text.slice(reading.at))
  if (discriminator !== null) reading.at += discriminator[0].length
  return { ...name, text: `${outer}::${name.text}` }
}

function readNestedName(reading: Reading): Name {
  reading.at++
  const qualifiers = readQualifiers(reading) + (take(reading, 'R') ? ' &' : take(reading, 'O') ? ' &&' : '')
  let text = ''
  let last = ''
  let hasTemplateArguments = false
  let isConstructor = false
  while (!take(reading, 'E')) {
    if (peek(reading) === 'I') {
      text += nested(reading, readTemplateArguments)
      hasTemplateArguments = true
    } else if (peek(reading) === 'S' && peek(reading, 2) !== 'St' && text === '') {
      text = readSubstitution(reading)
      last = text.replace(/^.*::/, '')
      continue
    } else if (peek(reading) === 'T' && text === '') text = readTemplateParameter(reading)
    else if (take(reading, 'St')) {
      text = 'std'
      continue
    } else {
      isConstructor = /^([CD]\d|cv)/.test(peek(reading, 2))
      const part = readUnqualified(reading, last)
      text += text === '' ? part : `::${part}`
      last = part
      hasTemplateArguments = false
    }
    if (peek(reading) !== 'E') reading.substitutions.push(text)
  }
  return { text, qualifiers, hasTemplateArguments, isConstructor }
}

function readQualifiers(reading: Reading): string {
  let text = ''
  if (take(reading, 'r')) text += ' restrict'
  if (take(reading, 'V')) text = ` volatile${text}`
  if (take(reading, 'K')) text = ` const${text}`
  return text
}

/** A source name, operator, constructor, lambda or unnamed type; `scope` names the class for constructors. */
function readUnqualified(reading: Reading, scope: string): string {
  take(reading, 'L')
  const next = peek(reading, 2)
  let text: string
  if (/^\d/.test(next)) text = readSourceName(reading)
  else if (/^[CD][0-5]/.test(next)) {
    reading.at += 2
    text = (next[0] === 'D' ? '~' : '') + scope.replace(/<.*$/, '')
  } else if (next === 'Ut' || next === 'Ul') text = readUnnamed(reading)
  else if (take(reading, 'cv')) text = `operator ${nested(reading, readType)}`
  else if (take(reading, 'li')) text = `operator"" ${readSourceName(reading)}`
  else if (OPERATORS[next] !== undefined) {
    reading.at += 2
    text = `operator${OPERATORS[next]}`
  } else fail()
  while (take(reading, 'B')) text += `[abi:${readSourceName(reading)}]`
  return text
}

function readUnnamed(reading: Reading): string {
  const isLambda = peek(reading, 2) === 'Ul'
  reading.at += 2
  const parameters = isLambda ? readParameters(reading) : ''
  if (isLambda && !take(reading, 'E')) fail()
  const number = /^(\d*)_/.exec(reading.text.slice(reading.at))
  if (number === null) fail()
  reading.at += number[0].length
  return isLambda ? `'lambda${number[1]}'(${parameters})` : `'unnamed${number[1]}'`
}

function readSourceName(reading: Reading): string {
  const digits = /^\d{1,5}/.exec(reading.text.slice(reading.at, reading.at + 6))
  if (digits === null) fail()
  const start = reading.at + digits[0].length
  const end = start + Number(digits[0])
  if (end === start || end > reading.text.length) fail()
  reading.at = end
  const text = reading.text.slice(start, end)
  return text.startsWith('_GLOBAL__N') ? '(anonymous namespace)' : text
}

/** S_ is entry 0, S0_ entry 1, in base 36; or a name of the standard library. */
function readSubstitution(reading: Reading): string {
  const standard = STANDARD[peek(reading, 2)]
  if (standard !== undefined) {
    reading.at += 2
    return standard
  }
  const found = readIndexed(reading, 'S', 36)
  return reading.substitutions[found] ?? fail()
}

function readTemplateParameter(reading: Reading): string {
  return reading.templateArguments[readIndexed(reading, 'T', 10)] ?? fail()
}

function readIndexed(reading: Reading, letter: string, base: number): number {
  const found = /^.([0-9A-Z]{0,6})_/.exec(reading.text.slice(reading.at, reading.at + 9))
  if (found === null || peek(reading) !== letter) fail()
  reading.at += found[0].length
  return found[1] === '' ? 0 : Number.parseInt(found[1], base) + 1
}

function readTemplateArguments(reading: Reading): string {
  reading.at++
  const found: string[] = []
  while (!take(reading, 'E')) found.push(...nested(reading, readTemplateArgument))
  reading.templateArguments = found
  const text = found.join(', ')
  return `<${text}>`
}

function readTemplateArgument(reading: Reading): string[] {
  if (take(reading, 'J')) {
    const pack: string[] = []
    while (!take(reading, 'E')) pack.push(...nested(reading, readTemplateArgument))
    return pack
  }
  if (take(reading, 'L')) return [readLiteral(reading)]
  if (peek(reading) === 'X') fail()
  return [readType(reading)]
}

function readLiteral(reading: Reading): string {
  if (take(reading, '_Z')) {
    const text = nested(reading, readEncoding)
    if (!take(reading, 'E')) fail()
    return text
  }
  const type = nested(reading, readType)
  const value = /^(n?)(\d*)E/.exec(reading.text.slice(reading.at))
  if (value === null) fail()
  reading.at += value[0].length
  const number = (value[1] === 'n' ? '-' : '') + value[2]
  if (type === 'bool') return number === '0' ? 'false' : 'true'
  const suffix: Readonly<Record<string, string>> = {
    int: '',
    'unsigned int': 'u',
    long: 'l',
    'unsigned long': 'ul',
    'long long': 'll',
    'unsigned long long': 'ull',
  }
  return suffix[type] === undefined ? `(${type})${number}` : number + suffix[type]
}

/** A declarator goes in at the mark: behind the type, or inside of one for functions and arrays. */
const MARK = '\uffff'

function wrap(type: string, declarator: string): string {
  const open = type.indexOf(MARK)
  if (open >= 0) return `${type.slice(0, open)}${declarator}${MARK}${type.slice(open + 1)}`
  return type + declarator
}

function readType(reading: Reading): string {
  return readMarked(reading).replaceAll(` (${MARK})`, '').replaceAll(MARK, '')
}

function readMarked(reading: Reading): string {
  const first = peek(reading)
  const builtin = BUILTINS[first] ?? BUILTINS[peek(reading, 2)]
  if (builtin !== undefined) {
    reading.at += BUILTINS[first] === undefined ? 2 : 1
    return builtin
  }
  const text = nested(reading, readCompound)
  if (text.known) return text.text
  reading.substitutions.push(text.text)
  return text.text
}

/** `known`: it is a substitution itself and makes no further one. */
function readCompound(reading: Reading): { text: string; known: boolean } {
  const first = peek(reading)
  const fresh = (text: string) => ({ text, known: false })
  if (/[rVK]/.test(first)) {
    const qualifiers = readQualifiers(reading)
    return fresh(wrap(readMarked(reading), qualifiers))
  }
  if (take(reading, 'P')) return fresh(wrap(readMarked(reading), '*'))
  if (take(reading, 'R')) return fresh(wrap(readMarked(reading), '&'))
  if (take(reading, 'O')) return fresh(wrap(readMarked(reading), '&&'))
  if (first === 'F') return fresh(readFunctionType(reading))
  if (take(reading, 'A')) return fresh(readArrayType(reading))
  if (take(reading, 'M')) {
    const owner = readType(reading)
    return fresh(wrap(readMarked(reading), `${owner}::*`))
  }
  if (take(reading, 'Dp')) return fresh(readMarked(reading))
  if (take(reading, 'U')) {
    const qualifier = readSourceName(reading)
    return fresh(wrap(readMarked(reading), ` ${qualifier}`))
  }
  if (first === 'T') return withArguments(reading, readTemplateParameter(reading), true)
  if (first === 'S' && peek(reading, 2) !== 'St') return withArguments(reading, readSubstitution(reading), false)
  return fresh(readName(reading).text)
}

/** A template that was named before, with arguments of its own. */
function withArguments(reading: Reading, text: string, isNew: boolean): { text: string; known: boolean } {
  if (peek(reading) !== 'I') return { text, known: !isNew }
  if (isNew) reading.substitutions.push(text)
  return { text: text + nested(reading, readTemplateArguments), known: false }
}

function readFunctionType(reading: Reading): string {
  reading.at++
  take(reading, 'Y')
  const result = readType(reading)
  const parameters = readParameters(reading)
  if (!take(reading, 'E')) fail()
  return `${result} (${MARK})(${parameters})`
}

function readArrayType(reading: Reading): string {
  const size = /^(\d*)_/.exec(reading.text.slice(reading.at))
  if (size === null) fail()
  reading.at += size[0].length
  const element = readMarked(reading)
  return element.includes(MARK) ? element : `${element} (${MARK}) [${size[1]}]`
}
