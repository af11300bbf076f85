// Branded ids: a plain number read from a column passes, an id of another kind is a compile error. 0 means none.
export type FileId = number & { readonly __entity?: 'file' }
export type SectionId = number & { readonly __entity?: 'section' }
export type BlockId = number & { readonly __entity?: 'block' }
export type SymbolId = number & { readonly __entity?: 'symbol' }
export type NameId = number & { readonly __entity?: 'name' }
export type ImportId = number & { readonly __entity?: 'import' }
export type GotId = number & { readonly __entity?: 'got' }
export type StubId = number & { readonly __entity?: 'stub' }
export type OutputId = number & { readonly __entity?: 'output' }
export type SegmentId = number & { readonly __entity?: 'segment' }
