import { join } from 'node:path'
import * as ast from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'
import { root } from './paths.ts'
import type { Source } from './sources.ts'

export interface FunctionSize {
  path: string
  name: string
  /** First line, from 1. */
  line: number
  /** Lines from the first to the closing brace. */
  length: number
}

/** Every named function and every function with a body of its own, with its length; nested ones count for themselves and for what holds them. */
export function measureFunctions(sources: readonly Source[]): FunctionSize[] {
  const api = new API({ cwd: root })
  try {
    const config = join(root, 'tsconfig.json')
    const program = api.updateSnapshot({ openProject: config }).getProject(config)!.program
    return sources.flatMap((source) => measureFile(source, program.getSourceFile(join(root, source.path))!))
  } finally {
    api.close()
  }
}

function measureFile(source: Source, file: ast.SourceFile): FunctionSize[] {
  const found: FunctionSize[] = []
  const starts = lineStarts(source.text)
  const visit = (node: ast.Node): void => {
    if (hasBody(node)) {
      const line = lineAt(starts, node.getStart(file))
      found.push({ path: source.path, name: nameOf(node), line, length: lineAt(starts, node.end) - line + 1 })
    }
    node.forEachChild(visit)
  }
  file.forEachChild(visit)
  return found
}

function hasBody(node: ast.Node): boolean {
  if (ast.isArrowFunction(node)) return ast.isBlock(node.body)
  if (ast.isFunctionDeclaration(node) || ast.isFunctionExpression(node)) return node.body !== undefined
  return (ast.isMethodDeclaration(node) || ast.isConstructorDeclaration(node)) && node.body !== undefined
}

function nameOf(node: ast.Node): string {
  const name = (node as ast.Node & { name?: { text?: string } }).name?.text
  return name ?? 'function'
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function lineAt(starts: readonly number[], position: number): number {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (starts[middle] <= position) low = middle
    else high = middle
  }
  return low + 1
}
