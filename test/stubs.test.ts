import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type EmbeddedStub, findEmbeddedStub, stubTexts } from '../src/stubs/index.ts'
import type { Arch } from '../src/types.ts'
import { libcxx, libSystem } from './helpers/paths.ts'

const LIBRARIES = ['System', 'c++', 'c++abi', 'objc', 'iconv']
const ARCHS: readonly Arch[] = ['x86_64', 'arm64']

function stubOf(library: string): EmbeddedStub {
  const stub = findEmbeddedStub(library)
  assert.ok(stub !== null, `no stub for ${library}`)
  return stub
}

function namesOf(library: string, arch: Arch): string[] {
  return stubTexts(stubOf(library), arch).join(' ').trim().split(/\s+/)
}

/** What a link with `library` can resolve: its own names and those of what it re-exports. */
function reachable(library: string, arch: Arch): Set<string> {
  const names = new Set(namesOf(library, arch))
  for (const inner of stubOf(library).reexports) for (const name of namesOf(inner, arch)) names.add(name)
  return names
}

function assertExports(library: string, arch: Arch, wanted: string): void {
  const names = reachable(library, arch)
  const missing = wanted.split(/\s+/).filter((name) => name !== '' && !names.has(name))
  assert.deepEqual(missing, [], `${library} for ${arch}`)
}

test('each library has about as many names as the real one has public ones', () => {
  for (const arch of ARCHS) {
    assert.ok(namesOf('System', arch).length >= 4000)
    assert.ok(namesOf('c++', arch).length >= 1800)
    assert.ok(namesOf('c++abi', arch).length >= 300)
    assert.ok(namesOf('objc', arch).length >= 380)
    assert.ok(namesOf('iconv', arch).length >= 10)
  }
})

test('no name is listed twice', () => {
  for (const library of LIBRARIES) {
    const texts = Object.values(stubOf(library).symbols).map((text) => text())
    const names = texts
      .join(' ')
      .split(/\s+/)
      .filter((name) => name !== '')
    assert.equal(new Set(names).size, names.length, library)
  }
})

test('a library and what it re-exports share no name', () => {
  const inner = new Set(namesOf('c++abi', 'arm64'))
  assert.deepEqual(
    namesOf('c++', 'arm64').filter((name) => inner.has(name)),
    [],
  )
})

test('names carry the underscore of Darwin, but for the two that have none', () => {
  for (const library of LIBRARIES) {
    for (const arch of ARCHS) {
      const bare = namesOf(library, arch).filter((name) => !/^_[\w$.]+$/.test(name))
      const special = arch === 'x86_64' ? ['dyld_stub_binder', 'mcount'] : ['dyld_stub_binder']
      assert.deepEqual(bare, library === 'System' ? special : [])
    }
  }
})

test('the names of one architecture are not in the other', () => {
  const intel = new Set(namesOf('System', 'x86_64'))
  const arm = new Set(namesOf('System', 'arm64'))
  for (const name of ['_stat', '_fstat', '_lstat', '_opendir', '_readdir', '_nftw', '_getfsstat']) {
    assert.ok(intel.has(name) && arm.has(name), name)
    assert.ok(intel.has(`${name}$INODE64`) && !arm.has(`${name}$INODE64`), name)
  }
  assert.ok(intel.has('___muloti4') && !arm.has('___muloti4'))
  assert.ok(intel.has('_select$1050') && !arm.has('_select$1050'))
  assert.ok(arm.has('__FE_DFL_DISABLE_DENORMS_ENV') && !intel.has('__FE_DFL_DISABLE_DENORMS_ENV'))
})

test('objc_msgSend has its structure and float forms on x86_64, and objc_retain its register forms on arm64', () => {
  const intel = new Set(namesOf('objc', 'x86_64'))
  const arm = new Set(namesOf('objc', 'arm64'))
  for (const name of ['_objc_msgSend_stret', '_objc_msgSend_fpret', '_objc_msgSendSuper2_stret'])
    assert.ok(intel.has(name) && !arm.has(name), name)
  for (const name of ['_objc_retain_x0', '_objc_retain_x28', '_objc_release_x19'])
    assert.ok(arm.has(name) && !intel.has(name), name)
  assert.ok(!arm.has('_objc_retain_x16') && !arm.has('_objc_retain_x18'))
})

test('what C programs use is there', () => {
  const wanted = `
    _printf _scanf _malloc _free _memcpy _strlen _qsort _strtold _wcstombs _iswalpha_l _setlocale _mktime _sinf _powl
    _cexp _fesetround _setjmp __setjmp _sigsetjmp _longjmp _signal _sigaction ___assert_rtn ___error ___stderrp
    ___stack_chk_guard ___stack_chk_fail ___strcpy_chk ___vsnprintf_chk ___memmove_chk __DefaultRuneLocale ___maskrune
    ___cxa_atexit ___cxa_finalize __exit _exit _open _open$NOCANCEL _read _poll _select$DARWIN_EXTSN
    _select$DARWIN_EXTSN$NOCANCEL _realpath$DARWIN_EXTSN _fopen$DARWIN_EXTSN _socket _getaddrinfo _gethostbyname _htons
    _regcomp _glob _fnmatch _wordexp _getpwnam_r _getgrgid _tcgetattr _opendir _aio_read _mmap _posix_spawnp
    _makecontext _fts_open _getopt_long _optarg _err _warnx _hsearch _tsearch _strtod_l _kevent _kqueue _sysctlbyname
    _getxattr _copyfile _notify_post _uuid_generate _arc4random_buf _strlcpy _memset_pattern16 _syslog$DARWIN_EXTSN
    _backtrace _getentropy`
  for (const arch of ARCHS) assertExports('System', arch, wanted)
})

test('what compilers and run-time libraries use is there', () => {
  const wanted = `
    dyld_stub_binder __tlv_bootstrap __tlv_atexit __Unwind_Resume ___register_frame _unw_getcontext ___divti3 ___umodti3
    ___bzero ___sincos_stret ___exp10f ___fpclassifyd ____chkstk_darwin ___chkstk_darwin __NSGetEnviron _environ
    __NSConcreteStackBlock __NSConcreteGlobalBlock __Block_copy __Block_object_dispose ___gcc_personality_v0
    _pthread_create _pthread_cond_timedwait_relative_np _pthread_jit_write_protect_np _sem_open _dlopen _dladdr
    __dyld_get_image_header __dyld_register_func_for_add_image _getsectiondata _dispatch_async _dispatch_once_f
    __dispatch_main_q __dispatch_source_type_timer _OBJC_CLASS_$_OS_dispatch_queue __os_log_impl __os_log_default
    _os_log_type_enabled _os_unfair_lock_lock _os_sync_wait_on_address _OSAtomicAdd32Barrier _OSSpinLockLock _mach_msg
    _mach_task_self_ _vm_allocate _mach_vm_remap _mach_absolute_time _host_statistics64 _task_info _thread_get_state
    _bootstrap_look_up _malloc_default_zone _malloc_zone_malloc _malloc_type_malloc _CC_SHA256 _CCHmac _CCCrypt
    _sandbox_init _sys_icache_invalidate _proc_pidpath _xpc_connection_create _asl_log __availability_version_check
    ___ulock_wait ___atomic_load _atomic_thread_fence __simd_sin_d2 _matrix_identity_float4x4`
  for (const arch of ARCHS) assertExports('System', arch, wanted)
})

test('what C++ programs use is there, through libc++ alone', () => {
  const wanted = `
    __ZNSt3__14coutE __ZNSt3__14cerrE __ZNSt3__13cinE __ZNSt3__15mutex4lockEv __ZNSt3__16thread4joinEv
    __ZNSt3__112basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEE6appendEPKcm
    __ZNSt3__113basic_ostreamIcNS_11char_traitsIcEEElsEi __ZNKSt3__16locale9use_facetERNS0_2idE
    __ZNSt3__115basic_streambufIcNS_11char_traitsIcEEE7seekoffExNS_8ios_base7seekdirEj
    __ZNSt3__14__fs10filesystem8__statusERKNS1_4pathEPNS_10error_codeE __ZNSt3__16chrono12steady_clock3nowEv
    __ZSt17current_exceptionv __ZSt9terminatev __ZSt7nothrow ___gxx_personality_v0 ___cxa_throw ___cxa_begin_catch
    ___cxa_guard_acquire ___cxa_pure_virtual ___cxa_demangle ___dynamic_cast __ZTIi __ZTIPKc __ZTISt9exception
    __ZTVSt13runtime_error __ZTVN10__cxxabiv117__class_type_infoE __ZTVN10__cxxabiv121__vmi_class_type_infoE
    __Znwm __Znam __ZdlPv __ZdaPv __ZdlPvm __ZnwmSt11align_val_t`
  for (const arch of ARCHS) assertExports('c++', arch, wanted)
})

test('what the stubs of minidyld list is there', () => {
  const listed = (path: string) =>
    [...readFileSync(path, 'utf8').matchAll(/symbols: *\[([^\]]*)\]/g)]
      .map(([, list]) => list.replace(/[',]/g, ' '))
      .join(' ')
  assertExports('System', 'x86_64', listed(libSystem))
  assertExports('System', 'arm64', listed(libSystem).replace(/\S+\$INODE64/g, ''))
  for (const arch of ARCHS) assertExports('c++', arch, listed(libcxx))
})

test('names of Linux have not come along', () => {
  const foreign = /_IO_FILE|__locale_struct|__bss_start|_edata|GLIBC/
  for (const library of ['c++', 'c++abi']) {
    assert.deepEqual(
      namesOf(library, 'arm64').filter((name) => foreign.test(name)),
      [],
    )
  }
  for (const name of [
    '_epoll_create',
    '_gettid',
    '_iconv',
    '_objc_msgSend',
    '_pthread_spin_lock',
    '___libc_start_main',
  ])
    assert.ok(!namesOf('System', 'x86_64').includes(name), name)
})

test('each weak name is a name of its library, and the replaceable operators are weak', () => {
  for (const library of LIBRARIES) {
    const names = new Set(namesOf(library, 'arm64'))
    const weak = stubOf(library)
      .weakSymbols()
      .split(/\s+/)
      .filter((name) => name !== '')
    assert.deepEqual(
      weak.filter((name) => !names.has(name)),
      [],
    )
    const operators = [...names].filter((name) => /^__Z(n[aw]|d[al])/.test(name))
    assert.equal(operators.length, library === 'c++abi' ? 20 : 0)
    assert.ok(operators.every((name) => weak.includes(name)))
  }
})

test('a library is found by the names that stand for it in the SDK, and by install name', () => {
  for (const name of ['System', 'System.B', 'c', 'm', 'pthread', 'dl', 'info', 'proc', '/usr/lib/libSystem.B.dylib'])
    assert.equal(findEmbeddedStub(name)?.installName, '/usr/lib/libSystem.B.dylib', name)
  assert.equal(findEmbeddedStub('c++')?.installName, '/usr/lib/libc++.1.dylib')
  assert.equal(findEmbeddedStub('/usr/lib/libc++abi.dylib')?.installName, '/usr/lib/libc++abi.dylib')
  assert.equal(findEmbeddedStub('objc')?.installName, '/usr/lib/libobjc.A.dylib')
  assert.equal(findEmbeddedStub('iconv')?.installName, '/usr/lib/libiconv.2.dylib')
})

test('a library without a stub gives null', () => {
  for (const name of ['', 'z', 'util', 'resolv', 'system', 'libSystem', 'constructor', '__proto__'])
    assert.equal(findEmbeddedStub(name), null, name)
})

test('every re-exported library has a stub', () => {
  for (const library of LIBRARIES)
    for (const inner of stubOf(library).reexports) assert.equal(stubOf(inner).installName, inner)
})

test('versions are packed as load commands hold them', () => {
  assert.equal(stubOf('System').currentVersion, 1351 << 16)
  assert.equal(stubOf('c++').currentVersion, (1900 << 16) | (180 << 8))
  assert.equal(stubOf('iconv').compatibilityVersion, 0x70000)
})
