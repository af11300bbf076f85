// What the fixtures are made of.

export const CODE = `
struct pair { int *a; const char *b; };
extern int printf(const char *, ...);
static int counter = 3;
int common_array[20];
static int zeroes[64];
_Thread_local int local_one = 5;
_Thread_local int local_zero;
__attribute__((weak)) int weak_function(int x) { return x + 1; }
extern void *absent(unsigned long) __asm__("_malloc") __attribute__((weak_import));
struct pair pairs[] = { { &counter, "first" }, { &common_array[3], "second string" }, { 0, "first" } };
double constants[] = { 1.5, 2.25 };
const float narrow = 4.5f;
__attribute__((constructor)) static void begin(void) { counter++; }
__attribute__((noinline)) static int inner(int x) { return zeroes[x & 63] + local_one + local_zero; }
__attribute__((used)) static int table(int x) {
  switch (x) { case 0: return 11; case 1: return 222; case 2: return 3; case 3: return 47; case 4: return 58; case 5: return 91; case 6: return printf("six"); default: return x; }
}
int main(int argc, char **argv) {
  double d = argc * 3.75 + constants[0];
  if (absent) absent(1);
  printf("%s %d %f\\n", pairs[argc & 1].b, inner(argc), d * 1e9);
  return weak_function(argc) == 99 ? table(argc) : 0;
}
`

export const EXCEPTIONS = `
extern "C" int puts(const char *);
extern "C" void *malloc(unsigned long);
struct guard { int n; ~guard(); };
guard::~guard() { puts("gone"); }
int work(int n);
template <class T> T twice(T x) { return x + x; }
int calls(int n) { guard g{n}; return work(n) + twice(n); }
int work(int n) { guard g{n}; puts("work"); return n; }
int main(int argc, char **) {
  guard g{argc};
  return calls(argc) < 0;
}
`

/** Data, thread-local variables, options: what both architectures spell alike. */
const ASSEMBLY_END = `.quad _puts
.globl _absolute
_absolute = 0x1234
.zerofill __DATA,__bss,_zeroes,4096,4
.comm _shared,64,4
.section __DATA,__mod_init_func,mod_init_funcs
.quad _other
.section __DATA,__thread_vars,thread_local_variables
.globl _tlv
_tlv: .quad __tlv_bootstrap
.quad 0
.quad _tlv$tlv$init
.section __DATA,__thread_data,thread_local_regular
_tlv$tlv$init: .quad 9
.linker_option "-lSystem"
.weak_definition _weakling
.globl _weakling
.section __DATA,__more,regular,no_dead_strip
_weakling: .quad 4
.desc _weakling, 0x80
.build_version macos, 13, 0 sdk_version 13, 0
.subsections_via_symbols
`

export const ASSEMBLY = {
  x86_64: `
.section __TEXT,__text,regular,pure_instructions
.globl _main
_main:
  .cfi_startproc
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  leaq Lstring(%rip), %rdi
  callq _puts
  movq _puts@GOTPCREL(%rip), %rax
  cmpl $0, _value+2(%rip)
  xorl %eax, %eax
  popq %rbp
  retq
  .cfi_endproc
.data_region jt32
Ltable:
  .long _other-Ltable
  .long _main-Ltable
.end_data_region
.globl _other
.alt_entry _middle
_other:
  .cfi_startproc
  nop
_middle:
  retq
  .cfi_endproc
.private_extern _hidden
_hidden:
  retq
.section __TEXT,__cstring,cstring_literals
Lstring: .asciz "hello"
 .asciz "again"
.section __TEXT,__literal8,8byte_literals
.quad 1, 2
.section __TEXT,__literal16,16byte_literals
.quad 1, 2
.section __DATA,__data
.globl _value
.p2align 3
_value: .quad _main+4
.quad _other-_main
.long _other-_main
.long 0
${ASSEMBLY_END}`,
  arm64: `
.section __TEXT,__text,regular,pure_instructions
.globl _main
.p2align 2
_main:
  .cfi_startproc
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset w30, -8
  .cfi_offset w29, -16
Lloh0: adrp x0, Lstring@PAGE
Lloh1: add x0, x0, Lstring@PAGEOFF
  bl _puts
Lloh2: adrp x8, _puts@GOTPAGE
Lloh3: ldr x8, [x8, _puts@GOTPAGEOFF]
Lloh4: adrp x9, _value@PAGE+8
Lloh5: ldr x9, [x9, _value@PAGEOFF+8]
  mov w0, #0
  ldp x29, x30, [sp], #16
  ret
  .cfi_endproc
.loh AdrpAdd Lloh0, Lloh1
.loh AdrpLdrGot Lloh2, Lloh3
.loh AdrpLdr Lloh4, Lloh5
.data_region jt32
Ltable:
  .long _other-Ltable
  .long _main-Ltable
.end_data_region
.globl _other
.alt_entry _middle
_other:
  .cfi_startproc
  nop
_middle:
  ret
  .cfi_endproc
.private_extern _hidden
_hidden:
  ret
.section __TEXT,__cstring,cstring_literals
Lstring: .asciz "hello"
 .asciz "again"
.section __TEXT,__literal8,8byte_literals
.quad 1, 2
.section __TEXT,__literal16,16byte_literals
.quad 1, 2
.section __DATA,__data
.globl _value
.p2align 3
_value: .quad _main+4
.quad _other-_main
.long _other-_main
.long _puts@GOT-.
${ASSEMBLY_END}`,
} as const

export const CALLER = `
extern int library_function(int);
extern int library_data;
int main(int argc, char **argv) { return library_function(argc) + library_data == 12345; }
`

export const LIBRARY = `
int puts(const char *);
int library_data = 4;
int *library_pointer = &library_data;
int library_function(int x) { return puts("library") + x; }
int library_weak(void) __attribute__((weak));
int library_weak(void) { return 3; }
`

const SYSTEM_SYMBOLS = `dyld_stub_binder, __tlv_bootstrap, _puts, _printf, _malloc, __Unwind_Resume, ___gxx_personality_v0, _exit`

export const SYSTEM = `--- !tapi-tbd
tbd-version: 4
targets: [ x86_64-macos, arm64-macos ]
install-name: '/usr/lib/libSystem.B.dylib'
exports:
  - targets: [ x86_64-macos, arm64-macos ]
    symbols: [ ${SYSTEM_SYMBOLS} ]
...
`

export const STUB_V3 = `--- !tapi-tbd-v3
archs:           [ x86_64, arm64 ]
uuids:           [ 'x86_64: 00000000-0000-0000-0000-000000000000', 'arm64: 00000000-0000-0000-0000-000000000001' ]
platform:        macosx
flags:           [ flat_namespace ]
install-name:    '/lib/libthree.dylib'
current-version: 2.3.4
compatibility-version: 1.2
objc-constraint: none
parent-umbrella: ''
exports:
  - archs:           [ x86_64, arm64 ]
    allowed-clients: [ client ]
    re-exports:      [ '/usr/lib/libSystem.B.dylib' ]
    symbols:         [ _library_function, '_library_data' ]
    objc-classes:    [ Klass ]
    weak-def-symbols: [ _library_weak ]
    thread-local-symbols: [ _library_local ]
...
`

export const STUB_V4 = `--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, arm64-macos ]
uuids:
  - target:      x86_64-macos
    value:       00000000-0000-0000-0000-000000000000
flags:           [ not_app_extension_safe ]
install-name:    '/lib/libfour.dylib'
current-version: 2.3.4
compatibility-version: 1.2
parent-umbrella:
  - targets:     [ x86_64-macos ]
    umbrella:    Umbrella
allowable-clients:
  - targets:     [ arm64-macos ]
    clients:     [ client ]
reexported-libraries:
  - targets:     [ x86_64-macos, arm64-macos ]
    libraries:   [ '/usr/lib/libSystem.B.dylib', '/lib/libinner.dylib' ]
exports:
  - targets:     [ x86_64-macos, arm64-macos ]
    symbols:     [ _library_function, '$ld$hide$os10.4$_library_hidden' ]
    objc-classes: [ Klass ]
    weak-symbols: [ _library_weak ]
reexports:
  - targets:     [ x86_64-macos, arm64-macos ]
    symbols:     [ _library_more ]
--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, arm64-macos ]
install-name:    '/lib/libinner.dylib'
exports:
  - targets:     [ x86_64-macos, arm64-macos ]
    symbols:     [ _library_data ]
...
`

export const STUB_V5 = `{
  "main_library": {
    "compatibility_versions": [{ "version": "1.2" }],
    "current_versions": [{ "version": "2.3.4" }],
    "exported_symbols": [
      { "data": { "global": ["_library_data"], "weak": ["_library_weak"], "thread_local": ["_library_local"], "objc_class": ["Klass"] },
        "text": { "global": ["_library_function"] } }
    ],
    "flags": [{ "attributes": ["not_app_extension_safe"] }],
    "install_names": [{ "name": "/lib/libfive.dylib" }],
    "reexported_libraries": [{ "names": ["/usr/lib/libSystem.B.dylib"] }],
    "target_info": [{ "min_deployment": "10.14", "target": "x86_64-macos" }, { "min_deployment": "11", "target": "arm64-macos" }]
  },
  "tapi_tbd_version": 5
}
`
