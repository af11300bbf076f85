// Layouts of Objective-C classes and categories, as objc-runtime-new.h of objc4 declares them: byte offsets of fields.

export const CLASS_METACLASS = 0
export const CLASS_READ_ONLY = 32

/** Of class_ro_t. */
/** Flags and sizes stand before, then all fields are pointers. */
export const READ_ONLY_POINTERS = 16
export const READ_ONLY_NAME = 24
export const READ_ONLY_METHODS = 32
export const READ_ONLY_PROTOCOLS = 40
export const READ_ONLY_PROPERTIES = 64
export const READ_ONLY_SIZE = 72
/** Below an address of class_ro_t: flags of Swift classes. */
export const READ_ONLY_FLAGS = 7

export const CATEGORY_NAME = 0
export const CATEGORY_CLASS = 8
export const CATEGORY_INSTANCE_METHODS = 16
export const CATEGORY_CLASS_METHODS = 24
export const CATEGORY_PROTOCOLS = 32
export const CATEGORY_INSTANCE_PROPERTIES = 40
export const CATEGORY_CLASS_PROPERTIES = 48
/** u32: bytes of the category, the last four being padding. */
export const CATEGORY_SIZE_FIELD = 56
export const CATEGORY_SIZE = 64
/** Of property_t, and of a pointer to protocol_t. Lists of those begin with a u64 count; compilers end them with a null. */
export const PROPERTY_SIZE = 16
export const PROTOCOL_SIZE = 8
