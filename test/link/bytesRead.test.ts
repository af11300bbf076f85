import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { test } from 'node:test'
import { createNodeHost, type Host, link, type LinkOptions } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'

/** Large because of an array, with more DWARF than the debug map needs. */
function largeObject(): string {
  const fields = Array.from({ length: 8000 }, (_, i) => `struct S${i} { int field_of_number_${i}; } s${i};`).join('\n')
  const source = `${fields}\nchar big[${1 << 22}] = {1};\nint main(void) { return 0; }`
  return compile('arm64', source, { flags: ['-g'] })
}

test('survey counts what it reads of files: DWARF that stays in a file is none of it', async () => {
  const path = largeObject()
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
  const { timings } = await link({ ...options, write: false })
  const survey = timings.find(({ system }) => system === 'survey')!
  assert.equal(survey.read, read)
  assert.ok(read > 1 << 22 && read < statSync(path).size - 100_000, `${read} of ${statSync(path).size}`)
})
