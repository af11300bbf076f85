import { type Workbench, agree } from '../helpers/agree.ts'

// Every kind of input, linked as ld64.lld links it.

const MAIN = '.globl _main\n.p2align 4\n_main: ret\n'

/** A program that calls `names`, as `main.o`. */
function caller(bench: Workbench, ...names: string[]): string {
  const declared = names.map((name) => `int ${name}(void);`).join(' ')
  const called = names.map((name) => `${name}()`).join(' + ')
  return bench.c('main', `${declared} int main(void) { return ${called || '0'}; }`)
}

function callee(bench: Workbench, name: string, ...flags: string[]): string {
  return bench.c(name, `int ${name}(void) { return ${name.length}; } int ${name}_other(void) { return 1; }`, ...flags)
}

agree('objects without MH_SUBSECTIONS_VIA_SYMBOLS stay in one piece', (bench) => {
  const whole = bench.asm('whole', `${MAIN}_unused: ret\n.globl _unused2\n_unused2: ret\n`)
  return ['-dead_strip', whole, 'libSystem.tbd']
})

agree('objects with it lose what is dead', (bench) => {
  const split = bench.asm('split', `${MAIN}_unused: ret\n.globl _unused2\n_unused2: ret\n.subsections_via_symbols\n`)
  return ['-dead_strip', split, 'libSystem.tbd']
})

for (const [kind, flags] of [
  ['in Darwin format with an index', 'rcs'],
  ['in Darwin format without an index', 'rcS'],
] as const) {
  agree(`an archive ${kind} gives the members that are wanted`, (bench) => [
    caller(bench, 'first', 'third'),
    bench.archive('libx.a', [callee(bench, 'first'), callee(bench, 'second'), callee(bench, 'third')], flags),
    'libSystem.tbd',
  ])
}

agree('an archive in GNU format gives the members that are wanted', (bench) => {
  callee(bench, 'a_function_with_a_long_name')
  callee(bench, 'second')
  bench.run('llvm-ar-22', '--format=gnu', 'rcs', 'libx.a', 'a_function_with_a_long_name.o', 'second.o')
  return [caller(bench, 'a_function_with_a_long_name'), 'libx.a', 'libSystem.tbd']
})

agree('a BSD archive gives the members that are wanted', (bench) => {
  callee(bench, 'a_function_with_a_long_name')
  callee(bench, 'second')
  bench.run('llvm-ar-22', '--format=bsd', 'rcs', 'libx.a', 'a_function_with_a_long_name.o', 'second.o')
  return [caller(bench, 'a_function_with_a_long_name'), 'libx.a', 'libSystem.tbd']
})

agree('a thin archive gives the members that are wanted', (bench) => {
  callee(bench, 'first')
  callee(bench, 'second')
  bench.run('llvm-ar-22', '--format=gnu', '--thin', 'rcs', 'libx.a', 'first.o', 'second.o')
  return [caller(bench, 'first'), 'libx.a', 'libSystem.tbd']
})

agree('members that are no objects are passed over, as in an .rlib', (bench) => {
  bench.file('lib.rmeta', 'rust metadata, of no use to a linker')
  callee(bench, 'first')
  bench.run('llvm-ar-22', '--format=gnu', 'rcs', 'libx.rlib', 'lib.rmeta', 'first.o')
  return [caller(bench, 'first'), 'libx.rlib', 'libSystem.tbd']
})

function universal(bench: Workbench, name: string, source: string): string {
  bench.file('u.c', source)
  for (const arch of ['x86_64', 'arm64'])
    bench.run('clang-22', '-target', `${arch}-apple-macos13`, '-O1', '-c', 'u.c', '-o', `${arch}-${name}.o`)
  bench.run('llvm-lipo-22', '-create', `x86_64-${name}.o`, `arm64-${name}.o`, '-output', `${name}.o`)
  return `${name}.o`
}

agree('a universal object gives its slice', (bench) => [
  caller(bench, 'universal'),
  universal(bench, 'universal', 'int universal(void) { return 3; }'),
  'libSystem.tbd',
])

agree('a universal archive gives its slice', (bench) => {
  universal(bench, 'universal', 'int universal(void) { return 3; }')
  for (const arch of ['x86_64', 'arm64']) bench.archive(`${arch}.a`, [`${arch}-universal.o`], 'rcs')
  bench.run('llvm-lipo-22', '-create', 'x86_64.a', 'arm64.a', '-output', 'libu.a')
  return [caller(bench, 'universal'), 'libu.a', 'libSystem.tbd']
})

agree('a universal dylib gives its slice', (bench) => {
  universal(bench, 'universal', 'int universal(void) { return 3; }')
  for (const arch of ['x86_64', 'arm64'])
    bench.run(
      'ld64.lld-22',
      '-arch',
      arch,
      '-platform_version',
      'macos',
      '13',
      '13',
      '-dylib',
      '-o',
      `${arch}.dylib`,
      `${arch}-universal.o`,
      'libSystem.tbd',
    )
  bench.run('llvm-lipo-22', '-create', 'x86_64.dylib', 'arm64.dylib', '-output', 'libu.dylib')
  return [caller(bench, 'universal'), 'libu.dylib', 'libSystem.tbd']
})

agree('a dylib that re-exports another lends its names', (bench) => {
  bench.library('libinner.dylib', callee(bench, 'inner'))
  bench.library('libouter.dylib', callee(bench, 'outer'), '-L.', '-reexport-linner')
  return [caller(bench, 'inner', 'outer'), '-L.', '-louter', '-rpath', '.', 'libSystem.tbd']
})

agree('a re-export is found by its install name', (bench) => {
  bench.run('mkdir', '-p', 'usr')
  bench.library('libinner.dylib', callee(bench, 'inner'), '-install_name', '@loader_path/libinner.dylib')
  bench.library('libouter.dylib', callee(bench, 'outer'), '-L.', '-reexport-linner')
  return [caller(bench, 'inner', 'outer'), '-L.', '-louter', 'libSystem.tbd']
})

agree('a child of an umbrella is bound to the umbrella', (bench) => {
  bench.library(
    'libchild.dylib',
    callee(bench, 'child'),
    '-umbrella',
    'Parent',
    '-install_name',
    '@loader_path/libchild.dylib',
  )
  bench.library('Parent', callee(bench, 'parent'), '-L.', '-reexport-lchild')
  return [caller(bench, 'child', 'parent'), 'Parent', 'libSystem.tbd']
})

const V3 = (bench: Workbench, tag: string, archs: string, rest: string) =>
  bench.file('libstub.tbd', `---${tag}\narchs: ${archs}\n${rest}...\n`)

agree('a .tbd of version 1 links', (bench) => {
  V3(
    bench,
    '',
    '[ x86_64, arm64 ]',
    'platform: macosx\ninstall-name: /usr/lib/libstub.dylib\ncurrent-version: 2.3\ncompatibility-version: 1.0\nexports:\n  - archs: [ x86_64, arm64 ]\n    symbols: [ _first ]\n    weak-def-symbols: [ _second ]\n',
  )
  return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
})

agree('a .tbd of version 2 links', (bench) => {
  V3(
    bench,
    ' !tapi-tbd-v2',
    '[ x86_64, arm64 ]',
    'platform: macosx\nflags: [ flat_namespace ]\ninstall-name: /usr/lib/libstub.dylib\nexports:\n  - archs: [ x86_64, arm64 ]\n    symbols: [ _first, _second ]\n',
  )
  return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
})

agree('a .tbd of version 3 links, architectures that nobody knows included', (bench) => {
  V3(
    bench,
    ' !tapi-tbd-v3',
    '[ x86_64, arm64, arm64e.x1 ]',
    'uuids: [ "x86_64: 00000000-0000-0000-0000-000000000000" ]\nplatform: macosx\ninstall-name: /usr/lib/libstub.dylib\nexports:\n  - archs: [ x86_64, arm64 ]\n    symbols: [ _first, _second ]\n',
  )
  return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
})

const V4 = (bench: Workbench, rest: string) =>
  bench.file(
    'libstub.tbd',
    `--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\ninstall-name: /usr/lib/libstub.dylib\n${rest}...\n`,
  )

agree('a .tbd of version 4 links', (bench) => {
  V4(
    bench,
    'current-version: 1.2.3\nexports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ _first ]\n    weak-symbols: [ _second ]\n',
  )
  return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
})

agree('a .tbd of version 5 links', (bench) => {
  const json = {
    main_library: {
      exported_symbols: [{ text: { global: ['_first'], weak: ['_second'] } }],
      install_names: [{ name: '/usr/lib/libstub.dylib' }],
      current_versions: [{ version: '1.2' }],
      target_info: [
        { min_deployment: '13', target: 'x86_64-macos' },
        { min_deployment: '13', target: 'arm64-macos' },
      ],
    },
    tapi_tbd_version: 5,
  }
  bench.file('libstub.tbd', JSON.stringify(json))
  return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
})

agree('re-exported libraries in the same .tbd lend their names', (bench) => {
  bench.file(
    'libstub.tbd',
    `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: /usr/lib/libstub.dylib
reexported-libraries:
  - targets: [ x86_64-macos, arm64-macos ]
    libraries: [ /usr/lib/system/libchild.dylib ]
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ _first ]
--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: /usr/lib/system/libchild.dylib
parent-umbrella:
  - targets: [ x86_64-macos, arm64-macos ]
    umbrella: stub
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ _second ]
...
`,
  )
  return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
})

for (const [what, symbol] of [
  ['$ld$hide$os hides a name', '$ld$hide$os13.0$_second'],
  ['$ld$install_name$os gives another install name', '$ld$install_name$os13.0$/usr/lib/other.dylib'],
  ['$ld$previous names an older library', '$ld$previous$/usr/lib/older.dylib$1.2$1$10.0$14.0$$'],
  ['$ld$previous for one name', '$ld$previous$/usr/lib/older.dylib$1.2$1$10.0$14.0$_second$'],
  ['$ld$previous for other versions does nothing', '$ld$previous$/usr/lib/older.dylib$1.2$1$10.0$11.0$_second$'],
] as const) {
  agree(
    what,
    (bench) => {
      V4(bench, `exports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ _first, _second, '${symbol}' ]\n`)
      return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
    },
    symbol.includes('hide') ? { status: 1, says: /undefined symbol: _second/ } : {},
  )
}

agree(
  '$ld$hide$os of an umbrella hides a name of its children',
  (bench) => {
    bench.file(
      'libstub.tbd',
      `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: /usr/lib/libstub.dylib
reexported-libraries:
  - targets: [ x86_64-macos, arm64-macos ]
    libraries: [ /usr/lib/system/libchild.dylib ]
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ _first, '$ld$hide$os13.0$_second' ]
--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: /usr/lib/system/libchild.dylib
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ _second ]
...
`,
    )
    return [caller(bench, 'first', 'second'), 'libstub.tbd', 'libSystem.tbd']
  },
  { status: 1, says: /undefined symbol: _second/ },
)

function framework(bench: Workbench, name: string, ...flags: string[]): void {
  bench.run('mkdir', '-p', `${name}.framework/Versions/A`)
  bench.library(`${name}.framework/Versions/A/${name}`, ...flags)
  bench.run('ln', '-s', `Versions/A/${name}`, `${name}.framework/${name}`)
}

agree('a framework is found in -F', (bench) => {
  framework(bench, 'Frame', callee(bench, 'framed'))
  return [caller(bench, 'framed'), '-F.', '-framework', 'Frame', 'libSystem.tbd']
})

agree('a framework of another suffix is found by NAME,SUFFIX', (bench) => {
  framework(bench, 'Frame', callee(bench, 'framed'))
  bench.run('cp', 'Frame.framework/Frame', 'Frame.framework/Frame_debug')
  return [caller(bench, 'framed'), '-F.', '-framework', 'Frame,_debug', 'libSystem.tbd']
})

agree('LC_LINKER_OPTION asks for libraries and frameworks', (bench) => {
  framework(bench, 'Frame', callee(bench, 'framed'))
  bench.library('libauto.dylib', callee(bench, 'automatic'))
  bench.archive('libstatic.a', [callee(bench, 'inside')], 'rcs')
  const main = bench.asm(
    'auto',
    `${MAIN}.linker_option "-lauto"\n.linker_option "-framework", "Frame"\n.linker_option "-lstatic"\n.data\n.quad _automatic\n.quad _framed\n.quad _inside\n`,
  )
  return [main, '-L.', '-F.', 'libSystem.tbd']
})

agree('-ignore_auto_link does not', (bench) => {
  bench.library('libauto.dylib', callee(bench, 'automatic'))
  const main = bench.asm('auto', `${MAIN}.linker_option "-lauto"\n`)
  return [main, '-L.', '-ignore_auto_link', 'libSystem.tbd']
})

agree('-filelist names inputs', (bench) => {
  caller(bench, 'first')
  callee(bench, 'first')
  bench.file('list', 'main.o\nfirst.o\n')
  return ['-filelist', 'list', 'libSystem.tbd']
})

agree('@file holds arguments', (bench) => {
  bench.file('link.rsp', `${caller(bench, 'first')} '${callee(bench, 'first')}' -dead_strip\n"libSystem.tbd"`)
  return ['@link.rsp']
})

agree('what a weakly linked library passes on is linked weakly', (bench) => {
  const stub = (name: string, rest: string) =>
    bench.file(
      `lib${name}.tbd`,
      `--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\ninstall-name: /usr/lib/lib${name}.dylib\n${rest}...\n`,
    )
  const targets = '  - targets: [ x86_64-macos, arm64-macos ]\n'
  stub('inner', `exports:\n${targets}    symbols: [ _first ]\n`)
  stub(
    'outer',
    `reexported-libraries:\n${targets}    libraries: [ /usr/lib/libinner.dylib ]\nexports:\n${targets}    symbols: [ _second ]\n`,
  )
  return [caller(bench, 'first', 'second'), '-L.', '-weak-louter', 'libSystem.tbd']
})

agree(
  '--print-dylib-search tells where libraries were looked for',
  (bench) => {
    bench.run('mkdir', 'empty', 'full')
    bench.library('full/libx.dylib', callee(bench, 'first'))
    return [caller(bench, 'first'), '-Z', '-Lempty', '-Lfull', '-lx', '--print-dylib-search', 'libSystem.tbd']
  },
  { says: /searched empty\/libx\.tbd, not found/ },
)

for (const version of [3, 4]) {
  agree(
    `LD_DYLIB_CPU_SUBTYPES_MUST_MATCH wants the very architecture in a stub of version ${version}`,
    (bench) => {
      const other = bench.arch === 'arm64' ? 'arm64e' : 'x86_64h'
      const head =
        version === 4
          ? `--- !tapi-tbd\ntbd-version: 4\ntargets: [ ${other}-macos ]`
          : `--- !tapi-tbd-v3\narchs: [ ${other} ]\nplatform: macosx`
      const of = version === 4 ? `targets: [ ${other}-macos ]` : `archs: [ ${other} ]`
      bench.file(
        'libstub.tbd',
        `${head}\ninstall-name: /usr/lib/libstub.dylib\nexports:\n  - ${of}\n    symbols: [ _first ]\n...\n`,
      )
      return [caller(bench, 'first'), '-U', '_first', 'libstub.tbd', 'libSystem.tbd']
    },
    { status: 1, says: /is incompatible with/, env: { LD_DYLIB_CPU_SUBTYPES_MUST_MATCH: '1' } },
  )
}
