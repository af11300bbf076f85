import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import { createNodeHost, type Host, link, type LinkOptions } from '../../src/node.ts'
import { assemble, compile } from '../helpers/clang.ts'

/** Large because of an array, with more DWARF than the debug map needs. */
function largeObject(): string {
  const fields = Array.from({ length: 8000 }, (_, i) => `struct S${i} { int field_of_number_${i}; } s${i};`).join('\n')
  const source = `${fields}\nchar big[${1 << 22}] = {1};\nint main(void) { return 0; }`
  return compile('arm64', source, { flags: ['-g'] })
}

/** Links the object alone: what of it was read, in which timings, and the image. */
async function linkCounting(path: string) {
  let read = 0
  const { workerReadInto: _, ...rest } = createNodeHost()
  const host: Host = {
    ...rest,
    readInto: (...given) => {
      const got = rest.readInto(...given)
      read += got
      return got
    },
  }
  const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
  const options: LinkOptions = { arch: 'arm64', platform, inputs: [{ path }], outputType: 'dylib', threads: 1, host }
  const { timings, outputFiles } = await link({ ...options, write: false })
  return { read, timings, image: Buffer.from(outputFiles[0].contents) }
}

test('survey counts what it reads of files: DWARF that stays in a file is none of it', async () => {
  const path = largeObject()
  const { read, timings } = await linkCounting(path)
  const survey = timings.find(({ system }) => system === 'survey')!
  assert.equal(survey.read, read)
  assert.ok(read > 1 << 22 && read < statSync(path).size - 100_000, `${read} of ${statSync(path).size}`)
})

/** A compile unit that begins so many bytes into __debug_info, behind another unit, with a name of that length; 5 MB of other DWARF. */
function unitBehind(before: number, nameLength: number): string {
  const other = before === 0 ? '' : `.long ${before - 4}\n.short 5\n.byte 2, 8\n.long 0\n.space ${before - 12}`
  return `
.text
.globl _main
.p2align 2
_main: ret
.section __DWARF,__debug_abbrev,regular,debug
.byte 1, 0x11, 0, 3, 8, 0x1b, 8, 0, 0, 0
.section __DWARF,__debug_info,regular,debug
${other}
.long ${15 + nameLength}
.short 5
.byte 1, 8
.long 0
.byte 1
.space ${nameLength}, 0x61
.asciz ""
.asciz "/src"
.long 99996
.short 5
.byte 2, 8
.space 99992
.section __DWARF,__debug_line,regular,debug
.space 5000000
`
}

test('of debug information the start is read, and the rest where the compile unit goes on behind it', async () => {
  for (const [before, nameLength] of [
    [0, 5],
    [16000, 600],
    [16378, 5],
    [30000, 5],
  ]) {
    const { read, image } = await linkCounting(assemble('arm64', unitBehind(before, nameLength)))
    assert.ok(image.includes(`\0/src/${'a'.repeat(nameLength)}\0`), `${before}`)
    assert.ok(before > 0 ? read > 100_000 && read < 400_000 : read < 60_000, `${before}: ${read}`)
  }
})
