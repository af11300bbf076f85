// `npm run bench -- --blocks`: edits of one block of an image, each with its flush, among many other blocks.
import { join } from 'node:path'
import { type BlockHandle, type BlockImage, createImage, createNodeHost } from '../src/node.ts'
import type { Arch } from '../src/types.ts'
import { median } from './compare/statistics.ts'

export interface BlockEditLine {
  edit: string
  arch: Arch
  fixupChains: boolean
  write: boolean
  /** Medians and 95 % of the edits. */
  milliseconds: number
  slow: number
  /** Of the file, that changed. */
  bytes: number
  goal: number
  met: boolean
}

const BLOCKS = 100_000
const EDITS = 100
const WARM = 20
const GOAL = 2
/** A block and a longer one; calls stand at their offsets. */
const [CODE, LONGER] = [96, 256]
const [FIRST_CALL, SECOND_CALL] = [8, 24]

interface Program {
  image: BlockImage
  blocks: BlockHandle[]
  type: string
}

/** Prints a line for every kind of edit, form of fixups and way to write. */
export function runBlockEdits(cache: string): BlockEditLine[] {
  console.log(`\none of ${BLOCKS} blocks edited and flushed, median of ${EDITS}; the goal is ${GOAL} ms`)
  const lines: BlockEditLine[] = []
  for (const write of [false, true])
    for (const [arch, fixupChains] of [
      ['arm64', true],
      ['x86_64', false],
    ] as const)
      lines.push(...timeProgram(arch, fixupChains, write ? join(cache, 'block-edits') : null))
  return lines
}

function timeProgram(arch: Arch, fixupChains: boolean, output: string | null): BlockEditLine[] {
  const program = build(arch, fixupChains, output)
  const lines = Object.entries(EDIT_KINDS).map(([edit, apply]) => {
    const { milliseconds, slow, bytes } = time(program, apply)
    const met = milliseconds <= GOAL
    const line = { edit, arch, fixupChains, write: output !== null, milliseconds, slow, bytes, goal: GOAL, met }
    console.log(
      `  ${edit.padEnd(20)}${arch.padEnd(8)}${(fixupChains ? 'chained' : 'opcodes').padEnd(9)}${output === null ? '       ' : 'written'}` +
        `${milliseconds.toFixed(2).padStart(8)} ms, 95 % below ${slow.toFixed(2)} ms, ${Math.round(bytes / 1024)} KiB changed, ${met ? 'met' : 'NOT MET'}`,
    )
    return line
  })
  program.image.dispose()
  return lines
}

function build(arch: Arch, fixupChains: boolean, output: string | null): Program {
  const host = createNodeHost()
  const file = output === null ? {} : { output, write: true }
  const image = createImage({ arch, fixupChains, host, symbolCount: BLOCKS + 1000, codeSize: BLOCKS * 200, ...file })
  const type = arch === 'arm64' ? 'ARM64_RELOC_BRANCH26' : 'X86_64_RELOC_BRANCH'
  const blocks = Array.from({ length: BLOCKS }, (_, i) =>
    image.declareBlock(i === 0 ? '_main' : `_function_number_${i}`),
  )
  const program = { image, blocks, type }
  for (let i = 0; i < BLOCKS; i++) {
    update(program, i, CODE, i)
    if (i % 2 === 0) image.exportSymbol(blocks[i])
  }
  image.flush()
  return program
}

function update({ image, blocks, type }: Program, i: number, size: number, callee: number): void {
  const relocations = [
    { offset: FIRST_CALL, type, target: blocks[(callee * 7) % BLOCKS] },
    { offset: SECOND_CALL, type, target: blocks[(callee * 13 + 1) % BLOCKS] },
  ]
  image.updateBlock(blocks[i % BLOCKS], { code: new Uint8Array(size), relocations })
}

type Edit = (program: Program, step: number) => void

const EDIT_KINDS: Record<string, Edit> = {
  'another body': (program, step) => update(program, step * 501 + 3, CODE, step),
  'a longer body': (program, step) => update(program, step * 501 + 4, LONGER, step),
  'a new function': (program, step) => {
    program.blocks.push(program.image.declareBlock(`_new_function_${program.blocks.length}`))
    const block = program.blocks[program.blocks.length - 1]
    const relocations = [{ offset: FIRST_CALL, type: program.type, target: program.blocks[step] }]
    program.image.updateBlock(block, { code: new Uint8Array(CODE), relocations })
  },
  'a function less': (program) => program.image.freeBlock(program.blocks.pop()!),
}

function time({ image, ...rest }: Program, edit: Edit): { milliseconds: number; slow: number; bytes: number } {
  const times: number[] = []
  let bytes = 0
  for (let step = 0; step < WARM + EDITS; step++) {
    const start = performance.now()
    edit({ image, ...rest }, step)
    const { messages, ranges } = image.flush()
    const taken = performance.now() - start
    if (messages.length > 0) throw new Error(messages[0].text)
    if (step < WARM) continue
    times.push(taken)
    bytes += ranges.reduce((sum, range) => sum + range.bytes.length, 0) / EDITS
  }
  times.sort((a, b) => a - b)
  return { milliseconds: median(times), slow: times[Math.floor(times.length * 0.95)], bytes }
}
