// define: what the linker itself adds once every input is known: header symbols, tentative definitions, aliases, boundaries,
// created sections; then who is exported, who is imported, and what each symbol row refers to.
// Reads: names, symbols, dylibs. Writes: names, imports, Reference.target, coalesced blocks; the internal file's rows.
// After the fixpoint of load and resolve, before anything follows a reference. Cost: one pass over the symbols, a few over the names.

import { FILE_BROKEN, FILE_LOADED, FILE_OBJECT } from '../components/files.ts'
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
import { ranksBefore } from './kernels/ranks.ts'

export function define(link: Link): void {
  link.order = loadedInOrder(link)
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

function loadedInOrder(link: Link): Uint32Array {
  const { files } = link
  const order: number[] = []
  for (let file = 1; file <= files.count; file++)
    if (
      files.Source.kind[file] === FILE_OBJECT &&
      (files.Source.flags[file] & (FILE_LOADED | FILE_BROKEN)) === FILE_LOADED
    )
      order.push(file)
  order.sort((a, b) => (ranksBefore(link, a, b) ? -1 : 1))
  return Uint32Array.from(order)
}
