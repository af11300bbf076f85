import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockImage } from '../../src/blocks.ts'
import { decodeExportTrie } from '../../src/formats/dyld/exportTrie.ts'
import { LC_DYLD_EXPORTS_TRIE } from '../../src/formats/macho/constants.ts'
import { readImage } from '../../src/formats/macho/image.ts'
import { verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'
import { functionOf, newImage, save } from './build.ts'

/** By name: the address in the trie, from the image base. */
function exportsOf(image: BlockImage): Map<string, number> {
  const contents = image.flush().contents!
  const read = readImage(contents)
  const { offset, size } = read.tables.get(LC_DYLD_EXPORTS_TRIE) ?? read.dyldInfo!.exports
  const found = new Map<string, number>()
  decodeExportTrie(contents.subarray(offset, offset + size), (name, _, address) => found.set(name, address))
  return found
}

const adds = (count: number) => Array(count).fill({ add: 1 })

forEachTarget((target) => {
  test(`exports follow their blocks (${target.name})`, () => {
    const image = newImage(target, { outputType: 'dylib', installName: '/usr/lib/libx.dylib' })
    const [a, b, c] = ['_a', '_b', '_c'].map(image.declareBlock)
    for (const block of [a, b, c]) image.updateBlock(block, functionOf(target.arch, adds(1)))
    image.exportSymbol(a)
    image.exportSymbol(b)
    const wanted = () => [...exportsOf(image)].sort()
    assert.deepEqual(wanted(), [
      ['_a', image.addressOf(a)],
      ['_b', image.addressOf(b)],
    ])
    const before = image.addressOf(b)
    image.updateBlock(b, functionOf(target.arch, adds(100)))
    assert.notEqual(image.addressOf(b), before)
    assert.deepEqual(wanted(), [
      ['_a', image.addressOf(a)],
      ['_b', image.addressOf(b)],
    ])
    image.updateBlock(a, functionOf(target.arch, adds(200)))
    image.unexportSymbol(a)
    image.exportSymbol(c)
    assert.deepEqual(wanted(), [
      ['_b', image.addressOf(b)],
      ['_c', image.addressOf(c)],
    ])
    image.updateBlock(a, functionOf(target.arch, adds(1)))
    image.updateBlock(c, functionOf(target.arch, adds(400)))
    image.renameBlock(b, '_renamed')
    assert.deepEqual(wanted(), [
      ['_c', image.addressOf(c)],
      ['_renamed', image.addressOf(b)],
    ])
    verifyImage(target, save(image.flush()))
  })
})

test('an export moves beyond 2 MiB and back without another trie', () => {
  const target = createTarget('x86_64', 'chained')
  const image = newImage(target, { outputType: 'dylib', codeSize: 2 ** 23 })
  const [a, far] = ['_a', '_far'].map(image.declareBlock)
  image.updateBlock(a, functionOf('x86_64', []))
  image.updateBlock(far, { code: new Uint8Array(2 ** 22) })
  image.exportSymbol(a)
  for (const size of [1, 100000, 1]) {
    image.updateBlock(a, functionOf('x86_64', adds(size)))
    assert.equal(exportsOf(image).get('_a'), image.addressOf(a))
  }
  verifyImage(target, save(image.flush()))
})
