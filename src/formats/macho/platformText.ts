const TEXTS: Readonly<Record<number, string>> = {
  1: 'macOS',
  2: 'iOS',
  3: 'tvOS',
  4: 'watchOS',
  5: 'bridgeOS',
  6: 'macCatalyst',
  7: 'iOS Simulator',
  8: 'tvOS Simulator',
  9: 'watchOS Simulator',
  10: 'DriverKit',
  11: 'xrOS',
  12: 'xrOS Simulator',
}

/** A platform by its PLATFORM_ number (mach-o/loader.h), as LLVM's tools name it in messages. */
export function platformText(platform: number): string {
  return TEXTS[platform] ?? `${platform}`
}
