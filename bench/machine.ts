import { cpus, loadavg, totalmem } from 'node:os'

export interface Machine {
  cpu: string
  cores: number
  memory: number
  node: string
  platform: string
  /** Load average of the last minute: a busy machine explains a slow run. */
  load: number
}

export function describeMachine(): Machine {
  const all = cpus()
  const platform = `${process.platform} ${process.arch}`
  return {
    cpu: all[0].model.trim(),
    cores: all.length,
    memory: totalmem(),
    node: process.version,
    platform,
    load: loadavg()[0],
  }
}

export function machineLine({ cpu, cores, memory, node, platform, load }: Machine): string {
  const gib = (memory / 2 ** 30).toFixed(0)
  return `machine: ${cpu}, ${cores} cores, ${gib} GiB, ${platform}, node ${node}, load ${load.toFixed(2)}`
}
