// Which part of a stub is for the wanted architecture and platform.
import type { PlatformName } from '../../types.ts'
import { platformNamed } from './platforms.ts'

/** `platform` null: any. */
export interface TbdWanted {
  arch: string
  platform: PlatformName | null
  /** The very architecture, not one of its processor type. */
  exact?: boolean
}

export interface TbdTarget {
  arch: string
  platform: PlatformName
}

/** Architectures by processor type: ld64.lld takes any of the same type, arm64e for arm64 for one. */
const FAMILIES: Readonly<Record<string, string>> = {
  i386: 'i386',
  x86_64: 'x86_64',
  x86_64h: 'x86_64',
  armv4t: 'arm',
  armv5: 'arm',
  armv6: 'arm',
  armv6m: 'arm',
  armv7: 'arm',
  armv7em: 'arm',
  armv7k: 'arm',
  armv7m: 'arm',
  armv7s: 'arm',
  arm64: 'arm64',
  arm64e: 'arm64',
  arm64_32: 'arm64_32',
}

/** Whether code for `arch` may link against a library for `other`; an architecture that is not known never. */
export function sameFamily(arch: string, other: string): boolean {
  return Object.hasOwn(FAMILIES, other) && Object.hasOwn(FAMILIES, arch) && FAMILIES[arch] === FAMILIES[other]
}

/** `arm64-ios-simulator`; null when the architecture or the platform is not known. */
export function parseTarget(text: string): TbdTarget | null {
  const dash = text.indexOf('-')
  const arch = text.slice(0, dash)
  const platform = dash < 0 ? null : platformNamed(text.slice(dash + 1))
  return platform !== null && Object.hasOwn(FAMILIES, arch) ? { arch, platform } : null
}

/** Targets of the one `platform:` of versions 1 to 3. Intel with a device's platform means its simulator. */
export function crossTargets(archs: readonly string[], platformText: string): TbdTarget[] {
  const single = platformNamed(platformText)
  const platforms: PlatformName[] =
    platformText === 'zippered' ? ['macos', 'mac-catalyst'] : single === null ? [] : [single]
  const targets: TbdTarget[] = []
  for (const arch of archs) {
    if (!Object.hasOwn(FAMILIES, arch)) continue
    const isIntel = FAMILIES[arch] === 'x86_64' || arch === 'i386'
    for (const platform of platforms) {
      const isDevice = platform === 'ios' || platform === 'tvos' || platform === 'watchos'
      targets.push({ arch, platform: isIntel && isDevice ? (`${platform}-simulator` as PlatformName) : platform })
    }
  }
  return targets
}

export function matchesTarget(wanted: TbdWanted, target: TbdTarget): boolean {
  if (wanted.exact === true && wanted.arch !== target.arch) return false
  return sameFamily(wanted.arch, target.arch) && (wanted.platform === null || wanted.platform === target.platform)
}
