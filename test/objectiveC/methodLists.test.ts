import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { findSegment, readImage } from '../../src/formats/macho/image.ts'
import { assemble } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { verifyImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'
import { CLASS, objectiveC, RUNTIME, sectionSizes } from './objects.ts'

const SOURCE = `${CLASS}int main() { return 0; }`

/** Symbol addresses by name. */
function addresses(image: string): Map<string, number> {
  const rows = mustRun('llvm-nm-22', [image]).matchAll(/^([0-9a-f]{16}) . (.*)$/gm)
  return new Map([...rows].map((row) => [row[2]!, Number.parseInt(row[1]!, 16)]))
}

/** Header words and, for each method, the addresses that its three distances reach. */
function readList(image: string, address: number) {
  const bytes = readFileSync(image)
  const text = findSegment(readImage(bytes), '__TEXT')!
  const at = address - text.vmAddress + text.fileOffset
  const [entry, count] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)]
  const methods = Array.from({ length: count }, (_, i) =>
    [0, 4, 8].map((field) => address + 8 + i * 12 + field + bytes.readInt32LE(at + 8 + i * 12 + field)),
  )
  return { entry, methods }
}

forEachTarget((target) => {
  test(`method lists of classes become relative (${target.name})`, () => {
    const image = linkFor(target, [objectiveC(target.arch, SOURCE), assemble(target.arch, RUNTIME)])
    verifyImage(target, image)
    const at = addresses(image)
    const { entry, methods } = readList(image, at.get('__OBJC_$_INSTANCE_METHODS_Foo')!)
    assert.equal(entry, 0x8000000c)
    assert.deepEqual(
      methods.map(([, , implementation]) => implementation),
      [at.get('-[Foo one]'), at.get('-[Foo two]')],
    )
    const sizes = sectionSizes(image)
    assert.equal(sizes.get('__objc_methlist'), 2 * 8 + 3 * 12)
    assert.equal(sizes.get('__objc_selrefs'), 3 * 8)
  })

  test(`selectors out of reach of relative lists are an error (${target.name})`, () => {
    const objects = [objectiveC(target.arch, SOURCE), assemble(target.arch, RUNTIME), libSystem]
    const args = [...target.flags, ...objects, '-segaddr', '__DATA', '0x300000000', '-o', join(tempFolder(), 'far')]
    const { status, stderr } = colonnade(args)
    assert.equal(status, 1)
    assert.match(stderr, /a relative method list reaches \d+ bytes, .* use -no_objc_relative_method_lists/)
    assert.equal(colonnade([...args, '-no_objc_relative_method_lists']).stderr, '')
  })

  test(`without relative lists they stay as they are (${target.name})`, () => {
    const objects = [objectiveC(target.arch, SOURCE), assemble(target.arch, RUNTIME)]
    const image = linkFor(target, ['-no_objc_relative_method_lists', ...objects])
    verifyImage(target, image)
    assert.equal(sectionSizes(image).get('__objc_methlist'), undefined)
    assert.equal(sectionSizes(image).get('__objc_selrefs'), undefined)
  })

  test(`a method list whose implementation is in another image stays as it is (${target.name})`, () => {
    const list = `.globl _main
_main: ret
.section __TEXT,__objc_methname,cstring_literals
l_name: .asciz "name"
.section __DATA,__objc_const
.p2align 3
__OBJC_$_INSTANCE_METHODS_Foo: .long 24, 1
.quad l_name, l_name, _puts
`
    const image = linkFor(target, [assemble(target.arch, list)])
    verifyImage(target, image)
    assert.equal(sectionSizes(image).get('__objc_methlist'), undefined)
    assert.equal(sectionSizes(image).get('__objc_const'), 32)
  })
})
