import { type Workbench, agree } from '../helpers/agree.ts'

// Which definition a name gets, and what is said when there is none, or two.

const MAIN = '.globl _main\n.p2align 4\n_main: ret\n'
const END = '.subsections_via_symbols\n'

function call(bench: Workbench, ...names: string[]): string {
  const jump = bench.arch === 'arm64' ? 'bl' : 'callq'
  return bench.asm(
    'main',
    `.globl _main\n.p2align 4\n_main:\n${names.map((n) => `${jump} ${n}\n`).join('')} ret\n${END}`,
  )
}

const define = (bench: Workbench, file: string, ...names: string[]) =>
  bench.asm(file, `${names.map((n) => `.globl ${n}\n.p2align 4\n${n}: ret\n`).join('')}${END}`)

agree('a strong definition wins over weak ones, whatever the order', (bench) => {
  const weak = (file: string, value: number) =>
    bench.asm(file, `.globl _x\n.weak_definition _x\n.data\n.p2align 3\n_x: .quad ${value}\n${END}`)
  const strong = bench.asm('strong', `.globl _x\n.data\n.p2align 3\n_x: .quad 9\n${END}`)
  return [call(bench), weak('one', 1), strong, weak('two', 2), 'libSystem.tbd']
})

agree('the first of several weak definitions wins', (bench) => {
  const weak = (file: string, value: number) =>
    bench.asm(file, `.globl _x\n.weak_definition _x\n.data\n.p2align 3\n_x: .quad ${value}\n${END}`)
  return [call(bench), weak('one', 1), weak('two', 2), 'libSystem.tbd']
})

agree('tentative definitions take the largest size and alignment, and give way to a real one', (bench) => {
  const one = bench.asm('one', `.comm _c,8,3\n.comm _d,4,2\n${END}`)
  const two = bench.asm('two', `.comm _c,64,5\n.globl _d\n.data\n_d: .long 7\n${END}`)
  return [call(bench), one, two, 'libSystem.tbd']
})

agree('a tentative definition and a dylib', (bench) => {
  bench.library('libx.dylib', bench.asm('x', `.globl _c\n.data\n_c: .quad 1\n${END}`))
  return [call(bench), bench.asm('one', `.comm _c,8,3\n${END}`), 'libx.dylib', 'libSystem.tbd']
})

agree('a tentative definition and an archive member', (bench) => [
  call(bench),
  bench.asm('one', `.comm _c,8,3\n${END}`),
  bench.archive('libx.a', [bench.asm('x', `.globl _c\n.data\n_c: .quad 1\n${END}`)], 'rcs'),
  'libSystem.tbd',
])

agree('a private extern is linked and not exported', (bench) => [
  '-dylib',
  bench.asm('one', `.private_extern _p\n.globl _p, _q\n_p: ret\n.p2align 4\n_q: ret\n${END}`),
  bench.asm('two', `.globl _r\n.data\n_r: .quad _p\n${END}`),
  'libSystem.tbd',
])

agree('absolute symbols keep their value', (bench) => [
  '-dylib',
  bench.asm('one', `.globl _abs, _q\n_abs = 0xcafe\n.data\n_q: .quad _abs\n${END}`),
  'libSystem.tbd',
])

agree(
  'two absolute symbols of one name are duplicates',
  (bench) => [
    '-dylib',
    bench.asm('one', '.globl _abs\n_abs = 1\n'),
    bench.asm('two', '.globl _abs\n_abs = 1\n'),
    'libSystem.tbd',
  ],
  { status: 1, says: /duplicate symbol: _abs/ },
)

agree('weak references to a dylib are weak imports', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x', '_y'))
  const weak = bench.asm('weak', `.weak_reference _x\n${MAIN}.data\n.p2align 3\n.quad _x\n.quad _y\n${END}`)
  return [weak, 'libx.dylib', 'libSystem.tbd']
})

agree('a library of which only weak references are used is loaded weakly', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x', '_y'))
  const weak = bench.asm('weak', `.weak_reference _x\n${MAIN}.data\n.p2align 3\n.quad _x\n${END}`)
  return [weak, 'libx.dylib', 'libSystem.tbd']
})

agree(
  'a weak reference to nothing is an error',
  (bench) => [bench.asm('weak', `.weak_reference _x\n${MAIN}.data\n.p2align 3\n.quad _x\n${END}`), 'libSystem.tbd'],
  { status: 1, says: /undefined symbol: _x/ },
)

agree('the first dylib that has a name gives it', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x', '_y'))
  bench.library('liby.dylib', define(bench, 'y', '_y', '_z'))
  return [call(bench, '_x', '_y', '_z'), 'liby.dylib', 'libx.dylib', 'libSystem.tbd']
})

agree('an archive and a dylib that both have a name: the first on the command line gives it', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x', '_y'))
  const members = [define(bench, 'a', '_x'), define(bench, 'b', '_z')]
  return [call(bench, '_x', '_y', '_z'), bench.archive('libm.a', members, 'rcs'), 'libx.dylib', 'libSystem.tbd']
})

agree('a dylib before the archive gives it', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x', '_y'))
  const members = [define(bench, 'a', '_x'), define(bench, 'b', '_z')]
  return ['libx.dylib', call(bench, '_x', '_y', '_z'), bench.archive('libm.a', members, 'rcs'), 'libSystem.tbd']
})

agree('members that want members', (bench) => {
  const jump = bench.arch === 'arm64' ? 'bl' : 'callq'
  const a = bench.asm('a', `.globl _a\n.p2align 4\n_a: ${jump} _b\n ret\n${END}`)
  const members = [define(bench, 'c', '_c'), define(bench, 'b', '_b'), a]
  return [call(bench, '_a'), bench.archive('libm.a', members, 'rcs'), 'libSystem.tbd']
})

for (const option of ['-all_load', '-ObjC', '-noall_load']) {
  agree(`${option} and an archive that nobody wants`, (bench) => {
    const objc = bench.asm('objc', `.section __DATA,__objc_catlist\n.quad 0\n${END}`)
    const members = [define(bench, 'a', '_a'), define(bench, 'b', '_b'), objc]
    return [option, call(bench), bench.archive('libm.a', members, 'rcs'), 'libSystem.tbd']
  })
}

agree('-force_load takes all of one archive', (bench) => {
  const one = bench.archive('one.a', [define(bench, 'a', '_a'), define(bench, 'b', '_b')], 'rcs')
  const two = bench.archive('two.a', [define(bench, 'c', '_c')], 'rcs')
  return [call(bench), '-force_load', one, two, 'libSystem.tbd']
})

agree('-load_hidden and -hidden-l make what an archive defines private', (bench) => {
  bench.archive('libone.a', [define(bench, 'a', '_a')], 'rcs')
  bench.archive('libtwo.a', [define(bench, 'b', '_b')], 'rcs')
  return ['-dylib', call(bench, '_a', '_b'), '-load_hidden', 'libone.a', '-L.', '-hidden-ltwo', 'libSystem.tbd']
})

agree('--start-lib and --end-lib treat objects as members', (bench) => [
  call(bench, '_a'),
  '--start-lib',
  define(bench, 'a', '_a'),
  define(bench, 'b', '_b'),
  '--end-lib',
  'libSystem.tbd',
])

agree('N_ALT_ENTRY does not split a block', (bench) => [
  '-dead_strip',
  bench.asm(
    'alt',
    `.globl _main, _inner, _dead\n.p2align 4\n_main: nop\n.alt_entry _inner\n_inner: ret\n.p2align 4\n_dead: ret\n${END}`,
  ),
  'libSystem.tbd',
])

agree('N_NO_DEAD_STRIP keeps a block', (bench) => [
  '-dead_strip',
  bench.asm('keep', `${MAIN}.no_dead_strip _kept\n.p2align 4\n_kept: ret\n.p2align 4\n_dead: ret\n${END}`),
  'libSystem.tbd',
])

agree('.weak_def_can_be_hidden hides unless a plain weak definition is there too', (bench) => {
  const can = (file: string, name: string) =>
    bench.asm(file, `.globl ${name}\n.weak_def_can_be_hidden ${name}\n.p2align 4\n${name}: ret\n${END}`)
  const weak = (file: string, name: string) =>
    bench.asm(file, `.globl ${name}\n.weak_definition ${name}\n.p2align 4\n${name}: ret\n${END}`)
  return ['-dylib', can('one', '_x'), weak('two', '_x'), can('three', '_y'), can('four', '_y'), 'libSystem.tbd']
})

agree('all undefined symbols are reported together', (bench) => [call(bench, '_a', '_b', '_c'), 'libSystem.tbd'], {
  status: 1,
  says: /_a[\s\S]*_b[\s\S]*_c|_c[\s\S]*_b[\s\S]*_a/,
})

agree(
  'all duplicates are reported together',
  (bench) => [call(bench), define(bench, 'one', '_a', '_b'), define(bench, 'two', '_a', '_b'), 'libSystem.tbd'],
  { status: 1, says: /duplicate symbol: _a[\s\S]*duplicate symbol: _b/ },
)

for (const treatment of ['error', 'warning', 'suppress', 'dynamic_lookup']) {
  for (const space of ['-twolevel_namespace', '-flat_namespace']) {
    agree(
      `-undefined ${treatment} ${space}`,
      (bench) => [...['-undefined', treatment, space], call(bench, '_a', '_b'), 'libSystem.tbd'],
      treatment === 'error' ? { status: 1, says: /undefined symbol/ } : { status: -1, says: /.*/ },
    )
  }
}

agree('-undefined with a word that is none of these', (bench) => ['-undefined', 'foo', call(bench), 'libSystem.tbd'], {
  says: /unknown/,
})

agree('-U leaves one name to dyld', (bench) => ['-U', '_a', call(bench, '_a'), 'libSystem.tbd'])

agree('-u wants a name', (bench) => [
  call(bench),
  '-u',
  '_b',
  bench.archive('libm.a', [define(bench, 'a', '_a'), define(bench, 'b', '_b')], 'rcs'),
  'libSystem.tbd',
])

agree('-u of a name that nobody has', (bench) => [call(bench), '-u', '_b', 'libSystem.tbd'], {
  status: 1,
  says: /undefined symbol: _b/,
})

agree('-u of a name of a dylib', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x'))
  return [call(bench), '-u', '_x', 'libx.dylib', 'libSystem.tbd']
})

agree('-e names the entry', (bench) => ['-e', '_start', define(bench, 'start', '_other', '_start'), 'libSystem.tbd'])
agree('-e of a name in a dylib', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x'))
  return ['-e', '_x', define(bench, 'start', '_other'), 'libx.dylib', 'libSystem.tbd']
})
agree('-e of nothing', (bench) => ['-e', '_start', call(bench), 'libSystem.tbd'], {
  status: 1,
  says: /undefined symbol: _start/,
})

for (const flags of [
  ['-exported_symbol', '_a'],
  ['-exported_symbol', '_[ab]', '-exported_symbol', '_c?'],
  ['-unexported_symbol', '_a*'],
  ['-exported_symbol', '_nothing'],
  ['-exported_symbols_list', 'list'],
  ['-unexported_symbols_list', 'list'],
  ['-no_exported_symbols'],
  ['-exported_symbol', '_hidden'],
]) {
  for (const kind of ['-dylib', '-execute']) {
    agree(
      `${flags.join(' ')} ${kind}`,
      (bench) => {
        bench.file('list', '# a comment\n_a\n  _cc  # another\n\n_w*\n')
        const weak = bench.asm(
          'weak',
          `.globl _weak\n.weak_definition _weak\n.p2align 4\n_weak: ret\n.private_extern _hidden\n.globl _hidden\n_hidden: ret\n${END}`,
        )
        return [kind, ...flags, call(bench), define(bench, 'd', '_a', '_b', '_cc', '_a_b'), weak, 'libSystem.tbd']
      },
      { says: /.*/, ...(flags.includes('_nothing') ? { status: 1 } : {}) },
    )
  }
}

agree('-exported_symbol of a name of a dylib re-exports it', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_x', '_y'))
  return [
    '-dylib',
    '-exported_symbol',
    '_x',
    '-exported_symbol',
    '_main',
    call(bench, '_x', '_y'),
    'libx.dylib',
    'libSystem.tbd',
  ]
})

agree('-alias gives a further name', (bench) => [
  '-dylib',
  ...['-alias', '_a', '_alias'],
  define(bench, 'd', '_a', '_b'),
  'libSystem.tbd',
])

// Not with lazy pointers: theirs hold the function itself at first, so that dyld would never look for another.
agree(
  '-interposable',
  (bench) => {
    const jump = bench.arch === 'arm64' ? 'bl' : 'callq'
    return [
      '-dylib',
      '-interposable',
      bench.asm('d', `.globl _a, _b\n.p2align 4\n_a: ${jump} _b\n ret\n.p2align 4\n_b: ret\n${END}`),
      'libSystem.tbd',
    ]
  },
  { once: true },
)

agree('-interposable takes absolute symbols too', (bench) => {
  const load =
    bench.arch === 'arm64'
      ? 'adrp x0, _value@GOTPAGE\n ldr x0, [x0, _value@GOTPAGEOFF]'
      : 'movq _value@GOTPCREL(%rip), %rax'
  return [
    '-dylib',
    '-interposable',
    bench.asm('d', `.globl _a\n.p2align 2\n_a: ${load}\n ret\n.data\n.p2align 3\n.quad _value\n${END}`),
    bench.asm('v', '.globl _value\n_value = 0x1234\n'),
    'libSystem.tbd',
  ]
})

agree('-bundle_loader gives names to a bundle', (bench) => {
  bench.run(
    'ld64.lld-22',
    '-arch',
    bench.arch,
    '-platform_version',
    'macos',
    '13',
    '13',
    '-export_dynamic',
    '-o',
    'host',
    define(bench, 'h', '_main', '_service'),
    'libSystem.tbd',
  )
  return ['-bundle', '-bundle_loader', 'host', call(bench, '_service'), 'libSystem.tbd']
})

agree('boundary symbols stand for starts and ends', (bench) => [
  bench.asm(
    'b',
    `${MAIN}.data\n.p2align 3\n.quad section$start$__DATA$__data\n.quad section$end$__DATA$__data\n.quad segment$start$__TEXT\n.quad segment$end$__TEXT\n.quad section$start$__FOO$__none\n.quad ___dso_handle\n${END}`,
  ),
  'libSystem.tbd',
])
