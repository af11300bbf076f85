import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { archs, createTarget } from '../helpers/targets.ts'
import { attempt } from './attempt.ts'
import { archives, dylibs, type Fixture, objects, stubs, universals } from './fixtures.ts'
import { command, makeObject } from './objectBuilder.ts'
import { objectFixture } from './fixtures.ts'

const LC_SEGMENT_64 = 0x19
const LC_DYSYMTAB = 0xb
const LC_BUILD_VERSION = 0x32
const LC_ID_DYLIB = 0xd
const LC_UUID = 0x1b
const LC_FUNCTION_STARTS = 0x26

type Edit = (bytes: Uint8Array, view: DataView) => void

/** The load command of a kind. */
function find(view: DataView, kind: number): number {
  let at = 32
  while (view.getUint32(at, true) !== kind) at += view.getUint32(at + 4, true)
  return at
}

const word = (kind: number, field: number, value: number): Edit => {
  return (_, view) => view.setUint32(find(view, kind) + field, value, true)
}

function eachSection(use: (view: DataView, at: number, bytes: Uint8Array) => void): Edit {
  return (bytes, view) => {
    const segment = find(view, LC_SEGMENT_64)
    for (let i = 0; i < view.getUint32(segment + 64, true); i++) use(view, segment + 72 + i * 80, bytes)
  }
}

const OBJECT_EDITS: Record<string, Edit> = {
  'reserved word of the header': (_, view) => view.setUint32(28, 0xffffffff, true),
  'protections of the segment': (_, view) =>
    view.setBigUint64(find(view, LC_SEGMENT_64) + 56, 0xffffffffffffffffn, true),
  'name of the segment': (bytes, view) =>
    void bytes.fill(0xff, find(view, LC_SEGMENT_64) + 8, find(view, LC_SEGMENT_64) + 24),
  'addresses and sizes of the segment': (bytes, view) =>
    void bytes.fill(0xff, find(view, LC_SEGMENT_64) + 24, find(view, LC_SEGMENT_64) + 56),
  'flags of the segment': word(LC_SEGMENT_64, 68, 0xffffffff),
  'reserved words of sections': eachSection((view, at) => view.setUint32(at + 76, 0xffffffff, true)),
  'every count of LC_DYSYMTAB': (bytes, view) =>
    void bytes.fill(0xff, find(view, LC_DYSYMTAB) + 8, find(view, LC_DYSYMTAB) + 80),
  'a command that is not known': word(LC_DYSYMTAB, 0, 0x7777),
  'the tools of LC_BUILD_VERSION': word(LC_BUILD_VERSION, 20, 0xffffffff),
  'the SDK version': word(LC_BUILD_VERSION, 16, 0xffffffff),
}

function spoil(fixture: Fixture, edit: Edit): Uint8Array {
  const bytes = fixture.files[fixture.subject].slice()
  edit(bytes, new DataView(bytes.buffer))
  return bytes
}

async function mustLink(fixture: Fixture, edit: Edit): Promise<Uint8Array> {
  const images: Uint8Array[] = []
  for (const fixupChains of [true, false]) {
    const { verdict, text, image } = await attempt(fixture, spoil(fixture, edit), fixupChains)
    assert.deepEqual([verdict, text], ['linked', ''])
    images.push(image!)
  }
  return images[0]
}

for (const arch of archs) {
  test(`what an object says that no linker needs may be wrong (${arch})`, async (context) => {
    for (const fixture of objects(arch)) {
      const clean = await mustLink(fixture, () => {})
      for (const [name, edit] of Object.entries(OBJECT_EDITS)) {
        const image = await mustLink(fixture, edit)
        assert.deepEqual(Buffer.from(image), Buffer.from(clean), `${fixture.name}: ${name}`)
      }
    }
    context.diagnostic(`${Object.keys(OBJECT_EDITS).length} fields`)
  })

  test(`debug information may be anything (${arch})`, async () => {
    const [code] = objects(arch)
    const isDebug = (bytes: Uint8Array, at: number) =>
      String.fromCharCode(...bytes.subarray(at + 16, at + 23)) === '__DWARF'
    await mustLink(
      code,
      eachSection((view, at, bytes) => {
        const [offset, size] = [view.getUint32(at + 48, true), view.getUint32(at + 40, true)]
        if (isDebug(bytes, at)) bytes.fill(0xff, offset, offset + size)
      }),
    )
  })

  test(`dates, owners and modes of archive members may be anything (${arch})`, async () => {
    for (const fixture of archives(arch)) {
      await mustLink(fixture, (bytes) => void bytes.set(new TextEncoder().encode('zz'), 8 + 16 + 8))
      await mustLink(fixture, (bytes) => void bytes.fill(0x7a, 8 + 28, 8 + 48))
    }
  })

  test(`the alignment that a universal file states may be anything (${arch})`, async () => {
    for (const fixture of universals(arch)) await mustLink(fixture, (_, view) => view.setUint32(8 + 16, 0xffffffff))
  })

  test(`the slice of another processor may be empty or unknown (${arch})`, async () => {
    for (const fixture of universals(arch)) {
      const other = arch === 'x86_64' ? 8 + 20 : 8
      await mustLink(fixture, (_, view) => view.setUint32(other, 0x7fffffff))
      await mustLink(fixture, (_, view) => view.setUint32(other + 12, 0))
    }
  })

  test(`what a dylib says to dyld alone may be anything (${arch})`, async () => {
    for (const fixture of await dylibs(arch)) {
      await mustLink(fixture, word(LC_ID_DYLIB, 12, 0xffffffff))
      await mustLink(fixture, word(LC_UUID, 8, 0xffffffff))
      await mustLink(fixture, word(LC_FUNCTION_STARTS, 8, 0xffffffff))
      await mustLink(fixture, word(LC_FUNCTION_STARTS, 0, 0x7777))
    }
  })

  test(`identifiers and comments in a stub may be anything (${arch})`, async () => {
    for (const fixture of stubs(arch)) {
      const given = new TextDecoder().decode(fixture.files[fixture.subject])
      const edited = given
        .replaceAll('00000000-0000', 'zzzzzzzz-zzzz')
        .replace('install-name:', '# comment\ninstall-name:')
      const { verdict, text } = await attempt(fixture, new TextEncoder().encode(edited), true)
      assert.deepEqual([verdict, text], ['linked', ''])
    }
  })

  test(`load commands that are not known are passed over (${arch})`, async () => {
    const bytes = makeObject({ arch, commands: [command(0x7777, [1, 2, 3, 0xffffffff])] })
    await mustLink(objectFixture(bytes, arch), () => {})
  })
}

test('programs run as before when what no linker needs is wrong', async () => {
  const target = createTarget('x86_64', 'chained')
  const folder = tempFolder()
  const fixture = objects('x86_64')[0]
  let expected: string | null = null
  for (const [name, edit] of Object.entries(OBJECT_EDITS)) {
    const path = join(folder, name.replaceAll(' ', '-'))
    writeFileSync(path, await mustLink(fixture, edit))
    chmodSync(path, 0o755)
    const { status, stdout } = runImage(target, path)
    assert.equal(status, 0, name)
    expected ??= stdout
    assert.equal(stdout, expected)
  }
  assert.match(expected ?? '', /^second string 5 /)
})
