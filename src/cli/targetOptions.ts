// -arch, -platform_version and the older -macos_version_min family.
import { type Messages, error } from '../core/messages.ts'
import type { Arch, LinkOptions, PackedVersion, Platform, PlatformName } from '../types.ts'
import { type ArgumentList, all, lastOf, lastValue } from './argumentList.ts'
import type { Argument } from './parseArguments.ts'
import { parseVersion } from './parseVersion.ts'

/** By PLATFORM_ number (mach-o/loader.h), from 1. */
const PLATFORMS: readonly PlatformName[] = [
  'macos',
  'ios',
  'tvos',
  'watchos',
  'bridgeos',
  'mac-catalyst',
  'ios-simulator',
  'tvos-simulator',
  'watchos-simulator',
  'driverkit',
  'xros',
  'xros-simulator',
]

const OLD_OPTIONS: Readonly<Record<string, PlatformName>> = {
  '-macos_version_min': 'macos',
  '-ios_version_min': 'ios',
  '-ios_simulator_version_min': 'ios-simulator',
  '-maccatalyst_version_min': 'mac-catalyst',
  '-tvos_version_min': 'tvos',
  '-watchos_version_min': 'watchos',
  '-bridgeos_version_min': 'bridgeos',
  '-driverkit_version_min': 'driverkit',
}

type Target = Pick<LinkOptions, 'arch' | 'platform' | 'secondaryPlatform'>

/** Reports what is missing or malformed, in ld64.lld's order: platform first, architecture last. */
export function targetOptions(args: ArgumentList, outputType: string, messages: Messages): Target {
  const given = lastValue(args, '-arch') ?? ''
  // Haswell code links with any other for the processor; the output says x86_64.
  const name = given === 'x86_64h' ? 'x86_64' : given
  if (name === '') {
    error(messages, 'missing-arch', 'must specify -arch')
    return {}
  }
  const platforms = findPlatforms(args, name, messages)
  const chosen = choosePlatforms(platforms, outputType, messages)
  if (chosen === null || (name !== 'arm64' && name !== 'x86_64')) {
    error(messages, 'unsupported-arch', `missing or unsupported -arch ${name}`)
    return {}
  }
  return { arch: name satisfies Arch, ...chosen }
}

function findPlatforms(args: ArgumentList, arch: string, messages: Messages): Map<string, Platform> {
  const platforms = new Map<string, Platform>()
  for (const argument of all(args, '-platform_version')) {
    const platform = parsePlatform(argument, messages)
    platforms.set(platform.name, platform)
  }
  const old = platforms.size > 0 ? undefined : lastOf(args, ...Object.keys(OLD_OPTIONS))
  if (old !== undefined) {
    const platform = oldPlatform(args, old, arch, messages)
    platforms.set(platform.name, platform)
  }
  return platforms
}

function parsePlatform({ values: [given = '', minimum = '', sdk = ''] }: Argument, messages: Messages): Platform {
  const name = platformName(given)
  if (name === null) error(messages, 'malformed-platform', `malformed platform: ${given}`)
  return {
    name: name ?? 'macos',
    minVersion: versionOr(minimum, 'malformed minimum version', messages),
    sdkVersion: versionOr(sdk, 'malformed sdk version', messages),
  }
}

function platformName(given: string): PlatformName | null {
  const name = given
    .toLowerCase()
    .replaceAll(' ', '-')
    .replace(/^visionos/, 'xros')
  const byNumber = /^\d+$/.test(name) ? PLATFORMS[Number(name) - 1] : undefined
  return byNumber ?? PLATFORMS.find((known) => known === name) ?? null
}

/** ld64.lld reads a fourth component and drops it. */
function versionOr(text: string, complaint: string, messages: Messages): PackedVersion {
  const version = parseVersion(text, 4)
  if (version === null) error(messages, 'malformed-version', `${complaint}: ${text}`)
  return version ?? 0
}

/** The SDK version is -sdk_version, or what the name of the SDK says, or the minimum. ld64 takes iOS on x86_64 for the simulator. */
function oldPlatform(args: ArgumentList, argument: Argument, arch: string, messages: Messages): Platform {
  const device = OLD_OPTIONS[argument.name!]!
  const simulated = arch === 'x86_64' && ['ios', 'tvos', 'watchos'].includes(device)
  const minVersion = versionOr(argument.values[0]!, 'malformed minimum version', messages)
  const named = /[A-Za-z](\d+(\.\d+)*)\.sdk\/?$/.exec(lastValue(args, '-syslibroot') ?? '')?.[1]
  const sdk = lastValue(args, '-sdk_version') ?? named
  return {
    name: simulated ? (`${device}-simulator` as PlatformName) : device,
    minVersion,
    sdkVersion: sdk === undefined ? minVersion : versionOr(sdk, 'malformed sdk version', messages),
  }
}

function choosePlatforms(
  platforms: ReadonlyMap<string, Platform>,
  outputType: string,
  messages: Messages,
): Pick<Target, 'platform' | 'secondaryPlatform'> | null {
  if (platforms.size === 0) error(messages, 'missing-platform', 'must specify -platform_version')
  if (platforms.size > 2) error(messages, 'too-many-platforms', 'must specify -platform_version at most twice')
  if (platforms.size === 1) return { platform: [...platforms.values()][0]! }
  if (platforms.size !== 2) return null
  const macos = platforms.get('macos')
  const catalyst = platforms.get('mac-catalyst')
  if (macos === undefined || catalyst === undefined) {
    error(messages, 'bad-zippering', 'lld supports writing zippered outputs only for macos and mac-catalyst')
    return null
  }
  if (outputType === 'execute')
    error(messages, 'bad-zippering', 'writing zippered outputs only valid for -dylib and -bundle')
  return { platform: macos, secondaryPlatform: catalyst }
}
