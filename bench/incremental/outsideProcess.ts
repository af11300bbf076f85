// Runs what it is sent, one at a time, and sends back how that went (outside.ts).
import { runOnce } from '../measure.ts'
import { runCommand } from './commandRun.ts'
import type { Answer, Task } from './outside.ts'

process.on('message', (task: Task) => {
  process.send!(answer(task))
})

function answer(task: Task): Answer {
  try {
    return { run: 'args' in task ? runCommand(task.args) : runOnce(task.contestant) }
  } catch (error) {
    return { failure: (error as Error).message }
  }
}
