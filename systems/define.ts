// define: what the linker itself adds once every input is known: header symbols, tentative definitions, aliases, boundaries,
// created sections; then who is exported, who is imported, and what each symbol row refers to.
// Reads: names, symbols, dylibs. Writes: names, imports, Reference.target, coalesced blocks; the internal file's rows.
// After the fixpoint of load and resolve, before anything follows a reference. Cost: one pass over the symbols, a few over the names.

import type { Link } from '../components/link.ts'
import { defineAliases } from './define/aliases.ts'
import { findOverrides } from './define/overrides.ts'
import { createSections, defineBoundaries, defineCommons, defineHeader } from './define/own.ts'
import { decideExports } from './define/exports.ts'
import { defineOtherImports } from './define/imports.ts'
import { reportLoads } from './define/loadReports.ts'
import { defineMessageStubs, pointMessenger } from './define/messageStubs.ts'
import { pointSymbols } from './define/pointSymbols.ts'
import { defineReexports } from './define/reexports.ts'
import { reportDuplicates } from './kernels/duplicates.ts'

export function define(link: Link): void {
  reportLoads(link)
  findOverrides(link)
  defineHeader(link)
  defineCommons(link)
  defineAliases(link)
  defineBoundaries(link)
  createSections(link)
  defineMessageStubs(link)
  if (!link.settings.deadStripDuplicates) reportDuplicates(link)
  pointSymbols(link, decideExports(link))
  defineOtherImports(link)
  defineReexports(link)
  pointMessenger(link)
}
