// What the system libraries export, for links without an SDK: names only, kept as text.
import type { Arch, PackedVersion } from '../types.ts'
import {
  libcxxabiSymbols,
  libcxxabiWeakSymbols,
  libcxxSymbols,
  libiconvSymbols,
  libobjcSymbols,
  libobjcSymbolsArm64,
  libobjcSymbolsX86_64,
  libSystemSymbols,
  libSystemSymbolsArm64,
  libSystemSymbolsX86_64,
} from './texts.ts'

// A text is made when a link asks for it: as constants all of them were read into memory at each start, 210 KB.
type Text = () => string

/** Symbol names as they stand in a symbol table, separated by white space; each field may start and end with it. */
export interface EmbeddedStub {
  readonly installName: string
  readonly currentVersion: PackedVersion
  readonly compatibilityVersion: PackedVersion
  /** Install names of the libraries whose exports count as this one's; each has an embedded stub too. */
  readonly reexports: readonly string[]
  /** `all` is what both architectures export; no name stands in two of the fields. */
  readonly symbols: { readonly all: Text; readonly x86_64?: Text; readonly arm64?: Text }
  /** Those of `symbols.all` that are weak definitions (EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION), which dyld coalesces. */
  readonly weakSymbols: Text
  /** Those of `symbols.all` that are thread-local (EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL). */
  readonly threadLocalSymbols: Text
}

const packed = (major: number, minor = 0): PackedVersion => (major << 16) | (minor << 8)

const none: Text = () => ''

const stubs: readonly EmbeddedStub[] = [
  {
    installName: '/usr/lib/libSystem.B.dylib',
    currentVersion: packed(1351),
    compatibilityVersion: packed(1),
    reexports: [],
    symbols: { all: libSystemSymbols, x86_64: libSystemSymbolsX86_64, arm64: libSystemSymbolsArm64 },
    weakSymbols: () => '__os_debug_log_redirect_func',
    threadLocalSymbols: none,
  },
  {
    installName: '/usr/lib/libc++.1.dylib',
    currentVersion: packed(1900, 180),
    compatibilityVersion: packed(1),
    reexports: ['/usr/lib/libc++abi.dylib'],
    symbols: { all: libcxxSymbols },
    weakSymbols: none,
    threadLocalSymbols: none,
  },
  {
    installName: '/usr/lib/libc++abi.dylib',
    currentVersion: packed(1900, 180),
    compatibilityVersion: packed(1),
    reexports: [],
    symbols: { all: libcxxabiSymbols },
    weakSymbols: libcxxabiWeakSymbols,
    threadLocalSymbols: none,
  },
  {
    installName: '/usr/lib/libobjc.A.dylib',
    currentVersion: packed(228),
    compatibilityVersion: packed(1),
    reexports: [],
    symbols: { all: libobjcSymbols, x86_64: libobjcSymbolsX86_64, arm64: libobjcSymbolsArm64 },
    weakSymbols: none,
    threadLocalSymbols: none,
  },
  {
    installName: '/usr/lib/libiconv.2.dylib',
    currentVersion: packed(7),
    compatibilityVersion: packed(7),
    reexports: [],
    symbols: { all: libiconvSymbols },
    weakSymbols: none,
    threadLocalSymbols: none,
  },
]

// The names that are symlinks to each library in the usr/lib of the macOS SDK; libutil and libresolv are libraries of their own there.
const aliases: Readonly<Record<string, readonly string[]>> = {
  '/usr/lib/libSystem.B.dylib': [
    'System',
    'System.B',
    'c',
    'dbm',
    'dl',
    'info',
    'm',
    'poll',
    'proc',
    'pthread',
    'rpcsvc',
  ],
  '/usr/lib/libc++.1.dylib': ['c++', 'c++.1'],
  '/usr/lib/libc++abi.dylib': ['c++abi'],
  '/usr/lib/libobjc.A.dylib': ['objc', 'objc.A'],
  '/usr/lib/libiconv.2.dylib': ['iconv', 'iconv.2'],
}

/** The stub of a library named as `-l` names it (`System`, `c++`) or by install name, or null where none is embedded. */
export function findEmbeddedStub(library: string): EmbeddedStub | null {
  for (const stub of stubs) {
    if (stub.installName === library || aliases[stub.installName]!.includes(library)) return stub
  }
  return null
}

/** Every name that the stub's library exports on `arch`, weak ones included, re-exported ones not, as white-space separated texts. */
export function stubTexts({ symbols }: EmbeddedStub, arch: Arch): string[] {
  const own = symbols[arch]
  return own === undefined ? [symbols.all()] : [symbols.all(), own()]
}
