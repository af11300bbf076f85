// Commands run from a small process of their own. One that runs commands itself has its pages shared with each until it runs, and
// pays 1.6 us for the next write to every one of them: 0.5 s in a warm rebuild of 10,000 objects, which is no part of it.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Contestant, environment, type Run } from '../measure.ts'
import type { CommandRun } from './commandRun.ts'

export type Task = { args: readonly string[] } | { contestant: Contestant }
export type Answer = { run: CommandRun | Run } | { failure: string }

export interface Outside {
  /** `runCommand` there. */
  command: (args: readonly string[]) => Promise<CommandRun>
  /** `runOnce` there. */
  once: (contestant: Contestant) => Promise<Run>
  end: () => void
}

/** To be started before this process holds much. Takes one task at a time, whose failure rejects. */
export function startOutside(): Outside {
  const child = fork(fileURLToPath(new URL('./outsideProcess.js', import.meta.url)), { env: environment() })
  const run = (task: Task) =>
    new Promise<CommandRun | Run>((resolve, reject) => {
      const onExit = () => reject(new Error('the process that runs commands has ended'))
      child.once('exit', onExit)
      child.once('message', (answer: Answer) => {
        child.off('exit', onExit)
        if ('run' in answer) resolve(answer.run)
        else reject(new Error(answer.failure))
      })
      child.send(task)
    })
  return {
    command: async (args) => (await run({ args })) as CommandRun,
    once: async (contestant) => (await run({ contestant })) as Run,
    end: () => child.disconnect(),
  }
}
