import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { assemble } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'
import { sectionLines } from './objects.ts'

const MAIN = '.globl _main\n_main: ret\n'
const info = (...words: number[]): string => `.section __DATA,__objc_imageinfo\n.long ${words.join()}\n`

forEachTarget((target) => {
  test(`image infos of all files become one (${target.name})`, () => {
    const objects = [MAIN + info(0, 0x540), info(0, 0x40), info(0, 0x540)].map((text) => assemble(target.arch, text))
    const image = linkFor(target, objects)
    assert.match(
      sectionLines(image, '__DATA_CONST', '__objc_imageinfo').join(),
      /00000000 00000540|00 00 00 00 40 05 00 00/,
    )
  })
})

const target = createTarget('x86_64', 'opcodes')

function linkInfos(...texts: string[]) {
  const objects = texts.map((text, i) => assemble('x86_64', text, { name: `file${i}` }))
  return colonnade([...target.flags, '-o', join(tempFolder(), 'out'), ...objects, libSystem])
}

test('class properties of categories are promised only when every file has them', () => {
  const image = linkFor(target, [assemble('x86_64', MAIN + info(0, 0x40)), assemble('x86_64', info(0, 0))])
  assert.match(sectionLines(image, '__DATA_CONST', '__objc_imageinfo').join(), /00 00 00 00 00 00 00 00/)
})

test('files of different Swift versions do not link', () => {
  const { status, stderr } = linkInfos(MAIN + info(0, 0x540), info(0, 0x740))
  assert.equal(status, 1)
  assert.match(stderr, /Swift version mismatch: .*file0\.o has version 4\.0 but .*file1\.o has version 0x7/)
})

test('an image info that is too short or of another version is warned about', () => {
  const { status, stderr } = linkInfos(MAIN + info(0), info(1, 0x40))
  assert.equal(status, 0)
  assert.match(stderr, /warning: .*file0\.o: invalid __objc_imageinfo size/)
  assert.match(stderr, /warning: .*file1\.o: invalid __objc_imageinfo version/)
})
