// Layout of Objective-C method lists, as objc-runtime-new.h of objc4 declares it.

/** u32 entry size and flags, u32 count. */
export const METHODS_HEADER = 8
/** Pointers to name, types and implementation. */
export const METHOD_SIZE = 24
/** 32-bit distances to the selector's pointer, the types and the implementation. */
export const RELATIVE_METHOD_SIZE = 12
/** In the entry size word: the methods are distances. */
export const RELATIVE_METHODS = 0x80000000
/** Flags beside the entry size. */
export const METHOD_FLAGS_MASK = 0xffff0003
