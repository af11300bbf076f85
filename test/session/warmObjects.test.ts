import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context } from '../../src/node.ts'
import type { LinkOptions } from '../../src/types.ts'
import { assemble, compile } from '../helpers/clang.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { archs, createTarget, MACOS_13, type Target } from '../helpers/targets.ts'

/** A session over objects that are written to `folder` by name. */
function createObjects(target: Target, names: readonly string[], more: Partial<LinkOptions> = {}) {
  const folder = tempFolder()
  const path = (name: string) => join(folder, `${name}.o`)
  const options: LinkOptions & { output: string } = {
    arch: target.arch,
    platform: MACOS_13,
    output: join(folder, 'out'),
    checkPatches: true,
    ...more,
    inputs: [...names.map(path), ...(more.inputs ?? []), libSystem],
  }
  const put = (name: string, source: string, os = 'macos13') => {
    const make = source.startsWith('.') ? assemble : compile
    copyFileSync(make(target.arch, source, { name, os, language: source.startsWith('.') ? 'asm' : 'c' }), path(name))
  }
  const run = () => runImage(target, options.output).stdout.trim()
  return { options, put, run, folder, session: context(options) }
}

const aliased = (value: number) => `.subsections_via_symbols
.text
.p2align 2
.globl _code
_code: ret
.section __DATA,__data
.globl _real
.p2align 2
_real: .long ${value}
.globl _constant
_constant = ${value + 1}
.globl _zero
_zero = 0
.globl _other
.set _other, _real
`

for (const arch of archs) {
  const target = createTarget(arch, 'chained')

  test(`absolute symbols and other names of symbols follow warm rebuilds (${arch})`, async () => {
    const { put, run, session } = createObjects(target, ['main', 'names', 'weak', 'strong'])
    const main = (
      plus: string,
    ) => `int printf(const char *, ...); extern int other, real; extern char constant[], zero[];
      int which(void); int main(void) { printf("%d %d %d %d\\n", real, other, (int)(constant - zero), which()${plus}); }`
    put('main', main(''))
    put('names', aliased(4))
    put('weak', '__attribute__((weak)) int which(void) { return 1; }')
    put('strong', 'int strong(void) { return 0; }')
    await session.rebuild()
    assert.equal(run(), '4 4 5 1')
    put('strong', 'int which(void) { return 2; }')
    assert.equal((await session.rebuild()).mode, 'warm')
    assert.equal(run(), '4 4 5 2')
    put('names', aliased(7))
    const { mode } = await session.rebuild()
    assert.notEqual(mode, 'full')
    assert.equal(run(), '7 7 8 2')
    put('strong', 'int strong(void) { return 0; }')
    assert.equal((await session.rebuild()).mode, 'warm')
    assert.equal(run(), '7 7 8 1')
    await session.dispose()
  })

  test(`an order file and call profiles lead warm rebuilds as they lead links (${arch})`, async () => {
    const orderFile = join(tempFolder(), 'order')
    writeFileSync(orderFile, '_late\n_main\n_early\n')
    const { put, run, session } = createObjects(target, ['main', 'late', 'early'], { orderFile })
    const main =
      'int printf(const char *, ...); int late(void), early(void); int main(void) { printf("%d %d\\n", late(), early()); }'
    put('main', main)
    put('late', 'int late(void) { return 1; }')
    put('early', 'int early(void) { return 2; }')
    await session.rebuild()
    put('late', 'int more(int x) { return x * 3; } int late(void) { return more(5); }')
    const { mode, reason } = await session.rebuild()
    assert.deepEqual([mode, /; the order of the code may change$/.test(reason)], ['warm', true], reason)
    assert.equal(run(), '15 2')
    writeFileSync(orderFile, '_early\n_more\n')
    assert.equal((await session.rebuild()).mode, 'warm')
    assert.equal(run(), '15 2')
    await session.dispose()
  })

  test(`a warning of an object that is taken over is given again (${arch})`, async () => {
    const { put, session } = createObjects(target, ['main', 'newer'])
    put('main', 'int newer(void); int main(void) { return newer(); }')
    put('newer', 'int newer(void) { return 1; }', 'macos14')
    const first = await session.rebuild()
    assert.equal(first.warnings.length, 1)
    put('main', 'int newer(void), more; int main(void) { return newer() + more; } __attribute__((common)) int more;')
    const { mode, warnings } = await session.rebuild()
    assert.equal(mode, 'warm')
    assert.deepEqual(warnings, first.warnings)
    await session.dispose()
  })

  test(`Objective-C data of objects that are taken over is that of a fresh link (${arch})`, async () => {
    const classes = (value: number, methods: string) => `
      __attribute__((objc_root_class)) @interface Thing + (int)value; + (int)other; @end
      @implementation Thing + (int)value { return ${value}; } + (int)other { return 2; } ${methods} @end`
    const { options, session } = createObjects(target, ['main', 'thing'], { inputs: [{ library: 'objc' }] })
    const objects = options.inputs as string[]
    const put = (name: string, source: string) =>
      copyFileSync(compile(arch, source, { name, language: 'objc', os: 'macos13' }), objects[name === 'main' ? 0 : 1])
    put(
      'main',
      'int printf(const char *, ...); @interface Thing + (int)value; + (int)other; @end void *send(void *) __asm("_objc_msgSend$run"), *more(void *) __asm("_objc_msgSend$more"); int main(void) { more(send(0)); printf("%d\\n", [Thing value] + [Thing other]); }',
    )
    put('thing', classes(1, ''))
    await session.rebuild()
    for (const [value, methods] of [
      [3, '+ (int)more { return 5; }'],
      [4, '- (void)instance {} + (int)more { return [self value]; }'],
      [5, ''],
    ] as const) {
      put('thing', classes(value, methods))
      const { mode, reason } = await session.rebuild()
      assert.notEqual(mode, 'full', reason)
      verifyImage(target, options.output)
    }
    await session.dispose()
  })

  test(`bytes of replaced versions do not gather for ever (${arch})`, async () => {
    const { put, session, options } = createObjects(target, ['main', 'large', 'weak'])
    put('main', 'int which(void); int main(void) { return which(); }')
    put('weak', '__attribute__((weak)) int which(void) { return 1; }')
    const large = (
      step: number,
    ) => `${step % 2 === 0 ? '' : '__attribute__((weak)) '}int which(void) { return ${step}; }
      const char room[${8 << 20}] = { ${step} }; __attribute__((used)) static const char *p = room;`
    put('large', large(0))
    await session.rebuild()
    const modes = []
    for (let step = 1; step < 8; step++) {
      put('large', large(step))
      modes.push((await session.rebuild()).mode)
    }
    assert.ok(modes.includes('full') && modes.filter((mode) => mode === 'warm').length >= 4, modes.join(' '))
    assert.ok(readFileSync(options.output).length > 8 << 20)
    await session.dispose()
  })
}
