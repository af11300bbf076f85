import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { randomFrom } from '../../bench/random.ts'
import { linkKeeping } from '../../src/link.ts'
import { createPatching } from '../../src/session/patch.ts'
import { HEADER_BYTES, openSnapshotFile, readFront, readIndex, RUN_WORDS } from '../../src/snapshot/format.ts'
import { LIMITS, placeOf } from '../../src/snapshot/limits.ts'
import { openStore } from '../../src/snapshot/store.ts'
import { openSnapshot, saveSnapshot } from '../../src/snapshot.ts'
import { createTarget, type Target } from '../helpers/targets.ts'
import { createProgram, edit, fresh, keep, type Program, run } from './program.ts'

/** A stretch of the file. */
interface Section {
  name: string
  from: number
  to: number
}

/** All of the file: of each record the header, its texts, its index, and every run of chunks that it has. */
function sectionsOf({ options, snapshot }: Program): Section[] {
  const host = options.host!
  const file = openSnapshotFile(host, snapshot)!
  const sections: Section[] = []
  for (const [number, record] of file.records.entries()) {
    const add = (name: string, from: number, size: number) =>
      sections.push({ name: `${name} of record ${number}`, from, to: from + size })
    const { at, words } = record
    const padded = [words[7], words[10]].map((size) => Math.ceil(size / 4) * 4)
    add('header', at, HEADER_BYTES)
    add('front', at + HEADER_BYTES, words[7])
    add('skeleton', at + HEADER_BYTES + padded[0], words[10])
    add('index', at + HEADER_BYTES + padded[0] + padded[1], words[13] * 4)
    const { index, chunks } = readIndex(host, file, record)
    for (let run = 1; run < 1 + index[0] * RUN_WORDS; run += RUN_WORDS)
      if (index[run + 4] === 0) add(`buffer ${index[run]}`, chunks + index[run + 3], index[run + 2] * 4096)
  }
  return sections
}

interface Case {
  program: Program
  /** Output and snapshot of the run before the last edit. */
  back: () => void
  bytes: Buffer
  sections: Section[]
  wanted: Buffer
}

/** A snapshot of two records, and an edit behind it. */
async function createCase(target: Target): Promise<Case> {
  const program = createProgram(target)
  await run(program)
  edit(program, { constant: 2, statements: 4 })
  assert.equal((await run(program)).mode, 'patch')
  const back = keep(program)
  const sections = sectionsOf(program)
  edit(program, { constant: 3, statements: 4 })
  return { program, back, bytes: readFileSync(program.snapshot), sections, wanted: await fresh(program) }
}

/** Runs with a damaged snapshot; returns what was doubted. */
async function runDamaged({ program, back, wanted }: Case, bytes: Uint8Array, what: string): Promise<string> {
  back()
  writeFileSync(program.snapshot, bytes)
  const { mode, doubts } = await run(program)
  assert.ok(readFileSync(program.output).equals(wanted), `${what}: another output (${mode}: ${doubts})`)
  assert.equal(mode, doubts.length === 0 ? 'patch' : 'full', `${what}: ${doubts}`)
  for (const doubt of doubts) assert.match(doubt, /: everything is linked anew$/, what)
  assert.equal((await run(program)).mode, 'noop', what)
  return doubts.join()
}

/** What is always read. */
const ESSENTIAL = /^(header|index|(front|skeleton) of record 1)/

for (const target of [createTarget('arm64', 'chained'), createTarget('x86_64', 'opcodes')]) {
  test(`a snapshot damaged in any section never leads to another output (${target.name})`, async () => {
    const all = await createCase(target)
    const other = await createCase(createTarget(target.arch === 'arm64' ? 'x86_64' : 'arm64', target.fixups))
    const random = randomFrom(5)
    assert.ok(all.sections.length > 40, `${all.sections.length} sections`)
    let seen = 0
    for (const { name, from, to } of all.sections) {
      const at = from + Math.floor(random() * (to - from))
      const flipped = Buffer.from(all.bytes)
      flipped[at] ^= 1 << Math.floor(random() * 8)
      const swapped = Buffer.concat([
        all.bytes.subarray(0, from),
        other.bytes.subarray(from, to),
        Buffer.alloc(Math.max(0, to - Math.max(from, other.bytes.length))),
        all.bytes.subarray(to),
      ])
      for (const [how, bytes] of [
        ['flipped', flipped],
        ['swapped', swapped],
      ] as const) {
        const doubts = await runDamaged(all, bytes, `${name} ${how}`)
        if (ESSENTIAL.test(name)) assert.notEqual(doubts, '', `${name} ${how}`)
        if (doubts !== '') seen++
      }
      for (const end of [from, at]) {
        const doubts = await runDamaged(all, all.bytes.subarray(0, end), `cut within ${name}`)
        assert.match(doubts, /is empty|does not begin as one|is not as .* has it/, `cut within ${name}`)
      }
    }
    assert.ok(seen > 20, `${seen} were told`)
  })
}

test('bytes changed at random never lead to another output', async () => {
  const all = await createCase(createTarget('arm64', 'chained'))
  const change = fc.record({
    at: fc.oneof(fc.integer({ min: 0, max: HEADER_BYTES - 1 }), fc.nat(all.bytes.length - 1)),
    value: fc.nat(255),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const bytes = Buffer.from(all.bytes)
      for (const { at, value } of changes) bytes[at] = value
      await runDamaged(all, bytes, JSON.stringify(changes))
    }),
    { numRuns: 100, seed: 11 },
  )
})

test('fields of the header may be anything', async () => {
  const all = await createCase(createTarget('x86_64', 'opcodes'))
  const values = [0, 1, 3, 0x7fffffff, 0x80000000, 0xffffffff]
  for (let word = 0; word < HEADER_BYTES / 4; word++) {
    for (const value of values) {
      const bytes = Buffer.from(all.bytes)
      const before = bytes.readUInt32LE(word * 4)
      bytes.writeUInt32LE(value, word * 4)
      const doubts = await runDamaged(all, bytes, `word ${word} is ${value}`)
      assert.equal(doubts === '', before === value)
    }
  }
})

test('the snapshot of another program, of another output, or of nothing is told apart', async () => {
  const target = createTarget('arm64', 'chained')
  const [all, other] = [await createCase(target), await createCase(target)]
  assert.match(await runDamaged(all, other.bytes, 'another program'), /out is not as .*out\.colonnade has it/)
  assert.match(await runDamaged(all, new Uint8Array(0), 'nothing'), /is empty/)
  assert.match(await runDamaged(all, Buffer.alloc(100000), 'zeros'), /does not begin as one/)
  assert.match(await runDamaged(all, readFileSync(all.program.output), 'an image'), /does not begin as one/)
  const format = Buffer.from(all.bytes)
  format.writeUInt32LE(77, 8)
  assert.match(await runDamaged(all, format, 'format'), /has format 77, expected/)
  const half = Buffer.concat([all.bytes, all.bytes.subarray(0, 300)])
  assert.equal(await runDamaged(all, half, 'a record that was begun'), '')
})

test('ids that lead out of their tables are seen although every hash is right', async () => {
  const all = await createCase(createTarget('arm64', 'opcodes'))
  const { program, back } = all
  const host = program.options.host!
  back()
  const front = readFront(host, openSnapshotFile(host, program.snapshot)!)
  let told = 0
  for (const [path] of LIMITS) {
    back()
    edit(program, { constant: 2, statements: 4 })
    const { done } = await linkKeeping({ layout: 'padded', ...program.options, write: false }, true)
    edit(program, { constant: 3, statements: 4 })
    const place = placeOf(done, path)
    assert.notEqual(place, null, path)
    const column = (place!.object as Record<string, Uint32Array>)[place!.key]
    column[column.length - 1] = 0x7ffffff0
    if (column.BYTES_PER_ELEMENT === 1) column[column.length - 1] = 0xf0
    saveSnapshot(host, program.snapshot, program.output, front, createPatching(done))
    const doubts = await runDamaged(all, readFileSync(program.snapshot), path)
    if (column.BYTES_PER_ELEMENT === 4 && doubts !== '') {
      assert.match(doubts, /has id 2147483632 in .*, of \d+/, path)
      told++
    }
  }
  assert.ok(told > 15, `${told} of ${LIMITS.length}`)
})

test('an intact snapshot is not doubted', async () => {
  const all = await createCase(createTarget('arm64', 'chained'))
  assert.equal(await runDamaged(all, all.bytes, 'intact'), '')
  const host = all.program.options.host!
  all.back()
  assert.notEqual(openSnapshot(host, openSnapshotFile(host, all.program.snapshot)!, all.program.output), null)
})

test('a snapshot that belongs to someone else, or claims more memory than links take, is not used', async () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  await run(program)
  const host = program.options.host!
  const stat = (path: string) => {
    const found = host.stat(path)
    return found !== null && path === program.snapshot ? { ...found, isForeign: true } : found
  }
  const foreign = await run(program, { host: { ...host, stat } })
  assert.equal(foreign.mode, 'full')
  assert.match(foreign.doubts.join(), /belongs to someone else/)
  const file = openSnapshotFile(host, program.snapshot)!
  for (const size of [2 ** 40, -(2 ** 40), 0.5, Number.MAX_VALUE])
    assert.throws(() => openStore(host, file, program.output, [size]), /claims more memory/)
})
