import assert from 'node:assert/strict'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, link } from '../../src/node.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { colonnade, linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { verifyImage } from '../helpers/run.ts'
import { type Arch, forEachTarget, targetOptions } from '../helpers/targets.ts'
import { sectionSizes, symbols } from './objects.ts'

const DECLARATIONS = `
__attribute__((objc_root_class)) @interface Foo @property int own; @end
__attribute__((objc_root_class)) @interface Bar @end
@protocol P0 -(void)p0; @end
@protocol P1 -(void)p1; @end
@protocol P2 -(void)p2; @end
`
const CLASS = `${DECLARATIONS} @interface Foo () <P0> @end
@implementation Foo @dynamic own; -(int)one { return 1; } -(void)p0 {} +(int)three { return 3; } @end`
const TWO = `${DECLARATIONS}
@interface Foo (A) <P1> @property int pa; @property(class) int ca; @end
@implementation Foo (A) @dynamic pa, ca; -(int)a { return 1; } -(void)p1 {} +(int)sa { return 2; } @end
@interface Foo (B) <P2> @property int pb; @end
@implementation Foo (B) @dynamic pb; -(int)b { return 1; } -(void)p2 {} +(int)sb { return 2; } @end`
/** One to merge, one with a +load method, one that is alone. */
const MORE = `${DECLARATIONS}
@interface Foo (C) @end @implementation Foo (C) -(int)c { return 1; } @end
@interface Foo (L) @end @implementation Foo (L) +(void)load {} -(int)l { return 1; } @end
@interface Bar (Z) @end @implementation Bar (Z) -(int)z { return 1; } @end`

/** As Swift lays classes out: within a larger block, with a flag in the pointer to class_ro_t. */
const SWIFT = `.subsections_via_symbols
_code: ret
.section __TEXT,__objc_classname,cstring_literals
l_foo: .asciz "Foo"
.section __DATA,__objc_const
.p2align 3
__DATA_Foo: .long 128, 8, 8, 0
.quad 0, l_foo, 0, 0, 0, 0, 0
.p2align 3
__METACLASS_DATA_Foo: .long 129, 40, 40, 0
.quad 0, l_foo, 0, 0, 0, 0, 0
.section __DATA,__objc_data
.p2align 3
_OBJC_METACLASS_$_Foo: .quad 0, 0, 0, 0, __METACLASS_DATA_Foo
.p2align 3
_whole: .quad _code, 0
.globl _OBJC_CLASS_$_Foo
.alt_entry _OBJC_CLASS_$_Foo
_OBJC_CLASS_$_Foo: .quad _OBJC_METACLASS_$_Foo, 0, 0, 0, __DATA_Foo+2, 7
.section __DATA,__objc_classlist,regular,no_dead_strip
.p2align 3
l_classes: .quad _OBJC_CLASS_$_Foo
`

const objc = (arch: Arch, name: string, source: string) => compile(arch, source, { language: 'objc', name })

/** With symbols for strings, as arm64 has them: ld64.lld merges nothing without them. */
function withStringSymbols(arch: Arch, source: string): string {
  const text = readFileSync(compile(arch, source, { language: 'objc', flags: ['-S'] }), 'utf8')
  return assemble(arch, text.replaceAll(/\bL_OBJC_/g, 'l_OBJC_'))
}

const empty = (arch: Arch) =>
  assemble(arch, '_code: ret\n.globl __objc_empty_cache\n.data\n__objc_empty_cache: .quad 0\n')
const categories = (arch: Arch) => [objc(arch, 'two', TWO), objc(arch, 'more', MORE)]
const OPTIONS = ['-dylib', '-install_name', 'x', '-undefined', 'dynamic_lookup', '-objc_category_merging']

/** What llvm-objdump says of classes and categories, without addresses. */
function metadata(image: string): string {
  const text = mustRun('llvm-objdump-22', ['--macho', '--objc-meta-data', image])
  const lines = text.split('\n').slice(1)
  return lines.map((line) => line.replaceAll(/0x[0-9a-f]+/g, '0x').replace(/^[0-9a-f]{16}/, 'at')).join('\n')
}

/** Names of methods in the lists of an image's classes and categories, not of its protocols: a list a line, in order. */
function methods(image: string): string[] {
  const lists: string[][] = []
  let list: string[] = []
  for (const line of metadata(image).split('\n')) {
    if (/^[ \t]*(\w+Methods|\w*[pP]rotocols|\w*[pP]ropert\w+) 0x/.test(line)) list = []
    if (/^ +(baseMethods 0x \(struct|(instance|class)Methods 0x$)/.test(line)) lists.push(list)
    const name = /^\t\t *name 0x(?: \(0x\))? (\w+)$/.exec(line)
    if (name !== null) list.push(name[1]!)
  }
  return lists.map((names) => names.join(' '))
}

/** Both linkers' output of the same arguments. */
function both(flags: readonly string[], args: readonly string[]): [own: string, other: string] {
  const [own, other] = [join(tempFolder(), 'x.dylib'), join(tempFolder(), 'x.dylib')]
  const done = colonnade([...flags, ...OPTIONS, ...args, '-o', own])
  assert.deepEqual([done.status, done.stderr], [0, ''])
  assert.equal(lld([...flags, ...OPTIONS, ...args, '-o', other]).status, 0)
  return [own, other]
}

forEachTarget((target) => {
  const { arch, flags } = target

  for (const lists of ['-objc_relative_method_lists', '-no_objc_relative_method_lists']) {
    test(`categories of a class of another image become one (${target.name}, ${lists})`, () => {
      const image = linkFor(target, [...OPTIONS, lists, ...categories(arch)])
      verifyImage(target, image)
      assert.equal(sectionSizes(image).get('__objc_catlist'), 3 * 8)
      const names = symbols(image)
      assert.ok(names.includes('s __OBJC_$_CATEGORY_Foo(A|B|C)'))
      assert.ok(!names.some((name) => /_Foo_\$_[ABC]$/.test(name)))
      assert.ok(names.includes('s __OBJC_$_CATEGORY_Foo_$_L'))
      if (target.fixups === 'opcodes') assert.deepEqual(methods(image).slice(0, 2), ['a p1 b p2 c', 'sa sb'])
    })

    test(`categories of a class of the image become part of it (${target.name}, ${lists})`, () => {
      const [two, more] = categories(arch)
      const image = linkFor(target, [...OPTIONS, lists, two!, objc(arch, 'class', CLASS), more!, empty(arch)])
      verifyImage(target, image)
      assert.equal(sectionSizes(image).get('__objc_catlist'), 2 * 8)
      const names = symbols(image)
      assert.ok(!names.some((name) => /CATEGORY_Foo\(|_Foo_\$_[ABC]$|METHODS_Foo$/.test(name)))
      assert.ok(names.includes('s __OBJC_CLASS_RO_$_Foo'))
      if (target.fixups === 'opcodes')
        assert.deepEqual(methods(image).slice(0, 2), ['a p1 b p2 c one p0', 'sa sb three'])
    })
  }

  test(`merged categories are the same with dead stripping (${target.name})`, () => {
    const objects = [objc(arch, 'class', CLASS), ...categories(arch), empty(arch)]
    const [image, stripped] = [[], ['-dead_strip']].map((more) => linkFor(target, [...OPTIONS, ...more, ...objects]))
    verifyImage(target, stripped!)
    assert.equal(metadata(stripped!), metadata(image!))
  })

  test(`an executable has its categories merged too (${target.name})`, () => {
    const main = compile(arch, 'int main(void) { return 0; }', { name: 'main' })
    const args = ['-undefined', 'dynamic_lookup', '-objc_category_merging', main, objc(arch, 'class', CLASS)]
    const image = linkFor(target, [...args, ...categories(arch), empty(arch)])
    verifyImage(target, image)
    assert.equal(sectionSizes(image).get('__objc_catlist'), 2 * 8)
  })

  test(`categories of a weak class, which another image may replace, stay categories (${target.name})`, () => {
    const weak = `_code: ret
.section __DATA,__objc_data
.globl _OBJC_CLASS_$_Foo
.weak_definition _OBJC_CLASS_$_Foo
.p2align 3
_OBJC_CLASS_$_Foo: .quad 0, 0, 0, 0, 0
`
    const image = linkFor(target, [...OPTIONS, ...categories(arch), assemble(arch, weak)])
    verifyImage(target, image)
    assert.ok(symbols(image).includes('s __OBJC_$_CATEGORY_Foo(A|B|C)'))
    const binds = mustRun('llvm-objdump-22', ['--macho', '--weak-bind', '--dyld-info', image])
    assert.match(binds, /__objc_const.*_OBJC_CLASS_\$_Foo/)
  })

  test(`nothing is merged unless asked for (${target.name})`, () => {
    const args = ['-dylib', '-install_name', 'x', '-undefined', 'dynamic_lookup', ...categories(arch)]
    const [plain, off] = [
      linkFor(target, args),
      linkFor(target, [...OPTIONS, '-no_objc_category_merging', ...categories(arch)]),
    ]
    assert.deepEqual(readFileSync(off), readFileSync(plain))
    assert.equal(sectionSizes(plain).get('__objc_catlist'), 5 * 8)
  })

  test(`a rebuild with merged categories equals a fresh link (${target.name})`, async () => {
    const folder = tempFolder()
    const put = (name: string, object: string) => copyFileSync(object, join(folder, `${name}.o`))
    const plain = (value: number) => compile(arch, `int plain(void) { return ${value}; }`, { name: 'plain' })
    put('plain', plain(1))
    put('class', objc(arch, 'class', CLASS))
    put('two', objc(arch, 'two', TWO))
    for (const layout of ['tight', 'padded'] as const) {
      const session = context({
        ...targetOptions(target),
        outputType: 'dylib',
        undefined: 'dynamic_lookup',
        objcCategoryMerging: true,
        layout,
        checkPatches: true,
        inputs: [
          ...['plain', 'class', 'two'].map((name) => join(folder, `${name}.o`)),
          ...categories(arch).slice(1),
          libSystem,
        ],
        output: join(folder, `${layout}.dylib`),
      })
      put('plain', plain(1))
      await session.rebuild()
      put('plain', plain(2))
      assert.equal((await session.rebuild()).mode, 'patch')
      put('plain', compile(arch, 'int plain(void) { return 1; } int more(int x) { return x * 3; }', { name: 'plain' }))
      assert.equal((await session.rebuild()).mode, 'warm')
      put(
        'two',
        objc(arch, 'two', TWO.replace('-(int)b { return 1; }', '-(int)b { return 1; } -(int)bb { return 2; }')),
      )
      assert.equal((await session.rebuild()).mode, 'warm')
      put('two', objc(arch, 'two', TWO))
      assert.equal((await session.rebuild()).mode, 'warm')
      verifyImage(target, join(folder, `${layout}.dylib`))
      await session.dispose()
    }
  })

  test(`merged categories are the same on any number of threads (${target.name})`, async () => {
    const images: Uint8Array[] = []
    for (const threads of [1, 2]) {
      const { outputFiles } = await link({
        ...targetOptions(target),
        outputType: 'dylib',
        undefined: 'dynamic_lookup',
        objcCategoryMerging: true,
        threads,
        ...(threads > 1 ? { threadsFrom: 0 } : {}),
        inputs: [...categories(arch), objc(arch, 'class', CLASS)],
        output: 'x.dylib',
        write: false,
      })
      images.push(outputFiles![0]!.contents)
    }
    assert.deepEqual(images[1], images[0])
  })

  test(`a map has what was merged under its new name (${target.name})`, () => {
    const map = join(tempFolder(), 'map')
    linkFor(target, [...OPTIONS, '-map', map, ...categories(arch)])
    const text = readFileSync(map, 'utf8')
    assert.match(text, /\t__OBJC_\$_CATEGORY_Foo\(A\|B\|C\)$|\] __OBJC_\$_CATEGORY_Foo\(A\|B\|C\)$/m)
    assert.equal(text.split('\n').filter((line) => line.endsWith('-[Foo(A) a]')).length, 1)
  })

  test(`a class that lies within a block takes its categories in as with ld64.lld (${target.name})`, () => {
    const objects = [assemble(arch, SWIFT), ...[TWO, MORE].map((source) => withStringSymbols(arch, source))]
    const [own, other] = both(flags, ['-no_objc_relative_method_lists', ...objects])
    verifyImage(target, own)
    assert.equal(metadata(own), metadata(other))
    assert.equal(sectionSizes(own).get('__objc_catlist'), 2 * 8)
  })

  test(`what classes and categories are told of is as ld64.lld merges them (${target.name})`, () => {
    const objects = [...[TWO, MORE, CLASS].map((source) => withStringSymbols(arch, source)), empty(arch)]
    for (const part of [objects, objects.slice(0, 2), objects.slice(0, 3)]) {
      for (const lists of ['-objc_relative_method_lists', '-no_objc_relative_method_lists']) {
        const [own, other] = both(flags, [lists, ...part])
        assert.equal(metadata(own), metadata(other))
      }
    }
  })
})
