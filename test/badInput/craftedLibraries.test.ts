import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { archive, compile } from '../helpers/clang.ts'
import { attempt, type Outcome } from './attempt.ts'
import { libraryFixture } from './fixtures.ts'
import { CALLER, LIBRARY } from './sources.ts'
import { startWatchdog } from './watchdog.ts'

startWatchdog()

const TARGETS = '[ x86_64-macos, arm64-macos ]'
const SYMBOLS = ['_library_function', '_library_data']

function stub(name: string, symbols: readonly string[], libraries: readonly string[] = []): string {
  const reexports =
    libraries.length === 0
      ? ''
      : `reexported-libraries:\n  - targets: ${TARGETS}\n    libraries: [ ${libraries.join(', ')} ]\n`
  const exports =
    symbols.length === 0 ? '' : `exports:\n  - targets: ${TARGETS}\n    symbols: [ ${symbols.join(', ')} ]\n`
  return `--- !tapi-tbd\ntbd-version: 4\ntargets: ${TARGETS}\ninstall-name: ${name}\n${reexports}${exports}`
}

async function tryLibrary(contents: Uint8Array | string, others: Record<string, string> = {}): Promise<Outcome> {
  const files = Object.fromEntries(Object.entries(others).map(([path, text]) => [path, new TextEncoder().encode(text)]))
  const subject = typeof contents === 'string' ? new TextEncoder().encode(contents) : contents
  const caller = new Uint8Array(readFileSync(compile('x86_64', CALLER)))
  return attempt(libraryFixture(subject, { '/in/caller.o': caller, ...files }), subject, true)
}

async function links(contents: Uint8Array | string, others: Record<string, string> = {}): Promise<void> {
  const { verdict, text } = await tryLibrary(contents, others)
  assert.deepEqual([verdict, text], ['linked', ''])
}

async function refuses(id: string, contents: Uint8Array | string, others: Record<string, string> = {}): Promise<void> {
  const { verdict, text, ids } = await tryLibrary(contents, others)
  assert.deepEqual([verdict, ids.includes(id)], ['refused', true], `${ids}: ${text}`)
}

test('libraries that re-export each other, or themselves, end where they meet', async () => {
  await links(stub('/lib/libmade.dylib', SYMBOLS, ['/lib/libmade.dylib']))
  await links(stub('/lib/libmade.dylib', SYMBOLS.slice(1), ['/lib/liba.dylib']), {
    '/lib/liba.tbd': stub('/lib/liba.dylib', [], ['/lib/libb.dylib']),
    '/lib/libb.tbd': stub('/lib/libb.dylib', SYMBOLS.slice(0, 1), ['/lib/liba.dylib', '/lib/libb.dylib']),
  })
})

test('a chain of 3000 re-exports is followed without recursion', async () => {
  const chain = Array.from({ length: 3000 }, (_, i) =>
    stub(`/lib/lib${i}.dylib`, i === 2999 ? SYMBOLS : [], i === 2999 ? [] : [`/lib/lib${i + 1}.dylib`]),
  )
  await links(`${chain.join('')}...\n`)
})

test('a re-exported library that cannot be read is told with its own file', async () => {
  const main = stub('/lib/libmade.dylib', SYMBOLS, ['/lib/liba.dylib'])
  await refuses('tbd-syntax', main, { '/lib/liba.tbd': '--- !tapi-tbd\n[ {' })
  await refuses('missing-reexport', main)
})

test('an install name that is empty or holds a NUL is refused', async () => {
  await refuses('tbd-shape', stub("''", SYMBOLS))
  await refuses('bad-install-name', stub('"/lib/a\\0b"', SYMBOLS))
})

test('stubs nested without end, or grown by aliases, are refused', async () => {
  const head = '--- !tapi-tbd\ntbd-version: 4\n'
  await refuses('tbd-syntax', `${head}x: ${'['.repeat(20000)}`)
  await refuses('tbd-syntax', `${head}x: ${'{ a: '.repeat(20000)}`)
  const bomb = Array.from(
    { length: 30 },
    (_, i) => `a${i}: &a${i} [ ${i === 0 ? 'x' : Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')} ]\n`,
  )
  await refuses('tbd-syntax', head + bomb.join(''))
  await refuses('tbd-version', `{ "tapi_tbd_version": 5e9, "x": ${'['.repeat(20000)}${']'.repeat(20000)} }`)
})

test('an archive whose index names a member that is not there is refused', async () => {
  const bytes = new Uint8Array(readFileSync(archive('library.a', [compile('x86_64', LIBRARY)], 'rcs')))
  await links(bytes)
  const view = new DataView(bytes.buffer)
  const extended = Number.parseInt(String.fromCharCode(...bytes.subarray(8 + 3, 8 + 16)), 10) || 0
  const ranlib = 8 + 60 + extended + 4
  for (const offset of [0, 9, 0xffffffff, bytes.length]) {
    view.setUint32(ranlib + 4, offset, true)
    await refuses('archive-index', bytes)
  }
})
