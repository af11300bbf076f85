// Names of local symbols that outlive the string tables of split files.
/** Tables.localsSize of a file for whose names there was no room: its string table must stay. */
export const LOCALS_LOST = 0xffffffff
