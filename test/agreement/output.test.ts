import { type Workbench, agree } from '../helpers/agree.ts'

// Options of the output, and what the sections of objects become.

const RICH = `
typedef unsigned long size_t;
int puts(const char *); int printf(const char *, ...); void *malloc(size_t);
extern int errno_like; int tentative; static int zero[100]; int zeros[3000];
__thread int tls = 4; static __thread long tbss;
const char *const words[] = { "alpha", "beta", "alpha" };
const double third = 1.0 / 3; const float half = 0.5f;
static int (*pointers[])(const char *) = { puts, puts };
static int helper(int x) { return x * zero[3] + tls + (int)tbss; }
__attribute__((constructor)) static void before(void) { puts("before"); }
__attribute__((destructor)) static void after(void) { puts("after"); }
int work(int x) { double d = third * x + 2.75; printf("%f %s\\n", d, words[x & 1]); return helper(x) + zeros[x] + tentative; }
int main(int c, char **v) { malloc(4); return work(c) + pointers[0](v[0]); }
`
const rich = (bench: Workbench, ...flags: string[]) => bench.c('rich', RICH, '-fcommon', ...flags)
const system = 'libSystem.tbd'

for (const kind of ['-execute', '-dylib', '-bundle']) {
  for (const strip of [[], ['-dead_strip'], ['-x'], ['-S'], ['-x', '-S', '-dead_strip']]) {
    agree(`${[kind, ...strip].join(' ')}`, (bench) => [kind, ...strip, rich(bench, '-g'), system], {
      env: { ZERO_AR_DATE: '1' },
    })
  }
}

const SIMPLE: readonly (readonly string[])[] = [
  ['-dylib', '-install_name', '/usr/lib/x.dylib'],
  [
    '-dylib',
    '-dylib_install_name',
    '/usr/lib/x.dylib',
    '-dylib_current_version',
    '3.4.5',
    '-dylib_compatibility_version',
    '2',
  ],
  ['-dylib', '-current_version', '1.2.3', '-compatibility_version', '0.9'],
  ['-dylib', '-final_output', '/else/where'],
  ['-dylib', '-mark_dead_strippable_dylib'],
  ['-dylib', '-application_extension'],
  ['-dylib', '-umbrella', 'Foo'],
  ['-dylib', '-allowable_client', 'a', '-allowable_client', 'b'],
  ['-rpath', '@executable_path/lib', '-rpath', '/usr/x'],
  ['-rpath', 'a', '-rpath', 'a'],
  ['-headerpad', '0x800'],
  ['-headerpad', '800'],
  ['-headerpad_max_install_names'],
  ['-pagezero_size', '0x100000'],
  ['-pagezero_size', '4000'],
  ['-pagezero_size', '123'],
  ['-sectcreate', '__DATA', '__blob', 'blob'],
  ['-sectcreate', '__TEXT', '__info_plist', 'blob', '-sectcreate', '__DATA', '__data', 'blob'],
  ['-segcreate', '__FOO', '__blob', 'blob'],
  ['-sectcreate', '__DATA', '__none', 'nothing-there'],
  ['-add_empty_section', '__FOO', '__bar'],
  ['-sectalign', '__DATA', '__data', '0x40'],
  ['-sectalign', '__TEXT', '__text', '100'],
  ['-segprot', '__DATA', 'rwx', 'rw'],
  ['-segprot', '__FOO', 'rw', 'r', '-sectcreate', '__FOO', '__x', 'blob'],
  ['-rename_section', '__TEXT', '__text', '__TEXT', '__code'],
  ['-rename_section', '__DATA', '__data', '__FOO', '__bar'],
  ['-rename_segment', '__DATA', '__DETA'],
  ['-data_const'],
  ['-no_data_const'],
  ['-init_offsets'],
  ['-function_starts'],
  ['-no_function_starts'],
  ['-data_in_code_info'],
  ['-no_data_in_code_info'],
  ['-no_uuid'],
  ['-adhoc_codesign'],
  ['-no_adhoc_codesign'],
  ['-encryptable'],
  ['-no_encryption'],
  ['-flat_namespace'],
  ['-dyld_env', 'DYLD_FOO=bar'],
  ['-export_dynamic'],
  ['-demangle'],
  ['-w'],
  ['-dead_strip', '-u', '_work'],
  ['-non_global_symbols_strip_list', 'list'],
  ['-non_global_symbols_no_strip_list', 'list'],
  ['-no_deduplicate'],
  ['--no-deduplicate-strings'],
  ['--deduplicate-strings'],
  ['--icf=all'],
  ['--icf=safe'],
  ['--icf=none'],
  ['-O0'],
  ['-O2'],
  ['-lto_library', '/x/libLTO.dylib'],
  ['-order_file', 'order'],
  ['-objc_stubs_small'],
  ['-dynamic', '-twolevel_namespace', '-search_paths_first'],
  ['-arch_multiple'],
  ['-reproducible'],
  ['-pie'],
  ['-Z'],
  ['-bundle', '-client_name', 'x'],
  ['-tail-merge'],
  ['--tail-merge-strings'],
  ['--separate-cstring-literal-sections'],
  ['-no-deduplicate-symbol-strings'],
  ['-no_warn_duplicate_libraries'],
  ['--call-graph-profile-sort'],
  ['-dead_strip_dylibs'],
  ['-objc_category_merging'],
  ['-multiply_defined', 'suppress'],
  ['-sub_library', 'libx'],
  ['-dylib', '-sub_library', 'libfoo'],
  ['-dylib', '-sub_umbrella', 'Foo'],
  ['-color_diagnostics'],
]

for (const flags of SIMPLE) {
  agree(
    flags.join(' '),
    (bench) => {
      bench.file('blob', 'some bytes of no meaning')
      bench.file('list', '_helper\n_pointers\n')
      bench.file('order', '_work\n_main\n')
      return [...flags, rich(bench), system]
    },
    { says: /.*/, status: -1, once: true, env: { ZERO_AR_DATE: '1' } },
  )
}

for (const flags of [[], ['--separate-cstring-literal-sections'], ['--no-deduplicate-strings']]) {
  agree(`strings of several sections ${flags.join(' ')}`, (bench) => {
    const text = (section: string, ...strings: string[]) =>
      `.section __TEXT,${section},cstring_literals\n${strings.map((each) => `.asciz "${each}"\n`).join('')}`
    const one = text('__cstring', 'alpha', 'beta') + text('__other', 'alpha', 'gamma')
    const two = text('__objc_methname', 'alpha') + text('__objc_classname', 'beta') + text('__other', 'gamma')
    return [...flags, rich(bench), bench.asm('one', one), bench.asm('two', two), system]
  })
}
