// What is bound must agree with the undefined symbols: library, weak import, flags of the header.
import * as C from '../formats/macho/constants.ts'
import { type Check, fail, warn } from './context.ts'
import { symbolDesc, symbolName, symbolsOf } from './checkSymbols.ts'

export interface Imports {
  /** n_desc of each undefined symbol. */
  undefined: Map<string, number>
  /** Imports that were checked: by name, ordinal * 2 + weak. */
  seen: Map<string, Set<number>>
}

export function importsOf(check: Check): Imports {
  const found = new Map<string, number>()
  const { dysymtab } = check.image
  const symbols = symbolsOf(check)
  if (dysymtab !== null) {
    const end = Math.min(symbols.count, dysymtab.undefinedIndex + dysymtab.undefinedCount)
    for (let row = dysymtab.undefinedIndex; row < end; row++)
      found.set(symbolName(symbols, row), symbolDesc(symbols, row))
  }
  return { undefined: found, seen: new Map() }
}

function checkOrdinal(check: Check, name: string, ordinal: number): void {
  const { dylibs, flags } = check.image
  if (ordinal < C.BIND_SPECIAL_DYLIB_WEAK_LOOKUP || ordinal > dylibs.length) {
    fail(check, 'bind-ordinal', `bind of ${name}: library ${ordinal} of ${dylibs.length}`)
  }
  const weakFlags = C.MH_WEAK_DEFINES | C.MH_BINDS_TO_WEAK
  if (ordinal === C.BIND_SPECIAL_DYLIB_WEAK_LOOKUP && (flags & weakFlags) === 0) {
    warn(check, 'bind-weak', `weak bind of ${name} without MH_WEAK_DEFINES or MH_BINDS_TO_WEAK`)
  }
}

export function checkImport(check: Check, imports: Imports, name: string, ordinal: number, weak: boolean): void {
  const key = ordinal * 2 + (weak ? 1 : 0)
  const seen = imports.seen.get(name)
  if (seen?.has(key)) return
  if (seen === undefined) imports.seen.set(name, new Set([key]))
  else seen.add(key)
  if (name === '') fail(check, 'bind-name', 'a bind with an empty symbol name')
  checkOrdinal(check, name, ordinal)
  const desc = imports.undefined.get(name)
  if (desc === undefined || ordinal <= 0) return
  if ((check.image.flags & C.MH_TWOLEVEL) !== 0 && desc >>> 8 !== ordinal && desc >>> 8 < C.MAX_LIBRARY_ORDINAL) {
    warn(check, 'bind-ordinal', `bind of ${name} names library ${ordinal}, the symbol table ${desc >>> 8}`)
  }
  if (((desc & C.N_WEAK_REF) !== 0) !== weak) {
    warn(check, 'bind-weak', `bind of ${name} is ${weak ? '' : 'not '}a weak import, the symbol table says otherwise`)
  }
}
