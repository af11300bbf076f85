// The lists themselves. The command has them in a file of their own, which links with an SDK do not read (bench/bundle.ts).
export { libcxxSymbols } from './libcxx.ts'
export { libcxxabiSymbols, libcxxabiWeakSymbols } from './libcxxabi.ts'
export { libiconvSymbols } from './libiconv.ts'
export { libobjcSymbols, libobjcSymbolsArm64, libobjcSymbolsX86_64 } from './libobjc.ts'
export { libSystemSymbols, libSystemSymbolsArm64, libSystemSymbolsX86_64 } from './libSystem.ts'
