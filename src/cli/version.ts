/** The version in package.json; a test holds the two together. */
export const VERSION = '0.1.0'

/** Meson takes a linker for LLD by the word in this line; the dependency file carries it too. */
export const VERSION_LINE = `Colonnade ${VERSION} (compatible with LLD 22)`
