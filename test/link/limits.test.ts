import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { createNodeHost, link, LinkFailure, type LinkOptions } from '../../src/node.ts'

async function errorsOf(options: LinkOptions): Promise<string[]> {
  try {
    await link({ ...options, write: false, outputType: 'dylib' })
  } catch (failure) {
    if (failure instanceof LinkFailure)
      return failure.errors.map(({ id, text, notes }) => [`${id}: ${text}`, ...notes].join('\n'))
    throw failure
  }
  return []
}

function manySections(from: number, to: number): string {
  let text = ''
  for (let i = from; i < to; i++) text += `.section __DATA,__s${i}\n.globl _s${i}\n_s${i}: .quad 0\n`
  return text
}

// The assembler's own empty __text is one of them.
test('255 sections of the output can be numbered, one more is an error', async () => {
  const [first, second] = [assemble('arm64', manySections(0, 200)), assemble('arm64', manySections(200, 254))]
  assert.deepEqual(await errorsOf({ inputs: [first, second], arch: 'arm64' }), [])
  const more = assemble('arm64', manySections(254, 255))
  assert.deepEqual(await errorsOf({ inputs: [first, second, more], arch: 'arm64' }), [
    `too-many-sections: the output has 256 sections, at most 255 are possible\nthe last is __DATA,__s254 of ${more}`,
  ])
})

test('a file that is larger than an arena is refused before room is made for it', async () => {
  const host = createNodeHost()
  const stat: typeof host.stat = (path) =>
    path === 'big.o' ? { ...host.stat(process.execPath)!, size: 2 ** 40 } : host.stat(path)
  const errors = await errorsOf({ inputs: ['big.o'], arch: 'arm64', host: { ...host, stat } })
  assert.deepEqual(errors, [
    'file-too-large: cannot open big.o: has 1099511627776 bytes, at most 2147418112 are possible',
  ])
})

test('a name that does not fit the resolver is an error, and no reason to load a member', async () => {
  const long = assemble('arm64', `.globl _${'n'.repeat(2 ** 24)}\n_${'n'.repeat(2 ** 24)}: .quad 0\n`)
  const errors = await errorsOf({ inputs: [long], arch: 'arm64' })
  assert.match(errors[0], /^bad-symbol: .* symbol \d has a name of 16777217 bytes, at most 16777215 are possible$/)
  assert.deepEqual(await errorsOf({ inputs: [{ path: long, lazy: true }], arch: 'arm64' }), [])
})
