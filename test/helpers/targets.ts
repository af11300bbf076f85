export type Arch = 'x86_64' | 'arm64'
export type Fixups = 'chained' | 'opcodes'

/** One of the four ways in which every feature is tried. `flags` are the linker's for it. */
export interface Target {
  arch: Arch
  fixups: Fixups
  name: string
  flags: readonly string[]
}

export const archs: readonly Arch[] = ['x86_64', 'arm64']

export const targets: readonly Target[] = archs.flatMap((arch) => [
  createTarget(arch, 'chained'),
  createTarget(arch, 'opcodes'),
])

export function createTarget(arch: Arch, fixups: Fixups): Target {
  const form = fixups === 'chained' ? '-fixup_chains' : '-no_fixup_chains'
  const flags = ['-arch', arch, '-platform_version', 'macos', '13.0', '13.0', form]
  return { arch, fixups, name: `${arch}, ${fixups}`, flags }
}

export function forEachTarget(use: (target: Target) => void): void {
  for (const target of targets) use(target)
}

export const MACOS_13 = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const

/** What the library takes for `flags`. */
export function targetOptions({ arch, fixups }: Target) {
  return { arch, platform: MACOS_13, fixupChains: fixups === 'chained' }
}
