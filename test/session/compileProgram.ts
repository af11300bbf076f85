import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import type { Target } from '../helpers/targets.ts'
import { mainOf, type Program, sourceOf } from './edits.ts'

const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

/** Compiles what has changed into `folder`; returns the options of the program as it is now. */
export function compileProgram(
  target: Target,
  program: Program,
  folder: string,
  written: Map<string, string>,
): LinkOptions {
  const put = (name: string, source: string): string => {
    const path = join(folder, `${name}.o`)
    if (written.get(name) !== source) copyFileSync(compile(target.arch, source, { name }), path)
    written.set(name, source)
    return path
  }
  const objects = program.files.map((file) => put(`file${file.index}`, sourceOf(file)))
  return {
    inputs: [put('main', mainOf(program)), ...objects, { library: 'System' }],
    arch: target.arch,
    platform: MACOS_13,
    fixupChains: target.fixups === 'chained',
    output: join(folder, 'out'),
  }
}
