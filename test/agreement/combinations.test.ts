import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { agree, type Workbench } from '../helpers/agree.ts'

// Kinds of definitions, libraries and options that rarely meet.

const MAIN = '.globl _main\n.p2align 4\n_main: ret\n'
const END = '.subsections_via_symbols\n'

function call(bench: Workbench, ...names: string[]): string {
  const jump = bench.arch === 'arm64' ? 'bl' : 'callq'
  return bench.asm('main', `${MAIN}_calls:\n${names.map((n) => `${jump} ${n}\n`).join('')} ret\n${END}`)
}

const define = (bench: Workbench, file: string, ...names: string[]) =>
  bench.asm(file, `${names.map((n) => `.globl ${n}\n.p2align 4\n${n}: ret\n`).join('')}${END}`)

const stub = (bench: Workbench, name: string, symbols: string, weak = '') =>
  bench.file(
    `lib${name}.tbd`,
    `--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\ninstall-name: /usr/lib/lib${name}.dylib\nexports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ ${symbols} ]\n    weak-symbols: [ ${weak} ]\n...\n`,
  )

const PREVIOUS = "'$ld$previous$/usr/lib/libold.dylib$$1$10.0$14.0$_moved$'"

agree('a library of which symbols have moved is loaded while nobody refers to those', (bench) => [
  call(bench, '_puts'),
  stub(bench, 'new', `_moved, _stays, ${PREVIOUS}`),
  'libSystem.tbd',
])

agree('the library that they were in stands in for it when somebody does', (bench) => [
  call(bench, '_moved'),
  stub(bench, 'new', `_moved, _stays, ${PREVIOUS}`),
  'libSystem.tbd',
])

agree('both are loaded when both are referred to', (bench) => [
  call(bench, '_moved', '_stays'),
  stub(bench, 'new', `_moved, _stays, ${PREVIOUS}`),
  'libSystem.tbd',
])

agree('what -exported_symbol passes on is weak or thread-local if it was', (bench) => {
  const library = `--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\ninstall-name: /usr/lib/libkinds.dylib\nexports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ _plain ]\n    weak-symbols: [ _soft ]\n    thread-local-symbols: [ _own ]\n...\n`
  const wanted = ['_plain', '_soft', '_own'].flatMap((name) => ['-exported_symbol', name])
  return ['-dylib', ...wanted, call(bench, '_puts'), bench.file('libkinds.tbd', library), 'libSystem.tbd']
})

agree('of a weak and a strong one the strong one is passed on', (bench) => [
  '-dylib',
  ...['-exported_symbol', '_both'],
  call(bench, '_puts'),
  stub(bench, 'weak', '', '_both'),
  stub(bench, 'strong', '_both'),
  'libSystem.tbd',
])

agree('names that options want are the first undefined ones', (bench) => {
  bench.library('libx.dylib', define(bench, 'x', '_a', '_b', '_c'))
  return ['-u', '_c', call(bench, '_a', '_b'), 'libx.dylib', 'libSystem.tbd']
})

agree(
  'a name that is exported twice is missed once',
  (bench) => ['-dylib', ...['-exported_symbol', '_no', '-exported_symbol', '_no'], call(bench), 'libSystem.tbd'],
  { status: 1, says: /referenced by -exported_symbol/ },
)

agree(
  'a suggestion says which object holds a tentative definition',
  (bench) => [call(bench, '_cloud'), bench.asm('c', `.comm _clouds,4,2\n${END}`), 'libSystem.tbd'],
  { status: 1, says: /did you mean: _clouds\n>>> defined in: c\.o/ },
)

agree(
  '-why_load tells of objects between --start-lib and --end-lib, and of members, also when the link fails',
  (bench) => {
    const jump = bench.arch === 'arm64' ? 'bl' : 'callq'
    const b = bench.asm('b', `.globl _b\n.p2align 4\n_b: ${jump} _missing\n ret\n${END}`)
    const library = bench.archive('liba.a', [define(bench, 'a', '_a')], 'rcs')
    return ['-why_load', call(bench, '_a', '_b'), library, '--start-lib', b, '--end-lib', 'libSystem.tbd']
  },
  { status: 1, says: /_b forced load of b\.o[\s\S]*undefined symbol: _missing/ },
)

agree(
  'a member that is not there is not suggested for the name that it was to define',
  (bench) => {
    const members = [define(bench, 'a', '_a'), define(bench, 'b', '_b')]
    bench.run('llvm-ar-22', '--format=gnu', '--thin', 'rcs', 'thin.a', ...members)
    rmSync(join(bench.run('pwd').trim(), 'a.o'))
    return [call(bench, '_a'), 'thin.a', 'libSystem.tbd']
  },
  { status: 1, says: /did you mean: _b\n>>> defined in: thin\.a/ },
)

agree('-t names the files of a link that fails', (bench) => ['-t', call(bench, '_missing'), 'libSystem.tbd'], {
  status: 1,
  says: /^main\.o\nlibSystem\.tbd.*\nerror: undefined symbol: _missing/,
})

for (const pattern of ['[', '_[a-', '_[z-a]'])
  agree(
    `${pattern} is no pattern of names`,
    (bench) => ['-dylib', '-exported_symbol', pattern, call(bench), 'libSystem.tbd'],
    { status: 1, says: /invalid symbol-name pattern/, once: true },
  )

agree(
  'classes of characters in patterns',
  (bench) => [
    '-dylib',
    '-exported_symbol',
    '_[]a-c]',
    call(bench),
    define(bench, 'd', '_a', '_c', '_d'),
    'libSystem.tbd',
  ],
  { once: true },
)

agree(
  'a library that is re-exported cannot be weak',
  (bench) => {
    bench.library('libx.dylib', define(bench, 'x', '_x'))
    return [
      '-dylib',
      '-reexport_library',
      'libx.dylib',
      '-weak_library',
      'libx.dylib',
      call(bench, '_x'),
      'libSystem.tbd',
    ]
  },
  { says: /libx\.dylib is re-exported so cannot be weak-linked/, once: true },
)
