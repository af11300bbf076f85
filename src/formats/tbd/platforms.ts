// Platforms by number (<mach-o/loader.h>) and by the names that stubs of all versions give them.
import type { PlatformName } from '../../types.ts'
import {
  PLATFORM_BRIDGEOS,
  PLATFORM_DRIVERKIT,
  PLATFORM_IOS,
  PLATFORM_IOSSIMULATOR,
  PLATFORM_MACCATALYST,
  PLATFORM_MACOS,
  PLATFORM_TVOS,
  PLATFORM_TVOSSIMULATOR,
  PLATFORM_WATCHOS,
  PLATFORM_WATCHOSSIMULATOR,
  PLATFORM_XROS,
  PLATFORM_XROS_SIMULATOR,
} from '../macho/constants.ts'

export const PLATFORM_NUMBERS: Readonly<Record<PlatformName, number>> = {
  macos: PLATFORM_MACOS,
  ios: PLATFORM_IOS,
  tvos: PLATFORM_TVOS,
  watchos: PLATFORM_WATCHOS,
  bridgeos: PLATFORM_BRIDGEOS,
  'mac-catalyst': PLATFORM_MACCATALYST,
  'ios-simulator': PLATFORM_IOSSIMULATOR,
  'tvos-simulator': PLATFORM_TVOSSIMULATOR,
  'watchos-simulator': PLATFORM_WATCHOSSIMULATOR,
  driverkit: PLATFORM_DRIVERKIT,
  xros: PLATFORM_XROS,
  'xros-simulator': PLATFORM_XROS_SIMULATOR,
}

const ALIASES: Readonly<Record<string, PlatformName>> = {
  macosx: 'macos',
  maccatalyst: 'mac-catalyst',
  iosmac: 'mac-catalyst',
  visionos: 'xros',
  'visionos-simulator': 'xros-simulator',
}

/** The platform that a stub calls `name` (`<6>` is a number), or null for one that is not known. */
export function platformNamed(name: string): PlatformName | null {
  if (Object.hasOwn(PLATFORM_NUMBERS, name)) return name as PlatformName
  if (Object.hasOwn(ALIASES, name)) return ALIASES[name]
  const numbered = /^<(\d{1,9})>$/.exec(name)
  return numbered === null ? null : platformNumbered(Number(numbered[1]))
}

export function platformNumbered(number: number): PlatformName | null {
  for (const name in PLATFORM_NUMBERS) {
    if (PLATFORM_NUMBERS[name as PlatformName] === number) return name as PlatformName
  }
  return null
}
