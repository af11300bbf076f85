// Suites over a whole link in this process, from memory to memory: no start of Node, no files.
import { readFileSync } from 'node:fs'
import { createNodeHost } from '../src/host/node.ts'
import { link } from '../src/link.ts'
import type { Arch, Input, LinkOptions } from '../src/types.ts'
import type { Task } from './kernels.ts'
import { helloInputs } from './jobs.ts'
import { makePreset } from './synthetic.ts'

const archs: readonly Arch[] = ['x86_64', 'arm64']
const MACOS_13 = 0x000d0000

function load(paths: readonly string[]): Input[] {
  return paths.map((path) => ({ path, contents: new Uint8Array(readFileSync(path)) }))
}

function linkTask(name: string, arch: Arch, inputs: readonly Input[]): Task {
  const options: LinkOptions = {
    inputs: [...inputs, { library: 'System' }],
    output: 'out',
    write: false,
    arch,
    platform: { name: 'macos', minVersion: MACOS_13, sdkVersion: MACOS_13 },
    noStandardPaths: true,
    threads: 1,
    host: createNodeHost(),
  }
  const bytes = inputs.reduce((sum, input) => sum + input.contents!.length, 0)
  return { name: `${name} ${arch}`, amount: `${(bytes / 1024).toFixed(0)} KiB`, run: () => link(options) }
}

export function linkTasks(cache: string): Task[] {
  return archs.flatMap((arch) => [
    linkTask('link hello', arch, load(helloInputs(arch))),
    linkTask('link synthetic small', arch, load(makePreset(arch, 'small', cache).inputs)),
  ])
}
