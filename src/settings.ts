// The options of a link with every default filled in, as ld64.lld 22 decides them.
import { alignUp } from './core/align.ts'
import type { Arch, Input, LinkOptions, Platform, PlatformName } from './types.ts'

export interface Settings extends LinkOptions {
  inputs: Input[]
  arch: Arch
  platform: Platform
  output: string
  outputType: 'execute' | 'dylib' | 'bundle'
  pageSize: number
  imageBase: number
  layout: 'tight' | 'padded'
  pagezeroSize: number
  headerPad: number
  fixupChains: boolean
  dataConst: boolean
  initOffsets: boolean
  pie: boolean
  adhocCodesign: boolean
  deduplicateLiterals: boolean
  functionStarts: boolean
  dataInCode: boolean
  objcRelativeMethodLists: boolean
  installName: string
  finalOutput: string
}

export function version(major: number, minor = 0, patch = 0): number {
  return major * 65536 + minor * 256 + patch
}

export function versionText(packed: number): string {
  const [major, minor, patch] = [Math.floor(packed / 65536), (packed >>> 8) & 255, packed & 255]
  return patch === 0 ? `${major}.${minor}` : `${major}.${minor}.${patch}`
}

/** All three parts, as LLVM's tools print a version that they have read from a file. */
export function fullVersionText(packed: number): string {
  return `${Math.floor(packed / 65536)}.${(packed >>> 8) & 255}.${packed & 255}`
}

/** The first versions whose dyld reads chained fixups (ld64.lld's table). */
const CHAINED_SINCE: Partial<Record<PlatformName, number>> = {
  macos: version(13),
  ios: version(13, 4),
  'ios-simulator': version(16),
  tvos: version(14),
  'tvos-simulator': version(15),
  watchos: version(7),
  'watchos-simulator': version(8),
  xros: version(1),
  'xros-simulator': version(1),
}

/** The first versions whose Objective-C runtime reads relative method lists. */
const RELATIVE_METHODS_SINCE: Partial<Record<PlatformName, number>> = {
  macos: version(10, 16),
  ios: version(14),
  'ios-simulator': version(14),
  tvos: version(14),
  'tvos-simulator': version(14),
  watchos: version(7),
  'watchos-simulator': version(7),
  bridgeos: version(5),
  xros: version(1),
  'xros-simulator': version(1),
}

/** The first versions whose dyld write-protects __DATA_CONST (ld64.lld's table; a simulator counts as its device). */
const DATA_CONST_SINCE: Partial<Record<PlatformName, number>> = {
  macos: version(10, 15),
  ios: version(13),
  'ios-simulator': version(13),
  tvos: version(13),
  'tvos-simulator': version(13),
  watchos: version(6),
  'watchos-simulator': version(6),
  xros: version(1),
  'xros-simulator': version(1),
  bridgeos: version(4),
}

function since(table: Partial<Record<PlatformName, number>>, platform: Platform): boolean {
  const first = table[platform.name]
  return first !== undefined && platform.minVersion >= first
}

const SIMULATORS: readonly PlatformName[] = ['ios-simulator', 'tvos-simulator', 'watchos-simulator', 'xros-simulator']

/** Every default depends on the architecture and platform, which the caller has found in options or the first object. */
export function settle(options: LinkOptions, arch: Arch, platform: Platform): Settings {
  const outputType = options.outputType ?? 'execute'
  const output = options.output ?? 'a.out'
  // Libraries and all of arm64 are position independent whatever -no_pie says.
  const pie = outputType !== 'execute' || arch === 'arm64' || (options.pie ?? true)
  const fixupChains = pie && (options.fixupChains ?? since(CHAINED_SINCE, platform))
  const pagezeroSize = options.pagezeroSize ?? 4294967296
  const pageSize = arch === 'arm64' ? 0x4000 : 0x1000
  const signedByDefault = arch === 'arm64' && (platform.name === 'macos' || SIMULATORS.includes(platform.name))
  return {
    ...options,
    inputs: options.inputs.map((input) => (typeof input === 'string' ? { path: input } : input)),
    arch,
    platform,
    output,
    outputType,
    pageSize,
    pagezeroSize,
    imageBase: alignUp(options.imageBase ?? (outputType === 'execute' ? pagezeroSize : 0), pageSize),
    layout: options.layout ?? 'tight',
    headerPad: options.headerPad ?? 32,
    fixupChains,
    pie,
    dataConst: options.dataConst ?? (pie && since(DATA_CONST_SINCE, platform)),
    initOffsets: options.initOffsets ?? fixupChains,
    adhocCodesign: options.adhocCodesign ?? signedByDefault,
    deduplicateLiterals: options.deduplicateLiterals ?? true,
    functionStarts: options.functionStarts ?? true,
    dataInCode: options.dataInCode ?? true,
    objcRelativeMethodLists: options.objcRelativeMethodLists ?? since(RELATIVE_METHODS_SINCE, platform),
    installName: options.installName ?? options.finalOutput ?? output,
    finalOutput: options.finalOutput ?? output,
  }
}
