// What the inner loops are written in: TypeScript that AssemblyScript reads too. Its numbers have widths there, and what is a typed
// array here is the address of one in the memory of the WebAssembly instance.
export type i32 = number
export type u32 = number
export type f64 = number
export type U8 = Uint8Array
export type U16 = Uint16Array
export type U32 = Uint32Array
/** Bytes read as little-endian words wherever they lie. */
export type View = DataView
