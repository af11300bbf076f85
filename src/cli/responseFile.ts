// `@file` on the command line, with the quoting of LLVM's GNU-style tokenizer.
import type { Host } from '../host/host.ts'
import { readText } from './readText.ts'

/**
 * Replaces each `@file` by the words in it, nested ones too. A file that cannot be read, or that is inside itself, stays as it is and
 * so becomes an input that is reported as missing.
 */
export function expandResponseFiles(words: readonly string[], host: Host): string[] {
  if (!words.some((word) => word.length > 1 && word[0] === '@')) return [...words]
  const out: string[] = []
  expandInto(out, words, host, [])
  return out
}

function expandInto(out: string[], words: readonly string[], host: Host, open: readonly string[]): void {
  for (const word of words) {
    const path = word.length > 1 && word[0] === '@' ? host.realPath(word.slice(1)) : null
    const text = path === null || open.includes(path) ? null : tryRead(host, word.slice(1))
    if (path === null || text === null) out.push(word)
    else expandInto(out, tokenize(text), host, [...open, path])
  }
}

function tryRead(host: Host, path: string): string | null {
  try {
    return readText(host, path)
  } catch {
    return null
  }
}

/** Splits at white space; a backslash takes the next character as it is, in quotes too; empty words are dropped. */
export function tokenize(text: string): string[] {
  const words: string[] = []
  let word = ''
  let quote = ''
  for (let i = text.charCodeAt(0) === 0xfeff ? 1 : 0; i < text.length; i++) {
    const c = text[i]!
    if (c === '\\' && i + 1 < text.length) word += text[++i]
    else if (quote !== '') {
      if (c === quote) quote = ''
      else word += c
    } else if (c === '"' || c === "'") quote = c
    else if (c === ' ' || c === '\t' || c === '\n' || c === '\r') {
      if (word !== '') words.push(word)
      word = ''
    } else word += c
  }
  if (word !== '') words.push(word)
  return words
}
