// Symbol patterns of -exported_symbol and its like: literal names, and globs with `*`, `?`, `[...]` and `\`.

export interface Patterns {
  literals: ReadonlySet<string>
  globs: readonly RegExp[]
}

/** A pattern that is none matches nothing; `isPattern` tells. */
export function compilePatterns(list: readonly string[]): Patterns {
  const literals = new Set<string>()
  const globs: RegExp[] = []
  for (const text of list) {
    if (!/[*?[\]]/.test(text)) literals.add(text)
    else {
      const source = globSource(text)
      if (source !== null) globs.push(new RegExp(`^${source}$`, 's'))
    }
  }
  return { literals, globs }
}

export function matches(patterns: Patterns, name: string): boolean {
  return patterns.literals.has(name) || patterns.globs.some((glob) => glob.test(name))
}

/** False where a bracket stays open, a range goes backwards, or nothing follows a backslash (those of LLVM's globs). */
export function isPattern(text: string): boolean {
  return !/[*?[\]]/.test(text) || globSource(text) !== null
}

function globSource(text: string): string | null {
  let source = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '*') source += '.*'
    else if (text[i] === '?') source += '.'
    else if (text[i] === '[') {
      // The first character of a class may be a bracket itself.
      const close = text.indexOf(']', i + 2)
      const members = close < 0 ? null : classSource(text.slice(i + 1, close))
      if (members === null) return null
      source += members
      i = close
    } else if (text[i] !== '\\') source += escaped(text[i])
    else if (++i < text.length) source += escaped(text[i])
    else return null
  }
  return source
}

function classSource(text: string): string | null {
  const inverted = text.startsWith('^') || text.startsWith('!')
  let source = inverted ? '[^' : '['
  for (let i = inverted ? 1 : 0; i < text.length; i++) {
    source += escaped(text[i])
    if (text[i + 1] !== '-' || i + 2 >= text.length) continue
    if (text[i] > text[i + 2]) return null
    source += `-${escaped(text[i + 2])}`
    i += 2
  }
  return `${source}]`
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
