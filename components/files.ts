// Input files: object files, archives and their members, dylibs. One entity each.
import { createKind } from '../src/ecs.ts'
import { columns } from './columns.ts'

export const FILE_OBJECT = 1
export const FILE_ARCHIVE = 2
export const FILE_DYLIB = 3
/** The linker's own blocks and symbols: boundary symbols, aliases, -sectcreate. */
export const FILE_INTERNAL = 4
/** An archive member that is no object (a Rust metadata file). */
export const FILE_OTHER = 5
/** A member of a thin archive whose file is not there. */
export const FILE_MISSING = 6

/** Takes part in the link; a member of an archive is loaded when something wants it. */
export const FILE_LOADED = 1 << 0
/** Parsed: its symbols and blocks are in their columns. */
export const FILE_PARSED = 1 << 1
/** MH_SUBSECTIONS_VIA_SYMBOLS. */
export const FILE_SUBSECTIONS = 1 << 2
export const FILE_HIDDEN = 1 << 3
/** Named on the command line (not by LC_LINKER_OPTION, not a re-export). */
export const FILE_EXPLICIT = 1 << 4
/** Has DWARF that the debug map points to. */
export const FILE_DEBUG = 1 << 5
/** `--start-lib`: an object that is loaded like an archive member. */
export const FILE_LAZY = 1 << 6
export const FILE_FORCE_LOAD = 1 << 7
/** An error was found in its headers: not parsed further. */
export const FILE_BROKEN = 1 << 8
/** Its symbols and strings lie in the arena beside that of the rest, at the positions that they have in the file. */
export const FILE_SPLIT = 1 << 9
/** Sections of DWARF that only messages read were left in the file. */
export const FILE_SKIPPED = 1 << 10
/** Its external symbols (or, for an archive, its index) have been put into the resolver. */
export const FILE_RESOLVED = 1 << 11
/** Defines absolute or thread-local symbols or refers to some: its references need a closer look. */
export const FILE_SPECIAL = 1 << 12
/** What it was loaded to is no longer what its rows hold, or load had something to say of it: whoever takes it over loads it again. */
export const FILE_AGAIN = 1 << 13
/** Has LC_LINKER_OPTION. */
export const FILE_ASKS = 1 << 14

/** Rows of a kind that a session keeps free behind an object's own, where links are padded: its next version may have more. */
export function spareRows(rows: number): number {
  return 8 + (rows >>> 3)
}

export function createFiles(rows: number, shared: boolean) {
  /** Where the bytes lie. `arena` indexes link.arenas, `position` is in bytes, `path` indexes link.paths. */
  const Source = columns(
    rows,
    { kind: 'u8', flags: 'u16', arena: 'u8', position: 'u32', size: 'f64', path: 'u32', modified: 'f64' },
    shared,
  )
  /** Order on the command line: `rank` of the file, then `member` in its archive (header offset); `parent` is the archive. */
  const Order = columns(rows, { rank: 'u32', member: 'f64', parent: 'u32' }, shared)
  /** Its rows of the other kinds, each one contiguous range. */
  const Ranges = columns(
    rows,
    {
      section: 'u32',
      sections: 'u32',
      symbol: 'u32',
      symbols: 'u32',
      block: 'u32',
      blocks: 'u32',
      unwind: 'u32',
      unwinds: 'u32',
    },
    shared,
  )
  /**
   * Tables of an object, in bytes from the start of its arena; `nlist` and `strings` of a split file in the arena beside it. `locals`:
   * in the arena of local names, those of the symbols that are local and may be in the output, each with a NUL, for split files.
   */
  const Tables = columns(
    rows,
    {
      nlist: 'u32',
      strings: 'u32',
      stringsSize: 'u32',
      dataInCode: 'u32',
      dataInCodeSize: 'u32',
      hints: 'u32',
      hintsSize: 'u32',
      locals: 'u32',
      localsSize: 'u32',
    },
    shared,
  )
  /** For an archive, an index into link.archives. */
  const Detail = columns(rows, { archive: 'u32' }, shared)
  /** How many table entries the files before it have caused. */
  const Before = columns(rows, { gots: 'u32', tlvs: 'u32', stubs: 'u32' }, shared)
  /**
   * Its rows of the symbol table: where they begin in `locals` of link.table, and how many there are; in the padded layout also those
   * in `externals`; where their names begin, in the string table and in `externalNames`, and the bytes that these have.
   */
  const Rows = columns(
    rows,
    {
      local: 'u32',
      locals: 'u32',
      external: 'u32',
      externals: 'u32',
      localNames: 'u32',
      localRoom: 'u32',
      externalNames: 'u32',
      externalRoom: 'u32',
    },
    shared,
  )
  /** Rows that it may need, as counted before it was loaded, and the bytes of its string table. */
  const Counts = columns(
    rows,
    { sections: 'u32', symbols: 'u32', blocks: 'u32', unwinds: 'u32', strings: 'u32' },
    shared,
  )
  const components = { Source, Order, Ranges, Tables, Detail, Before, Rows, Counts }
  return { world: createKind(components, { reserve: rows }), count: 0, ...components }
}

export type Files = ReturnType<typeof createFiles>
