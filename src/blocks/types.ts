// The contract of block-level edits.
import type { FilePart, Host } from '../host/host.ts'
import type { Arch, Message, PackedVersion, Platform } from '../types.ts'

/** A block of the image. Freed ones are refused: an id that is used again makes another handle. */
export type BlockHandle = number & { readonly __handle?: 'block' }
export type ImportHandle = number & { readonly __handle?: 'import' }

export const BLOCK_SECTIONS = [
  '__TEXT,__text',
  '__TEXT,__const',
  '__DATA_CONST,__const',
  '__DATA,__data',
  '__DATA,__bss',
  '__DATA,__common',
] as const
export type BlockSection = (typeof BLOCK_SECTIONS)[number]

/** The most that hints may ask for. */
export const MAX_HINTS = { codeSize: 2 ** 28, symbolCount: 2 ** 24, headerPad: 2 ** 24 } as const

export interface ImageLibrary {
  installName: string
  currentVersion?: PackedVersion
  compatibilityVersion?: PackedVersion
  weak?: boolean
}

export interface ImageOptions {
  arch: Arch
  /** Default macOS 13. */
  platform?: Platform
  /**
   * An object is for another link: every `flush` writes it whole, its blocks, symbols and strings in the order of names. It has no
   * addresses, entry point or libraries (imports are names, whatever their library), and names that nothing defines are left undefined.
   * `openImage` goes on with one, and takes others.
   * Default `execute`.
   */
  outputType?: 'execute' | 'dylib' | 'object'
  /** Name of the entry point, default `_main`. */
  entry?: string
  /** Names the signature; where `write` is set, the file. */
  output?: string
  installName?: string
  currentVersion?: PackedVersion
  compatibilityVersion?: PackedVersion
  rpaths?: readonly string[]
  fixupChains?: boolean
  adhocCodesign?: boolean
  /** By ordinal; more may come with `addImport`. */
  libraries?: readonly (string | ImageLibrary)[]
  /** Hints: what the image has room for before anything has to move. */
  codeSize?: number
  symbolCount?: number
  /** Bytes kept free after the load commands, default 1024. Of a linked file: after those of edits, as the file has them or gets them. */
  headerPad?: number
  /**
   * What a branch to a block of the image goes through: `got`, a stub that jumps through its GOT entry, so that a block that moves
   * costs one slot; `direct`, nothing, so that its callers are patched. Default `got`.
   */
  calls?: 'got' | 'direct'
  /** What becomes of names that are referred to and not defined: a message, or a search of all images at run time. Default `error`. */
  undefined?: 'error' | 'dynamic_lookup'
  /** Bytes that a branch reaches where that is less than the architecture has it: for tests. */
  branchReach?: number
  /** For a native SHA-256 and, with `write`, the file. */
  host?: Host
  /** `flush` writes `output`. */
  write?: boolean
}

/** What may be another for a file that is opened again. */
export type OpenOptions = Pick<
  ImageOptions,
  'output' | 'host' | 'write' | 'codeSize' | 'symbolCount' | 'headerPad' | 'adhocCodesign'
>

export interface BlockRelocation {
  /** Bytes from the start of the code. */
  offset: number
  /**
   * As <mach-o/x86_64/reloc.h> and <mach-o/arm64/reloc.h> spell it: `X86_64_RELOC_BRANCH`, `ARM64_RELOC_PAGE21`. A difference of two
   * addresses is a SUBTRACTOR, whose target is subtracted, and right behind it an UNSIGNED at the same offset; it may stand anywhere.
   */
  type: string
  target: BlockHandle | ImportHandle
  /** Bytes added to the target's address; what the code holds in the field does not count. Default 0. */
  addend?: number
  /** Bytes of an UNSIGNED, default 8; 4 in a difference only. */
  size?: 4 | 8
}

/** The code from `offset` on, up to the next row, is that of a line; column 0 where it is not known. */
export interface BlockLine {
  offset: number
  line: number
  column?: number
}

/** How the unwinder gets from a function's frame to its caller's, in all of its code behind the prologue. */
export interface BlockUnwind {
  /**
   * As in <mach-o/compact_unwind_encoding.h>, of any mode but DWARF; the bits of personality and language-specific data are set by
   * the image.
   */
  encoding: number
  /** The function that finds handlers (`___gxx_personality_v0`), reached through its GOT entry; an image has at most three. */
  personality?: BlockHandle | ImportHandle
  /** Language-specific data for it: a block of `__TEXT,__const`, for one. */
  lsda?: BlockHandle
}

export interface BlockUpdate {
  /**
   * Default `__TEXT,__text`. In `__DATA,__common` an exported block is a tentative definition: the largest of its name counts, and
   * one in another section takes over.
   */
  section?: BlockSection
  /**
   * Every thread has a copy that begins with the contents, or with as many zeros as `code` says. The block's name is then that of its
   * descriptor: TLVP and TLV relocations lead there, and so do pointers and `addressOf`. No `section` goes with it. A variable of a
   * linked file takes other contents for every thread to begin with, where the file names those it was linked with.
   */
  threadLocal?: boolean
  /** A power of two of at most 4096; default 16 for code and 8 for all else. */
  align?: number
  /** The contents; for `__bss` and `__common` their size. */
  code: Uint8Array | number
  relocations?: readonly BlockRelocation[]
  /**
   * Where code comes from, in the order of offsets, and the path of its source: for the companion file, which `flush` keeps in step in
   * `OUTPUT.dSYM` where `write` is set.
   */
  lines?: readonly BlockLine[]
  file?: string
  /**
   * Without it exceptions and backtraces end at the function, as they do where __unwind_info says nothing. The first one that edits of a
   * linked file bring takes room in front of its code, so that its addresses change.
   */
  unwind?: BlockUnwind
}

export interface ExportOptions {
  /** Private extern: for names in this image only. */
  hidden?: boolean
  /**
   * Others of its name take over: any that is not weak, else the first of them; of several images dyld takes one for all. A call of it
   * goes through a stub, and code takes its address from the GOT.
   */
  weak?: boolean
  /**
   * A function without arguments that gives the address of the one to call. dyld asks it for other images; this one's blocks go to the
   * exported block, which is to call through a pointer of its own. For images with opcodes.
   */
  resolver?: BlockHandle
}

export interface ImportOptions {
  /** May be missing at run time; one that anyone needs is not. */
  weak?: boolean
  /** The library's definition is weak, so that all images use the same one (`operator new`). */
  weakDefinition?: boolean
}

export interface FlushResult {
  /** With an error nothing is written and `contents` is null; the edits stand, and the next flush tries again. */
  messages: Message[]
  /** The file. The bytes are the image's own: what is edited later shows in them after the next flush, or they are left behind. */
  contents: Uint8Array | null
  /** What differs from the contents of the flush before (all, where the size differs too). */
  ranges: FilePart[]
}

/** An image that a compiler's back end drives. Wrong use is a TypeError and leaves the image as it was. */
export interface BlockImage {
  /** Reserves symbol, block and, where calls go through it, GOT entry. The name is as in the symbol table: `_main`. */
  declareBlock(name: string): BlockHandle
  /**
   * Gives a block its contents, in place where they fit its room, else elsewhere. A function of a linked file begins with a jump to them
   * from then on; a variable of one keeps its place, and takes at most the bytes up to the next symbol.
   */
  updateBlock(block: BlockHandle, update: BlockUpdate): void
  /**
   * A name to refer to before anything defines it. It is then that of an exported block or, where there is none, of an import (of several,
   * that of the first library), whenever they come and go; what is defined nowhere is a message of `flush`. The same name is the same
   * handle, which has no contents and is not exported. `weak` counts with `undefined: 'dynamic_lookup'`.
   */
  declareUndefined(name: string, options?: { weak?: boolean }): BlockHandle
  /** Of a linked file's function or variable: puts back what was linked. */
  freeBlock(block: BlockHandle): void
  renameBlock(block: BlockHandle, name: string): void
  /** Makes the name known to other blocks and images; again, with other options. Of one name one definition may be strong. */
  exportSymbol(block: BlockHandle, options?: ExportOptions): void
  unexportSymbol(block: BlockHandle): void
  /**
   * Lets other images find an import of a library here, under its own or another name. The handle is for `freeBlock` and `renameBlock`;
   * blocks of this image refer to the import.
   */
  reexportSymbol(made: ImportHandle, name?: string): BlockHandle
  /** The same name of the same library is the same import. A library is an install name, or a special ordinal (-1, -2). */
  addImport(name: string, library: string | number, options?: ImportOptions): ImportHandle
  /** @throws TypeError while blocks refer to it. */
  freeImport(made: ImportHandle): void
  /** Addresses hold until something outgrows its table or section; `flush` says by its ranges. */
  addressOf(block: BlockHandle): number
  gotAddressOf(target: BlockHandle | ImportHandle): number
  stubAddressOf(target: BlockHandle | ImportHandle): number
  /** The exported block of a name, else the last declared one; a look at every block. */
  lookup(name: string): BlockHandle | null
  /**
   * Brings the file up to date. With `record` it says of itself what its blocks are and refer to, so that `openImage` can go on with
   * it: some 10 bytes a block and 6 a reference beside its name, and a pass over all of them. Without, a record that was there goes, as
   * it should before tools that do not know an LC_NOTE (llvm-strip 22 refuses it) see the file. Of a linked file it also holds what was
   * linked, as far as the file no longer says it: its tables in __LINKEDIT, for one.
   */
  flush(options?: { record?: boolean }): FlushResult
  /**
   * Brings all into the canonical layout, for the next flush to write: nothing has room, freed entries and places are gone, and
   * handles stay. The bytes then depend on nothing but what the image consists of: they are those of a fresh image of the same
   * options, libraries (in the order of their ordinals), imports and blocks, compacted before its first flush, in whatever order
   * these were declared, changed and filled. Sections, symbols, strings and table entries stand in the order of names (imports of one
   * name by ordinal; blocks of one name as they were declared, which is all that is left of history). Entries of the GOT and stubs
   * that only `gotAddressOf` and `stubAddressOf` asked for go. Addresses change, and the next edits make room again, once.
   * A linked file keeps its layout, and so do its addresses; its edits, with the room that new ones have, are those of the same file
   * opened afresh with the same libraries, imports and edits, and compacted.
   */
  compact(): void
  /** DWARF of the image that the last flush gave, as a Mach-O of type MH_DSYM; null where no block has brought lines. */
  debugFile(): Uint8Array | null
  /** Removes what is kept beside the file to write it by pieces. Without `write` there is nothing. */
  dispose(): void
}
