// What the commands are timed on: each scenario is a link with the same flags for every linker.
import { readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { Arch } from '../src/types.ts'
import { helloInputs } from './jobs.ts'
import { makePreset, type Preset, writeStub } from './synthetic.ts'

export interface Scenario {
  name: string
  /** Flags and inputs; makes the inputs where they are not there. */
  args: () => readonly string[]
  /** So small that the start of Node counts: it is timed too, and subtracted. */
  small: boolean
}

const archs: readonly Arch[] = ['x86_64', 'arm64']

export function hello(arch: Arch, cache: string): Scenario {
  const folder = join(cache, 'hello')
  const target = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', '-syslibroot', folder]
  const args = () => {
    writeStub(folder)
    return [...target, ...helloInputs(arch), '-lSystem']
  }
  return { name: `hello ${arch}`, args, small: true }
}

export function synthetic(arch: Arch, preset: Preset, cache: string): Scenario {
  return {
    name: `synthetic ${preset} ${arch}`,
    args: () => [`@${makePreset(arch, preset, cache).response}`],
    small: false,
  }
}

/** Every file called link.rsp below a folder. */
export function corpus(folder: string): Scenario[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(^|[\\/])link\.rsp$/.test(name),
  )
  return files.sort().map((name) => {
    const path = resolve(folder, name)
    return { name: relative(folder, dirname(path)), args: () => [`@${path}`], small: true }
  })
}

export function defaultScenarios(sizes: readonly Preset[], cache: string): Scenario[] {
  return archs.flatMap((arch) => [hello(arch, cache), ...sizes.map((size) => synthetic(arch, size, cache))])
}
