// Symbol patterns of -exported_symbol and its like: literal names, and globs with `*`, `?` and `[...]`.

export interface Patterns {
  literals: ReadonlySet<string>
  globs: readonly RegExp[]
}

export function compilePatterns(list: readonly string[]): Patterns {
  const literals = new Set<string>()
  const globs: RegExp[] = []
  for (const text of list) {
    if (/[*?[\]]/.test(text)) globs.push(globExpression(text))
    else literals.add(text)
  }
  return { literals, globs }
}

export function matches(patterns: Patterns, name: string): boolean {
  return patterns.literals.has(name) || patterns.globs.some((glob) => glob.test(name))
}

function globExpression(text: string): RegExp {
  let source = ''
  for (let i = 0; i < text.length; i++) {
    const close = text[i] === '[' ? text.indexOf(']', i + 1) : -1
    if (text[i] === '*') source += '.*'
    else if (text[i] === '?') source += '.'
    else if (close > 0) {
      source += `[${text
        .slice(i + 1, close)
        .replace(/^!/, '^')
        .replace(/\\/g, '\\\\')}]`
      i = close
    } else source += text[i].replace(/[.+^${}()|\\[\]]/g, '\\$&')
  }
  return new RegExp(`^${source}$`, 's')
}
