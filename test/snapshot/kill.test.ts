import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { verify } from '../../src/node.ts'
import { command, type Outcome } from '../helpers/command.ts'
import { root, tempFolder } from '../helpers/paths.ts'
import { createTarget } from '../helpers/targets.ts'
import { createProgram, edit, keep, type Program } from './program.ts'

const KILLED = 137
const killed = join(root, 'build/test/snapshot/killed.js')

function runCommand({ args, folder }: Program, at: number, words: readonly string[] = args): Outcome {
  const cwd = folder
  return command(process.execPath, [killed, ...words, '-lSystem', '--verbose'], { cwd, env: { KILL_AT: String(at) } })
}

/** What a link from nothing writes. */
function wantedBy(program: Program): Buffer {
  const output = join(tempFolder(), 'out')
  const words = program.args.map((word) =>
    word === program.output ? output : word === '--incremental' ? '--layout=padded' : word,
  )
  const { status, stderr } = runCommand(program, 0, words)
  assert.equal(status, 0, stderr)
  return readFileSync(output)
}

function check(bytes: Buffer, allowed: readonly Buffer[], what: string): void {
  assert.ok(
    allowed.some((one) => one.equals(bytes)),
    `${what}: neither the old nor the new output`,
  )
  assert.deepEqual(verify(bytes), [], what)
}

/** Kills the command at each of its changes in turn, each time from the same start; returns how often. */
function killEverywhere(
  program: Program,
  start: () => void,
  old: readonly Buffer[],
  now: Buffer,
  mode: RegExp,
): number {
  for (let at = 1; ; at++) {
    start()
    const { status, stderr } = runCommand(program, at)
    if (existsSync(program.output)) check(readFileSync(program.output), [...old, now], `killed at ${at}`)
    else assert.equal(old.length, 0, `killed at ${at}: the output is gone`)
    if (status === 0) {
      assert.match(stderr, mode)
      return at - 1
    }
    assert.equal(status, KILLED, stderr)
    const next = runCommand(program, 0)
    assert.equal(next.status, 0, next.stderr)
    check(readFileSync(program.output), [now], `the run after ${at}`)
    if (at % 4 === 0) assert.match(runCommand(program, 0).stderr, /incremental: noop/)
  }
}

function removeLeftovers({ folder }: Program): void {
  for (const name of readdirSync(folder)) if (/\.tmp[0-9a-f]+$/.test(name)) rmSync(join(folder, name))
}

for (const target of [createTarget('arm64', 'chained'), createTarget('x86_64', 'opcodes')]) {
  test(`a patch that is killed at any write leaves the old output or the new one (${target.name})`, () => {
    const program = createProgram(target)
    const old = wantedBy(program)
    assert.equal(runCommand(program, 0).status, 0)
    check(readFileSync(program.output), [old], 'the first run')
    const back = keep(program)
    edit(program, { constant: 2, statements: 4 })
    const start = () => {
      removeLeftovers(program)
      back()
    }
    const kills = killEverywhere(program, start, [old], wantedBy(program), /incremental: patch/)
    assert.ok(kills >= 10, `${kills} places`)
  })
}

test('a first link that is killed at any write leaves no output or a whole one', () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  const start = () => {
    removeLeftovers(program)
    for (const path of [program.output, program.snapshot]) rmSync(path, { force: true })
  }
  const kills = killEverywhere(program, start, [], wantedBy(program), /incremental: full: nothing is linked yet/)
  assert.ok(kills >= 10, `${kills} places`)
})

test('a full link over an older one that is killed at any write leaves one of the two', () => {
  const program = createProgram(createTarget('x86_64', 'opcodes'))
  const old = wantedBy(program)
  runCommand(program, 0)
  const back = keep(program)
  edit(program, { constant: 2, statements: 4, more: 'int more[9000] = { 1 };' })
  const start = () => {
    removeLeftovers(program)
    back()
  }
  const kills = killEverywhere(program, start, [old], wantedBy(program), /incremental: full: .*; it has /)
  assert.ok(kills >= 10, `${kills} places`)
})

test('a patch that writes the output before the last, killed at any write, leaves the old output or the new one', () => {
  const program = createProgram(createTarget('arm64', 'opcodes'))
  const versions = [1, 2, 3].map((constant) => ({ constant, statements: 4 }))
  edit(program, versions[1])
  const old = wantedBy(program)
  edit(program, versions[2])
  const now = wantedBy(program)
  const start = () => {
    removeLeftovers(program)
    for (const path of [program.output, program.snapshot, `${program.snapshot}.old`]) rmSync(path, { force: true })
    for (const version of versions) {
      edit(program, version)
      if (version !== versions[2]) assert.equal(runCommand(program, 0).status, 0)
    }
    assert.ok(existsSync(`${program.snapshot}.old`))
  }
  const kills = killEverywhere(program, start, [old], now, /incremental: patch/)
  assert.ok(kills >= 10, `${kills} places`)
})
