import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { countWrites } from '../../src/host/countWrites.ts'
import { linkIncrementally } from '../../src/incremental.ts'
import { LinkFailure, type LinkOptions } from '../../src/types.ts'
import { colonnade } from '../helpers/colonnade.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'
import { createProgram, edit, fresh, keep, MAKER, type Program, run } from './program.ts'

async function runLikeFresh(program: Program, more: Partial<LinkOptions> = {}): Promise<[string, string, string[]]> {
  const { mode, reason, doubts } = await run(program, more)
  assert.ok(readFileSync(program.output).equals(await fresh(program, more)), `differs: ${mode}: ${reason}`)
  return [mode, reason, doubts]
}

forEachTarget((target) => {
  test(`the next run patches what the last one wrote, as a fresh link writes it (${target.name})`, async () => {
    const program = createProgram(target, { deadStrip: target.fixups === 'opcodes' })
    assert.deepEqual(await runLikeFresh(program), ['full', 'nothing is linked yet', []])
    assert.deepEqual(await runLikeFresh(program), ['noop', 'nothing changed', []])
    for (let constant = 2; constant < 7; constant++) {
      edit(program, { constant: constant * 1000, statements: 4 })
      const [mode, reason, doubts] = await runLikeFresh(program)
      assert.deepEqual([mode, doubts], ['patch', []], reason)
      verifyImage(target, program.output)
      assert.deepEqual(await runLikeFresh(program), ['noop', 'nothing changed', []])
    }
    edit(program, { constant: 1, statements: 4, text: 'edite!' })
    const [mode, reason] = await runLikeFresh(program)
    assert.deepEqual([mode, /edited.o (was written|has another size)/.test(reason)], ['patch', true], reason)
    assert.match(runImage(target, program.output).stdout, /edite!/)
  })
})

forEachTarget((target) => {
  test(`a patch reads little of output and snapshot (${target.name})`, async () => {
    const contents = new Uint8Array(1 << 23).fill(1)
    const program = createProgram(target, { sectCreate: [{ segment: '__DATA', section: '__big', contents }] })
    await run(program)
    edit(program, { constant: 2, statements: 4 })
    const host = { ...program.options.host! }
    const { readInto } = host
    let read = 0
    host.readInto = (path, bytes, at, length, position) => {
      if (path === program.output || path === program.snapshot) read += length
      return readInto(path, bytes, at, length, position)
    }
    assert.equal((await run(program, { host })).mode, 'patch')
    assert.ok(read < 1 << 21, `${read} bytes`)
    assert.ok(readFileSync(program.output).equals(await fresh(program)))
  })
})

test('what a patch cannot do is a full link that says why, and the next run patches again', async () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  await run(program)
  const large = 'double another(double y) { __asm__ volatile(".space 16384"); return y * 0.3; }'
  edit(program, { constant: 5, statements: 4, more: large })
  const [mode, reason, doubts] = await runLikeFresh(program)
  assert.deepEqual([mode, doubts], ['full', []])
  assert.match(reason, /edited\.o has another size; it has blocks of __text that leave their room$/)
  edit(program, { constant: 6, statements: 4, more: large })
  assert.equal((await runLikeFresh(program))[0], 'patch')
  edit(program, { constant: 6, statements: 4, more: `${large} int added(void) { return 2; }` })
  assert.deepEqual((await runLikeFresh(program))[0], 'patch', 'a function more has rows and room')
})

test('other options, inputs, directories and linkers mean a full link', async () => {
  const program = createProgram(createTarget('x86_64', 'chained'))
  await run(program)
  const changes: [Partial<LinkOptions>, RegExp][] = [
    [{ deadStrip: true }, /^option deadStrip changed$/],
    [{ deadStrip: true, rpaths: ['/x'] }, /^option rpaths changed$/],
    [
      { inputs: program.options.inputs.filter((input) => !String(input).endsWith('main.o')), outputType: 'dylib' },
      /^the list of inputs changed$/,
    ],
  ]
  for (const [more, wanted] of changes) {
    const [mode, reason, doubts] = await runLikeFresh(program, more)
    assert.deepEqual([mode, doubts], ['full', []])
    assert.match(reason, wanted)
    assert.equal((await run(program, more)).mode, 'noop')
  }
  assert.equal((await run(program)).mode, 'full')
  const inputs = [...program.options.inputs].reverse()
  assert.deepEqual(await runLikeFresh(program, { inputs }), ['full', 'the list of inputs changed', []])
  const host = { ...program.options.host!, cwd: () => '/elsewhere' }
  assert.equal((await run(program, { inputs, host })).reason, 'the working directory is another')
  const other = await linkIncrementally({ ...program.options, inputs, host }, 'another linker')
  assert.deepEqual([other.mode, other.reason], ['full', 'the linker is another'])
  assert.match(other.doubts.join(), /was written by another build of the linker \(a linker\)/)
})

test('where nothing changed nothing is written, unless that spares reading much again', async (t) => {
  const program = createProgram(createTarget('arm64', 'chained'))
  const { host, writes } = countWrites(program.options.host!)
  let now = Date.now()
  t.mock.method(Date, 'now', () => now)
  for (const [statements, isWritten] of [[4, false] as const, [4000, true] as const]) {
    edit(program, { constant: 2, statements })
    now = statSync(program.edited).mtimeMs
    await run(program)
    now += 10_000
    for (const wanted of [isWritten, false]) {
      const before = writes.bytes
      assert.equal((await run(program, { host })).mode, 'noop')
      assert.equal(writes.bytes > before, wanted, `${statements} statements`)
    }
  }
})

test('an output that is gone or that someone else has written is linked anew', async () => {
  const program = createProgram(createTarget('arm64', 'opcodes'))
  await run(program)
  rmSync(program.output)
  assert.deepEqual(await runLikeFresh(program), ['full', 'the output is gone', []])
  const spoil: (() => void)[] = [
    () => appendFileSync(program.output, 'x'),
    () => writeFileSync(program.output, readFileSync(program.output).fill(0, 0, 9000)),
    () => writeFileSync(program.output, ''),
    () => {
      const { atime, mtime } = statSync(program.output)
      const bytes = readFileSync(program.output)
      bytes[60] ^= 1
      writeFileSync(program.output, bytes)
      utimesSync(program.output, atime, mtime)
    },
    () => {
      writeFileSync(`${program.output}2`, readFileSync(program.output))
      renameSync(`${program.output}2`, program.output)
    },
  ]
  for (const change of spoil) {
    change()
    const [mode, reason, doubts] = await runLikeFresh(program)
    assert.deepEqual([mode, reason], ['full', 'the output was changed by someone else'])
    assert.match(doubts.join(), /out is not as .*out\.colonnade has it: everything is linked anew$/)
    assert.equal((await run(program)).mode, 'noop')
  }
})

test('bytes of the output that changed although its size and times did not are seen by a patch', async () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  await run(program)
  const { mtimeMs } = statSync(program.output)
  const bytes = readFileSync(program.output)
  bytes[bytes.length - 20000] ^= 1
  writeFileSync(program.output, bytes)
  edit(program, { constant: 2, statements: 4 })
  const host = program.options.host!
  const stat: typeof host.stat = (path) => {
    const found = host.stat(path)
    const [mtimeSeconds, rest] = [Math.floor(mtimeMs / 1000), mtimeMs % 1000]
    return path === program.output && found !== null
      ? { ...found, mtimeSeconds, mtimeNanoseconds: Math.round(rest * 1e6) }
      : found
  }
  const { mode, doubts } = await run(program, { host: { ...host, stat } })
  assert.equal(mode, 'full')
  assert.match(doubts.join(), /was made for an output with other bytes/)
  assert.ok(readFileSync(program.output).equals(await fresh(program)))
})

test('a link that fails leaves output and snapshot, and the next run goes on from them', async () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  await run(program)
  const before = readFileSync(program.output)
  edit(program, { constant: 2, statements: 4, more: 'int missing(int); int user(int y) { return missing(y); }' })
  await assert.rejects(run(program), LinkFailure)
  assert.ok(readFileSync(program.output).equals(before))
  edit(program, { constant: 2, statements: 4 })
  assert.equal((await runLikeFresh(program))[0], 'patch')
})

test('a link on several threads, in shared memory, is kept as any other', async () => {
  const program = createProgram(createTarget('x86_64', 'chained'), { threads: 2, threadsFrom: 1 })
  await run(program)
  edit(program, { constant: 2, statements: 4 })
  assert.deepEqual((await runLikeFresh(program))[0], 'patch')
})

test('a link that is never patched is at least not repeated', async () => {
  const program = createProgram(createTarget('arm64', 'chained'), { icf: 'all' })
  await run(program)
  assert.ok(statSync(program.snapshot).size < 30000, 'it keeps no columns')
  assert.equal((await run(program)).mode, 'noop')
  edit(program, { constant: 2, statements: 4 })
  assert.match((await runLikeFresh(program))[1], /; identical code is folded$/)
})

test('a snapshot that has grown by many patches is written anew', async () => {
  const program = createProgram(createTarget('x86_64', 'opcodes'))
  await run(program)
  const sizes: number[] = []
  for (let constant = 2; constant < 70; constant++) {
    edit(program, { constant: 1 + (constant % 2), statements: 4 })
    const { mode, doubts } = await run(program)
    assert.deepEqual([mode, doubts], ['patch', []])
    sizes.push(statSync(program.snapshot).size)
  }
  assert.ok(sizes.some((size, i) => i > 0 && size < sizes[i - 1]))
  assert.ok(readFileSync(program.output).equals(await fresh(program)))
})

test('the command keeps a snapshot beside its output and says what it did', () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  const say = (...more: string[]) => {
    const { status, stderr } = colonnade([...program.args, '--verbose', ...more], { cwd: program.folder })
    assert.equal(status, 0, stderr)
    return stderr
  }
  const wrote = (text: string) => Number(/^incremental: wrote (\d+) bytes in \d+ pages$/m.exec(text)?.[1])
  const first = say()
  assert.match(first, /^incremental: full: nothing is linked yet\nincremental: wrote .*\n$/)
  assert.equal(wrote(first), statSync(program.output).size + statSync(program.snapshot).size)
  assert.match(say(), /^incremental: noop: nothing changed\nincremental: wrote \d+ bytes in \d+ pages\n$/)
  edit(program, { constant: 2, statements: 4 })
  const patched = say()
  assert.match(patched, /^incremental: patch: .*edited\.o was written\nincremental: wrote .*\n$/)
  assert.ok(wrote(patched) > 0 && wrote(patched) < wrote(first), patched)
  assert.equal(statSync(program.snapshot).mode & 0o777, 0o600)
  writeFileSync(program.snapshot, 'no snapshot')
  const text = say('-fatal_warnings')
  assert.match(
    text,
    /^ld64.colonnade: warning: .*out\.colonnade does not begin as one: everything is linked anew\nincremental: full: /,
  )
})

test('what stands where the output before the last would be, and cannot be removed, is left alone', async () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  mkdirSync(`${program.snapshot}.old`)
  assert.equal((await runLikeFresh(program))[0], 'full')
  edit(program, { constant: 2, statements: 4 })
  assert.equal((await runLikeFresh(program))[0], 'patch')
  assert.ok(statSync(`${program.snapshot}.old`).isDirectory())
})

test('a restored file of the last run is used, and one of the run before it is not', async () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  await run(program)
  const back = keep(program)
  const stale = readFileSync(program.snapshot)
  edit(program, { constant: 2, statements: 4 })
  await run(program)
  writeFileSync(program.snapshot, stale)
  const [mode, , doubts] = await runLikeFresh(program)
  assert.deepEqual([mode, doubts.length], ['full', 1])
  back()
  assert.equal((await runLikeFresh(program))[0], 'patch')
  assert.equal(MAKER, 'a linker')
  assert.ok(join(program.folder, 'out') === program.output)
})
