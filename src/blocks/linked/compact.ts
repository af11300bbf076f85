// The canonical layout of a linked file under edit: its edits are made again on the file as it was given, in the order of names. Rows
// are others then; handles stay.
import { EDIT_FREED } from '../../../components/edits.ts'
import { growColumns } from '../../../components/columns.ts'
import { FormatError } from '../../core/bytes.ts'
import { highestId } from '../../ecs.ts'
import { encodeRecord, type Recorded } from '../record.ts'
import { freeBlock } from '../freeBlock.ts'
import { blockHandle, blockOf, type HandleIds, importHandle, importOf } from '../handles.ts'
import { addLibrary, makeStrong } from '../imports.ts'
import { componentsOf, sectionSize } from '../layout.ts'
import { readRecord } from '../readRecord.ts'
import { type Contents, fill, type LinkedHandles } from '../reopen.ts'
import type { State } from '../state.ts'
import type { BlockHandle, BlockImage, ImportHandle } from '../types.ts'
import { stringText } from '../strings.ts'
import { openLinked } from './openLinked.ts'
import { hasStoredZeros } from './replace.ts'
import { lacksUnwindRoom, unwindRoomFor } from './unwind.ts'

/** `over` gives the interface of a state. */
export function compactLinked(state: State, over: (state: State) => BlockImage): void {
  makeAgain(state, over, unwindRoomFor(state, 0), hasStoredZeros(state))
}

/** Has bytes in the file where the variable that `update` is for has none; what `act` refuses leaves all as it was. */
export function withStoredZeros(
  state: State,
  over: (state: State) => BlockImage,
  wanted: boolean,
  act: () => void,
): void {
  if (!wanted) return act()
  const room = state.base!.unwind?.room ?? 0
  withAll(state, () => makeAgain(state, over, room, true), 'contents take bytes in the file', act)
}

/** Makes room where what `act` brings needs some for its unwind information; what `act` refuses leaves all as it was. */
export function withUnwindRoom(
  state: State,
  over: (state: State) => BlockImage,
  bringsUnwind: boolean,
  act: () => void,
): void {
  if (!lacksUnwindRoom(state, bringsUnwind)) return act()
  const make = () => makeAgain(state, over, unwindRoomFor(state, 1), state.base!.zeros > 0)
  withAll(state, make, 'unwind information takes room in front of the code', act)
}

function withAll(state: State, make: () => void, why: string, act: () => void): void {
  const before = { ...state }
  try {
    make()
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    throw new TypeError(`updateBlock: ${why}: ${trouble.message}`)
  }
  try {
    act()
  } catch (trouble) {
    Object.assign(state, before)
    throw trouble
  }
}

function makeAgain(state: State, over: (state: State) => BlockImage, unwindRoom: number, storesZeros: boolean): void {
  const { source, options } = state.base!
  const recorded = encodeRecord(state, false)
  const record = readRecord(recorded.bytes, 0, recorded.bytes.length, false)
  const fresh = openLinked(source, options, unwindRoom, storesZeros)
  fresh.file = state.file
  const file = { options: { arch: state.settings.arch }, image: contentsOf(state), record, recordAt: 0 }
  const filled = fill(over(fresh), file, linkedHandles(fresh))
  const rows = rowsOf(state, fresh, recorded, filled)
  const { flags } = state.blocks.Place
  for (let old = 1; old < rows.blocks.length; old++)
    if (rows.blocks[old] !== 0 && flags[old] & EDIT_FREED) freeBlock(fresh, rows.blocks[old])
  fresh.handleIds = renumber(state, fresh, rows)
  Object.assign(state, fresh)
}

export function linkedHandles(state: State): LinkedHandles {
  const { firstBlock, count, original } = state.base!
  const imports: ImportHandle[] = []
  for (let made = 1; made < original.importFlags.length; made++) imports.push(importHandle(state, made))
  return {
    blockAt: (number) => (number >= 0 && number < count ? blockHandle(state, firstBlock + number) : undefined),
    nameAt: (number) =>
      number >= 0 && number < count ? stringText(state, state.blocks.Entry.string[firstBlock + number]) : '',
    imports,
    begin: ({ libraries, strong }) => {
      for (const library of libraries) addLibrary(state, 'openImage', library)
      for (const number of strong) {
        if (imports[number] === undefined) throw new TypeError(`the linked file has no import ${number}`)
        makeStrong(state, number + 1)
      }
    },
  }
}

function contentsOf(state: State): Contents {
  const { outputs, segments, base, bytes } = state
  const sections: Contents['sections'][number][] = base!.image.sections.slice()
  for (let output = 1; output <= outputs.count; output++) {
    const index = outputs.Section.index[output]
    if (index === 0) continue
    sections[index - 1] = {
      segment: segments.names[outputs.Section.segment[output]],
      name: outputs.names[output],
      flags: outputs.Section.flags[output],
      offset: outputs.Extent.fileOffset[output],
      size: sectionSize(state, output),
    }
  }
  return { bytes, sections }
}

interface Rows {
  /** By old row: the new one, 0 where there is none. */
  blocks: Uint32Array
  imports: Uint32Array
}

function rowsOf(
  state: State,
  fresh: State,
  recorded: Recorded,
  { blocks, imports }: { blocks: BlockHandle[]; imports: ImportHandle[] },
): Rows {
  const base = state.base!
  const rows = { blocks: new Uint32Array(state.blocks.rows + 1), imports: new Uint32Array(state.imports.rows + 1) }
  for (let i = 0; i < base.count; i++) rows.blocks[base.firstBlock + i] = fresh.base!.firstBlock + i
  recorded.recordedBlocks.forEach((old, number) => {
    rows.blocks[old] = blockOf(fresh, 'compact', blocks[number])
  })
  for (let made = 1; made < base.original.importFlags.length; made++) rows.imports[made] = made
  recorded.recordedImports.forEach((old, number) => {
    const first = base.original.importFlags.length - 1
    rows.imports[old] = importOf(fresh, 'compact', imports[first + number])
  })
  return rows
}

type Kind = { world: Parameters<typeof highestId>[0] }

/** New rows have the ids, and the lives, that handles know; those of nobody get what is left. */
function renumber(state: State, fresh: State, rows: Rows): { blocks: HandleIds; imports: HandleIds } {
  const { blocks = null, imports = null } = state.handleIds ?? {}
  const countIds = (known: HandleIds | null, old: Kind, made: Kind) =>
    Math.max(known?.ids.length ?? 0, highestId(old.world) + 1, highestId(made.world) + 1)
  const blockCount = countIds(blocks, state.blocks, fresh.blocks)
  const importCount = countIds(imports, state.imports, fresh.imports)
  grow(fresh.blocks, Object.values(componentsOf(fresh)), blockCount)
  grow(fresh.imports, [fresh.imports.Library, fresh.imports.Use, fresh.uses.Uses], importCount)
  const lives = [state.blocks.Place.generation, state.uses.Uses.generation] as const
  return {
    blocks: renumberKind(blocks, rows.blocks, blockCount, lives[0], fresh.blocks.Place.generation),
    imports: renumberKind(imports, rows.imports, importCount, lives[1], fresh.uses.Uses.generation),
  }
}

function grow(kind: { rows: number }, components: readonly object[], count: number): void {
  if (count <= kind.rows) return
  kind.rows = count
  for (const component of components) growColumns(component as Parameters<typeof growColumns>[0], count)
}

function renumberKind(
  known: HandleIds | null,
  rows: Uint32Array,
  count: number,
  oldLives: ArrayLike<number>,
  lives: { [row: number]: number },
): HandleIds {
  const ids = new Uint32Array(count)
  const taken = new Uint32Array(count)
  const take = (id: number, row: number) => {
    ids[row] = id
    taken[id] = row
    lives[row] = oldLives[known?.rows[id] ?? id] ?? 0
  }
  for (let old = 1; old < rows.length; old++) if (rows[old] !== 0) take(known?.ids[old] ?? old, rows[old])
  let id = 1
  for (let row = 1; row < count; row++) {
    if (ids[row] !== 0) continue
    while (taken[id] !== 0) id++
    take(id, row)
  }
  return { ids, rows: taken }
}
