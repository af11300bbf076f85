import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readImage } from '../../src/formats/macho/image.ts'
import { verify } from '../../src/verify.ts'
import { decodeFixups } from '../compare/fixups.ts'
import { readMachO } from '../compare/machOFile.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'
import { functionOf, host, LIBSYSTEM, newImage, save, type Step, textOf } from './build.ts'

forEachTarget((target) => {
  test(`sections, tables and load commands outgrow their room (${target.name})`, () => {
    const { arch } = target
    const image = newImage(target, { headerPad: 0 })
    const [main, format] = ['_main', '_format'].map(image.declareBlock)
    image.updateBlock(format, textOf('%d\n'))
    const [printf, exit] = ['_printf', '_exit'].map((name) => image.addImport(name, LIBSYSTEM))
    const steps: Step[] = []
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 200; i++) {
        const block = image.declareBlock(`_function_${steps.length}`)
        image.updateBlock(block, functionOf(arch, [{ add: 1 }]))
        if (i % 2 === 0) image.exportSymbol(block)
        steps.push({ call: block })
      }
      for (let i = 0; i < 40; i++) image.stubAddressOf(image.addImport(`_nobody_has_${round}_${i}`, -2, { weak: true }))
      const rest: Step[] = [{ print: format, with: printf }, { add: -steps.length }, { call: exit }]
      image.updateBlock(main, functionOf(arch, [...steps, ...rest], 'zero'))
      const result = image.flush()
      const path = save(result)
      assert.deepEqual(
        verify(result.contents!, { host }).filter(({ id }) => id !== 'unsigned'),
        [],
      )
      verifyImage(target, path)
      assert.equal(runImage(target, path).stdout, `${steps.length}\n`)
    }
  })

  test(`a library that comes later has room made for its load command (${target.name})`, () => {
    const image = newImage(target, { headerPad: 0 })
    const main = image.declareBlock('_main')
    image.updateBlock(main, functionOf(target.arch, [], 'zero'))
    assert.equal(runImage(target, save(image.flush())).status, 0)
    for (let i = 0; i < 30; i++) image.addImport(`_thing${i}`, `/usr/lib/libthing${i}.dylib`, { weak: true })
    const result = image.flush()
    assert.deepEqual(
      verify(result.contents!, { host }).filter(({ id }) => id !== 'unsigned'),
      [],
    )
    assert.equal(readImage(result.contents!).dylibs.length, 31)
    verifyImage(target, save(result))
  })

  test(`a flush without edits changes nothing, and code has no holes that run (${target.name})`, () => {
    const image = newImage(target)
    const main = image.declareBlock('_main')
    image.updateBlock(main, functionOf(target.arch, [{ add: 1 }, { add: 2 }]))
    const behind = image.declareBlock('_behind')
    image.updateBlock(behind, functionOf(target.arch, []))
    const first = image.flush()
    assert.deepEqual(image.flush().ranges, [])
    const text = readImage(first.contents!).sections.find(({ name }) => name === '__text')!
    const end = text.offset + image.addressOf(behind) - text.address
    image.updateBlock(main, functionOf(target.arch, []))
    const { contents, ranges } = image.flush()
    assert.ok(ranges.length > 0)
    const trap = target.arch === 'arm64' ? [0x20, 0x00, 0x20, 0xd4] : [0xcc, 0xcc, 0xcc, 0xcc]
    assert.deepEqual([...contents!.subarray(end - 4, end)], trap)
    assert.deepEqual(image.flush().ranges, [])
  })

  test(`freed places, names, entries and stubs are used again (${target.name})`, () => {
    const image = newImage(target, { symbolCount: 100 })
    const main = image.declareBlock('_main')
    image.updateBlock(main, functionOf(target.arch, [], 'zero'))
    const size = () => image.flush().contents!.length
    const round = (count: number) => {
      const blocks = Array.from({ length: count }, (_, i) => image.declareBlock(`_block_${String(i).padStart(4, '0')}`))
      const imports = Array.from({ length: 20 }, (_, i) => image.addImport(`_import_${i}`, LIBSYSTEM))
      for (const block of blocks)
        image.updateBlock(block, functionOf(target.arch, [{ call: imports[0] }, { call: main }]))
      for (const made of imports) image.gotAddressOf(made)
      const places = blocks.map((block) => image.addressOf(block)).sort()
      const entries = [...blocks, ...imports].map((target) => image.gotAddressOf(target)).sort()
      const reached = size()
      for (const block of blocks) image.freeBlock(block)
      for (const made of imports) image.freeImport(made)
      return { reached, last: places.at(-1)!, entries }
    }
    const first = round(500)
    for (let i = 0; i < 5; i++) {
      const again = round(500)
      assert.equal(again.reached, first.reached)
      assert.ok(again.last <= first.last + 0x4000)
      assert.deepEqual(again.entries, first.entries)
    }
  })
})

/** Where the tables of a file are. */
function placesOf(contents: Uint8Array): Record<string, number> {
  const { sections, symtab, dysymtab } = readImage(contents)
  const address = (name: string) => sections.find((section) => section.name === name)!.address
  return {
    got: address('__got'),
    stubs: address('__stubs'),
    data: address('__data'),
    symbols: symtab!.symbolOffset,
    strings: symtab!.stringOffset,
    indirect: dysymtab!.indirectOffset,
  }
}

forEachTarget((target) => {
  test(`each table that outgrows its room makes more, and what lies behind it moves (${target.name})`, () => {
    const image = newImage(target)
    const [main, format] = ['_main', '_format'].map(image.declareBlock)
    const [printf, exit] = ['_printf', '_exit'].map((name) => image.addImport(name, LIBSYSTEM))
    image.updateBlock(format, textOf('%d\n'))
    image.updateBlock(
      main,
      functionOf(target.arch, [{ add: 7 }, { print: format, with: printf }, { add: -7 }, { call: exit }], 'zero'),
    )
    const flush = () => {
      const result = image.flush()
      assert.deepEqual(result.messages, [])
      return placesOf(result.contents!)
    }
    const weak = (name: string) => image.addImport(name, -2, { weak: true })
    /** Grows until what lies behind the table stands elsewhere. */
    const grow = (moved: string, step: (i: number) => void) => {
      const before = flush()
      let after = before
      for (let i = 0; after[moved] === before[moved] && i < 4000; i++) {
        step(i)
        if (i % 50 === 49) after = flush()
      }
      assert.notEqual(after[moved], before[moved], moved)
      const path = save(image.flush())
      verifyImage(target, path)
      assert.equal(runImage(target, path).stdout, '7\n')
    }
    grow('data', (i) => image.gotAddressOf(weak(`_got${i}`)))
    grow('got', (i) => image.stubAddressOf(weak(`_stub${i}`)))
    grow('indirect', (i) =>
      image.updateBlock(image.declareBlock(`_s${i}`), { section: '__TEXT,__const', align: 1, code: new Uint8Array(1) }),
    )
    grow('strings', (i) => image.gotAddressOf(weak(`_indirect${i}`)))
    const size = () => readImage(image.flush().contents!).symtab!.stringSize
    const before = size()
    grow('symbols', (i) => image.exportSymbol(image.lookup(`_s${i}`)!))
    for (let i = 0; i < 200; i++) image.renameBlock(image.lookup(`_s${i}`)!, `_${'long'.repeat(100)}${i}`)
    assert.ok(size() > before + 200 * 400)
    verifyImage(target, save(image.flush()))
  })

  test(`imports come from libraries of any ordinal (${target.name})`, () => {
    const libraries = Array.from({ length: 253 }, (_, i) => ({ installName: `/usr/lib/lib${i}.dylib`, weak: true }))
    const image = newImage(target, { libraries: [LIBSYSTEM, ...libraries.slice(1)], outputType: 'dylib' })
    const type = target.arch === 'arm64' ? 'ARM64_RELOC_UNSIGNED' : 'X86_64_RELOC_UNSIGNED'
    const ordinals = [1, 2, 15, 16, 127, 128, 252, 253, -1, -2]
    const made = ordinals.map((ordinal) => image.addImport(`_from${ordinal}`, ordinal, { weak: ordinal !== 1 }))
    const relocations = made.map((target, i) => ({ offset: i * 8, type, target }))
    image.updateBlock(image.declareBlock('_table'), {
      section: '__DATA,__data',
      code: new Uint8Array(8 * made.length),
      relocations,
    })
    image.updateBlock(
      image.declareBlock('_f'),
      functionOf(
        target.arch,
        made.map((call) => ({ call })),
      ),
    )
    const result = image.flush()
    assert.deepEqual(
      verify(result.contents!, { host }).filter(({ id }) => id !== 'unsigned'),
      [],
    )
    const { binds, lazyBinds } = decodeFixups(readMachO(result.contents!))
    const found = new Map([...binds.values(), ...lazyBinds.values()].map(({ name, ordinal }) => [name, ordinal]))
    for (const ordinal of ordinals) assert.equal(found.get(`_from${ordinal}`), ordinal)
    assert.equal(image.addImport('_from16', '/usr/lib/lib15.dylib', { weak: true }), made[3])
    for (const wrong of [0, 254, -3, -4, 1.5, Number.NaN]) assert.throws(() => image.addImport('_x', wrong), TypeError)
    assert.throws(() => image.addImport('_x', '/usr/lib/one_too_many.dylib'), /at most 253 libraries/)
  })
})
