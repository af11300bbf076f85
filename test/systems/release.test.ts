import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { knownName, nameText } from '../../components/internal.ts'
import type { Link } from '../../components/link.ts'
import { createObserver } from '../../components/observer.ts'
import { arm64 } from '../../src/arch/arm64.ts'
import { createMessages } from '../../src/core/messages.ts'
import { createMemoryHost } from '../../src/host/memory.ts'
import { settle, version } from '../../src/settings.ts'
import { runPipeline } from '../../systems/index.ts'
import type { LinkOptions } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'

const SOURCE = 'int puts(const char *); int data = 1; int main(void) { return puts("x") + data; }'
const PLATFORM = { name: 'macos', minVersion: version(13), sdkVersion: version(13) } as const

async function linkTo(last: string, more: Partial<LinkOptions> = {}, keeps = false): Promise<Link> {
  const contents = new Uint8Array(readFileSync(compile('arm64', SOURCE)))
  const options = { inputs: [{ path: 'main.o', contents }, { library: 'System' }], ...more }
  const settings = settle(options, 'arm64', PLATFORM)
  const host = { ...createMemoryHost(), collect: () => {} }
  return runPipeline(settings, arm64, host, createMessages(), last, createObserver(host, settings), keeps)
}

test('columns stay until their last reader has run, and no longer', async () => {
  const before = await linkTo('relocate')
  assert.ok(before.blocks.Relocations.count.length > 0 && before.symbols.Reference.target.length > 0)
  assert.equal(before.blocks.Links.unwind.length, 0)
  assert.equal(before.names.Offer.dylib.length, 0)
  const after = await linkTo('')
  for (const { length } of [after.blocks.Relocations.count, after.symbols.Reference.target, after.blocks.Extent.size])
    assert.equal(length, 0)
  assert.ok(after.blocks.Extent.offset.length > 0 && after.symbols.Reference.address.length > 0)
})

test('a map file needs the sizes of blocks to the end', async () => {
  const { blocks, reports } = await linkTo('', { map: true })
  assert.ok(blocks.Extent.size.length > 0)
  assert.match(reports.map, /_main/)
})

test('names can still be looked up when their index is gone', async () => {
  const link = await linkTo('')
  assert.equal(link.names.index.length, 0)
  const name = knownName(link, '_main')
  assert.equal(nameText(link, name), '_main')
  assert.equal(knownName(link, '_nowhere'), 0)
})

test('a link that is kept has all that a patch, or who takes it over, reads', async () => {
  const { names, blocks, symbols, unwinds } = await linkTo('', {}, true)
  assert.ok(names.index.length > 0 && names.Offer.dylib.length > 0)
  assert.ok(blocks.Links.unwind.length > 0 && unwinds.Range.block.length > 0)
  assert.ok(blocks.Relocations.count.length > 0 && symbols.Reference.target.length > 0)
  assert.ok(blocks.Extent.size.length > 0 && symbols.Definition.offset.length > 0)
})

test('a large link lets go of its inputs before it hashes and writes, and its output is the same', async () => {
  const [small, large] = [await linkTo(''), await linkTo('', { threadsFrom: 0 })]
  assert.ok(small.arenas.list.every(({ bytes }) => bytes.length > 0))
  assert.ok(large.arenas.list.every(({ bytes, words }) => bytes.length === 0 && words.length === 0))
  assert.deepEqual([large.symbols.Definition.name.length, large.names.Text.offset.length], [0, 0])
  assert.ok(Buffer.from(small.image).equals(large.image) && Buffer.from(small.tail).equals(large.tail))
})

test('a large link with a map keeps its inputs, which the map reads', async () => {
  const { arenas, reports } = await linkTo('', { threadsFrom: 0, map: true })
  assert.ok(arenas.list.every(({ bytes }) => bytes.length > 0))
  assert.match(reports.map, /_main/)
})
