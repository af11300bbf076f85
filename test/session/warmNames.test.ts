// Warm rebuilds whose names keep their rows, which a fresh link gives other names: nothing in the output may tell one from the other.
import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { context } from '../../src/node.ts'
import type { LinkOptions, RebuildResult } from '../../src/types.ts'
import { archive, assemble, compile } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage } from '../helpers/run.ts'
import { forEachTarget, targetOptions, type Target } from '../helpers/targets.ts'

function createProgram(target: Target, names: readonly string[], more: Partial<LinkOptions> = {}) {
  const folder = tempFolder()
  const path = (name: string): string => join(folder, `${name}.o`)
  const options: LinkOptions & { output: string } = {
    ...targetOptions(target),
    output: join(folder, 'out'),
    checkPatches: true,
    ...more,
    inputs: [...names.map(path), ...(more.inputs ?? []), libSystem],
  }
  const put = (name: string, source: string): void => {
    const make = source.startsWith('.') ? assemble : compile
    copyFileSync(make(target.arch, source, { name }), path(name))
  }
  const session = context(options)
  const isMode = async (mode: string): Promise<RebuildResult> => {
    const result = await session.rebuild()
    assert.equal(result.mode, mode, result.reason)
    return result
  }
  return { session, put, isMode, run: () => runImage(target, options.output) }
}

const WEAK = 'int shared(int x) { return x; }'
const LOSES = `__attribute__((weak)) ${WEAK}`

forEachTarget((target) => {
  test(`stubs that send messages stand as in a fresh link, whoever mentions them first (${target.name})`, async () => {
    const sends = (...selectors: string[]): string =>
      `${selectors.map((name, i) => `void *send${i}(void *) __asm("_objc_msgSend$${name}");`).join(' ')}
       void *NAME(void *o) { return ${selectors.map((_, i) => `send${i}(`).join('')}o${')'.repeat(selectors.length)}; }`
    const { session, put, isMode } = createProgram(target, ['one', 'two', 'main'], { inputs: [{ library: 'objc' }] })
    put('main', 'int main(void) { return 0; }')
    put('one', sends('late', 'early').replace('NAME', 'one'))
    put('two', sends('more', 'early').replace('NAME', 'two'))
    await isMode('full')
    put('one', sends('early', 'other', 'more').replace('NAME', 'one'))
    await isMode('warm')
    put('two', sends('late', 'early', 'other').replace('NAME', 'two'))
    await isMode('warm')
    await session.dispose()
  })

  test(`sections whose boundaries are asked for stand as in a fresh link (${target.name})`, async () => {
    const asks = (name: string, ...bounds: string[]): string =>
      `${bounds.map((bound, i) => `extern char b${i} __asm("${bound}");`).join(' ')}
       char *${name}(void) { return ${bounds.map((_, i) => `&b${i}`).join(' - (long)')}; }`
    const { session, put, isMode, run } = createProgram(target, ['one', 'two', 'main'])
    const [a, b, c] = ['section$start$__DATA$__a', 'section$start$__MORE$__b', 'section$end$__DATA$__c']
    put('main', 'int main(void) { return 0; }')
    put('one', `${asks('one', a)} ${LOSES}`)
    put('two', asks('two', b, c))
    await isMode('full')
    put('one', asks('one', c, 'segment$start$__OWN', b, a))
    await isMode('warm')
    put('one', `${asks('one', 'segment$end$__MINE', c)} ${LOSES}`)
    await isMode('warm')
    put('two', `${asks('two', a, b, 'segment$end$__OWN')} ${WEAK}`)
    await isMode('warm')
    assert.equal(run().status, 0)
    await session.dispose()
  })

  test(`members that are taken over keep their rows when all objects are new to several threads (${target.name})`, async () => {
    const names = Array.from({ length: 16 }, (_, i) => `part${i}`)
    const packed = archive(
      'members.a',
      [compile(target.arch, 'int member(int x) { return x + 7; }', { name: 'member' })],
      'rcs',
    )
    const { session, put, isMode, run } = createProgram(target, names, { threads: 2, threadsFrom: 1, inputs: [packed] })
    const part = (i: number, definition: string): string =>
      i === 0
        ? `int shared(int), member(int); int main(void) { return member(shared(1)); } ${definition}`
        : `int part${i}(void) { return ${i}; } ${definition}`
    for (const [i, name] of names.entries()) put(name, part(i, LOSES))
    await isMode('full')
    assert.equal(run().status, 8)
    for (const [i, name] of names.entries())
      put(name, part(i, i === 5 ? WEAK.replace('x;', 'x * 4;') : LOSES.replace('x;', 'x * 2;')))
    await isMode('warm')
    assert.equal(run().status, 11)
    await session.dispose()
  })

  test(`members of archives that are wanted in turn have the rows of a fresh link (${target.name})`, async () => {
    const members = ['first', 'second'].map((name, i) =>
      compile(target.arch, `int ${name}_data[3] = { 1, ${i} }; int ${name}(int x) { return x + ${name}_data[0]; }`, {
        name,
      }),
    )
    const { session, put, isMode, run } = createProgram(target, ['main', 'one'], {
      inputs: [archive('members.a', members, 'rcs')],
    })
    const one = (body: string): string => `int first(int), second(int); int one(int x) { return ${body}; }`
    put('main', `int one(int); int main(void) { return one(1); } ${LOSES}`)
    put('one', one('first(x)'))
    await isMode('full')
    for (const [body, status] of [
      ['second(x) * 2', 4],
      ['x + 4', 5],
      ['first(second(x))', 3],
      ['second(x)', 2],
      ['first(x) * 3', 6],
    ] as const) {
      put('one', one(body))
      await isMode('warm')
      assert.equal(run().status, status)
      put('main', `int one(int); int main(void) { return one(1); } ${WEAK}`)
      await session.rebuild()
      put('main', `int one(int); int main(void) { return one(1); } ${LOSES}`)
      await session.rebuild()
      assert.equal(run().status, status)
    }
    await session.dispose()
  })

  for (const deadStrip of [false, true])
    test(`a rebuild after one that failed is right, and so is a patch then${deadStrip ? ', with dead code stripped' : ''} (${target.name})`, async () => {
      const { session, put, isMode, run } = createProgram(target, ['main', 'one', 'two'], { deadStrip })
      const one = (plus: string): string => `int shared(int); int one(int x) { return shared(x) ${plus}; }`
      put('main', `int one(int), two(int); int main(void) { return one(1) * 10 + two(1); }`)
      put('one', one('+ 1'))
      put('two', `${LOSES} int two(int x) { return shared(x) + 2; }`)
      await isMode('full')
      put('two', `${WEAK} int two(int x) { return shared(x) + 2; }`)
      await isMode('warm')
      put('one', `int missing(int), others(int); ${one('+ missing(x) + others(x)')}`)
      put('two', `${LOSES} int two(int x) { return shared(x) + 3; }`)
      await assert.rejects(session.rebuild(), /undefined symbol/)
      assert.equal(run().status, 23)
      put('one', `int missing(int x) { return 4; } ${one('+ missing(x)')}`)
      await session.rebuild()
      assert.equal(run().status, 54)
      put('one', `int missing(int x) { return 5; } ${one('+ missing(x)')}`)
      await isMode('patch')
      assert.equal(run().status, 64)
      put('two', `${WEAK} int two(int x) { return shared(x) + 2; }`)
      await isMode('warm')
      assert.equal(run().status, 63)
      await session.dispose()
    })

  test(`strong definitions that override those of a library are listed as in a fresh link (${target.name})`, async () => {
    const weak = (name: string): string => `.globl _${name}\n.weak_definition _${name}\n_${name}: .quad 1\n`
    const library = linkFor(target, [
      '-dylib',
      assemble(
        target.arch,
        `.data\n.p2align 3\n${['low', 'mid', 'high'].map(weak).join('')}.subsections_via_symbols\n`,
      ),
      libSystem,
    ])
    const { session, put, isMode } = createProgram(target, ['main', 'one'], { inputs: [library] })
    put('main', `int main(void) { return 0; } ${LOSES}`)
    put('one', 'long high, low;')
    await isMode('full')
    put('main', `int main(void) { return 0; } ${WEAK} long mid;`)
    put('one', `long low, high; ${LOSES}`)
    await isMode('warm')
    put('main', `long high; int main(void) { return 0; } ${LOSES}`)
    put('one', `long mid, low; ${WEAK}`)
    await isMode('warm')
    await session.dispose()
  })

  test(`imports come, lose their last mention and come again in warm rebuilds (${target.name})`, async () => {
    const { session, put, isMode, run } = createProgram(target, ['main', 'one', 'two'])
    const main = `int atoi(const char *), one(void), two(void); int main(void) { return one() + two() + atoi("1"); }`
    const turns = [
      [
        'one',
        `unsigned long strlen(const char *); int abs(int); int one(void) { return abs(-1) + strlen("ab"); } ${LOSES}`,
      ],
      [
        'two',
        `int puts(const char *), printf(const char *, ...); int two(void) { puts(""); printf(""); return 2; } ${WEAK}`,
      ],
      ['one', `int printf(const char *, ...); int one(void) { printf(""); return 3; } ${LOSES}`],
      ['two', `unsigned long strlen(const char *); int two(void) { return strlen("abc"); } ${LOSES}`],
      ['one', `int abs(int); int one(void) { return abs(-3); } __attribute__((common)) int pool, more[4];`],
      [
        'two',
        `int puts(const char *); int two(void) { puts(""); return 3; } __attribute__((common)) int more[8], pool, less;`,
      ],
      ['one', `int one(void) { return 3; } ${WEAK}`],
    ]
    put('main', main)
    put('one', 'int one(void) { return 1; }')
    put('two', 'int two(void) { return 1; }')
    await isMode('full')
    for (const [name, source] of turns) {
      put(name, source)
      const { mode, reason } = await session.rebuild()
      assert.notEqual(mode, 'full', reason)
    }
    assert.equal(run().status, 7)
    await session.dispose()
  })
})

forEachTarget((target) => {
  test(`an import that comes again after warm rebuilds without it is a patch (${target.name})`, async () => {
    const { session, put, isMode, run } = createProgram(target, ['main', 'one', 'two'])
    const one = (name: string): string => `int getpid(void), rand(void); int one(void) { ${name}(); return 3; }`
    put('main', 'int rand(void), one(void), two(void); int main(void) { rand(); return one() + two(); }')
    put('one', one('rand'))
    put('two', `int two(void) { return 1; } ${WEAK}`)
    await isMode('full')
    put('one', one('getpid'))
    await isMode('patch')
    put('two', `int two(void) { return 1; } ${LOSES}`)
    await isMode('warm')
    put('one', one('rand'))
    await isMode('patch')
    put('two', `int two(void) { return 1; } ${WEAK}`)
    await isMode('warm')
    put('one', one('getpid'))
    await isMode('patch')
    assert.equal(run().status, 4)
    await session.dispose()
  })
})

const LOAD = {
  arm64: ' adrp x0, _fixed@GOTPAGE\n ldr x0, [x0, _fixed@GOTPAGEOFF]\n lsr x0, x0, #12\n ret\n',
  x86_64: ' movq _fixed@GOTPCREL(%rip), %rax\n shrq $12, %rax\n ret\n',
}

forEachTarget((target) => {
  test(`an absolute value that is loaded from its slot follows edits (${target.name})`, async () => {
    const { session, put, run } = createProgram(target, ['value', 'main'])
    const value = (number: number, more = ''): string =>
      `.subsections_via_symbols\n.globl _fixed\n_fixed = ${number} << 12\n.data\n.globl _number\n_number: .long ${number}\n${more}`
    put(
      'main',
      `.globl _main\n.p2align 2\n_main:\n${LOAD[target.arch]}.data\n.p2align 3\n.globl _pointer\n_pointer: .quad _fixed\n`,
    )
    put('value', value(42))
    await session.rebuild()
    assert.equal(run().status, 42)
    const modes: string[] = []
    for (const [number, more] of [
      [43, ''],
      [44, '.globl _other\n_other = 5\n'],
      [45, '.quad _fixed\n'],
      [46, ''],
    ] as const) {
      put('value', value(number, more))
      modes.push((await session.rebuild()).mode)
      assert.equal(run().status, number)
    }
    put('value', `${value(0).replace(/.globl _fixed\n_fixed = .*\n/, '')}.p2align 12\n.globl _fixed\n_fixed: .long 1\n`)
    modes.push((await session.rebuild()).mode)
    put('value', value(47))
    modes.push((await session.rebuild()).mode)
    assert.equal(run().status, 47)
    assert.ok(!modes.includes('full') && !modes.includes('noop'), modes.join(' '))
    await session.dispose()
  })
})
