import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { verify } from '../../src/node.ts'
import { ld64 } from '../helpers/colonnade.ts'
import { createTarget } from '../helpers/targets.ts'
import { createProgram, edit, fresh, type Program } from './program.ts'

function startCommand({ args, folder }: Program): Promise<{ status: number | null; said: string }> {
  const child = spawn(process.execPath, [ld64, ...args, '--verbose'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  return new Promise((resolve) => child.on('exit', (status) => resolve({ status, said })))
}

for (const target of [createTarget('arm64', 'chained'), createTarget('x86_64', 'opcodes')])
  test(`processes that link one output at once leave a whole one, and the next run is right (${target.name})`, async () => {
    const program = createProgram(target)
    const outputs: Buffer[] = []
    for (let round = 0; round < 6; round++) {
      const running: ReturnType<typeof startCommand>[] = []
      for (let i = 0; i < 3; i++) {
        edit(program, { constant: 2 + ((round + i) % 3), statements: 4 })
        outputs.push(await fresh(program))
        running.push(startCommand(program))
        if ((round + i) % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 30 * round))
      }
      for (const { status, said } of await Promise.all(running)) assert.equal(status, 0, said)
      const left = readFileSync(program.output)
      assert.deepEqual(verify(left), [])
      assert.ok(
        outputs.some((one) => one.equals(left)),
        'an output of none of the versions',
      )
      const { status, said } = await startCommand(program)
      assert.equal(status, 0, said)
      assert.ok(readFileSync(program.output).equals(outputs[outputs.length - 1]), `the next run: ${said}`)
    }
  })
