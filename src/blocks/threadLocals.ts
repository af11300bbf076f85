// Thread-local variables. A block of them holds what a thread's copy begins with, and its symbol is a descriptor: a function, which dyld
// replaces, a key, and the offset in the template, which is __thread_data with __thread_bss behind it.
import { createDescriptors } from '../../components/edits.ts'
import { FILL_ABSENT, FILL_INPUTS } from '../../components/outputs.ts'
import { aliveCount, highestId, removeEntity } from '../ecs.ts'
import * as macho from '../formats/macho/constants.ts'
import { blockAddress, descriptorAddress, placeOf } from './entries.ts'
import { releaseImport } from './importRows.ts'
import { addSystemImport } from './imports.ts'
import { DESCRIPTOR_SIZE, growSection, layOut, numberSections, sectionSize } from './layout.ts'
import { dropPointer, putBind } from './pointers.ts'
import { markPages, type State, takeRow } from './state.ts'

const BOOTSTRAP = '__tlv_bootstrap'
const POINTER_SIZE = 8

const FLAGS = {
  threadVariables: macho.S_THREAD_LOCAL_VARIABLES,
  threadData: macho.S_THREAD_LOCAL_REGULAR,
  threadZeros: macho.S_THREAD_LOCAL_ZEROFILL,
} as const

/** Gives the block a descriptor; with the first one come the sections. */
export function makeThreadLocal(state: State, block: number): void {
  const { descriptors, sections } = state
  if (state.blocks.Entry.descriptor[block] !== 0) return
  if (aliveCount(descriptors.world) === 0) begin(state)
  const id = takeRow(descriptors, [descriptors.Owner])
  descriptors.Owner.block[id] = block
  state.blocks.Entry.descriptor[block] = id
  const size = sectionSize(state, sections.threadVariables)
  if (size > state.rooms.Room.capacity[sections.threadVariables]) growSection(state, sections.threadVariables, size)
  state.dirtyDescriptors.push(id)
}

function begin(state: State): void {
  if (state.bootstrap === 0) {
    const known = state.importRows.count - state.freeImportRows.length
    state.bootstrap = addSystemImport(state, BOOTSTRAP)
    state.bootstrapIsOurs = state.importRows.count - state.freeImportRows.length > known
    state.uses.Uses.references[state.bootstrap]++
  }
  if (state.outputs.Section.fill[state.sections.threadVariables] === FILL_ABSENT) {
    showSections(state, true)
    layOut(state)
  }
  const last = highestId(state.descriptors.world)
  for (let id = 1; id <= last; id++) state.dirtyDescriptors.push(id)
}

function showSections(state: State, there: boolean): void {
  const { flags, fill } = state.outputs.Section
  for (const [name, type] of Object.entries(FLAGS)) {
    const output = state.sections[name as keyof typeof FLAGS]
    flags[output] = there ? type : 0
    fill[output] = there ? FILL_INPUTS : FILL_ABSENT
  }
  numberSections(state)
}

/** What is left of the descriptor is one that is as good as any, for dyld looks at all. */
export function endThreadLocal(state: State, block: number): void {
  const { descriptors } = state
  const id = state.blocks.Entry.descriptor[block]
  if (id === 0) return
  state.blocks.Entry.descriptor[block] = 0
  descriptors.Owner.block[id] = 0
  removeEntity(descriptors.world, id)
  state.dirtyDescriptors.push(id)
  if (aliveCount(descriptors.world) > 0) return
  const last = highestId(descriptors.world)
  for (let one = 1; one <= last; one++) dropPointer(state, descriptorPlace(state, one))
  state.dirtyDescriptors.length = 0
}

function descriptorPlace(state: State, id: number): number {
  return placeOf(state, state.sections.threadVariables, descriptorAddress(state, id))
}

/** Those that changed; all, where all has moved. */
export function writeDescriptors(state: State): void {
  const { world } = state.descriptors
  if (aliveCount(world) > 0) {
    if (state.relocated) for (let id = highestId(world); id > 0; id--) writeDescriptor(state, id)
    else for (const id of state.dirtyDescriptors) writeDescriptor(state, id)
  }
  state.dirtyDescriptors.length = 0
}

function writeDescriptor(state: State, id: number): void {
  const at = descriptorPlace(state, id)
  const block = state.descriptors.Owner.block[id]
  const offset = block === 0 ? 0 : blockAddress(state, block) - state.outputs.Extent.address[state.sections.threadData]
  putBind(state, at, state.bootstrap, 0)
  state.view.setUint32(at + 2 * POINTER_SIZE, offset, true)
  markPages(state, at, at + DESCRIPTOR_SIZE)
}

/** In the order of `blocks`; without any the sections and the import go too. */
export function packDescriptors(state: State, blocks: readonly number[]): void {
  const { descriptor } = state.blocks.Entry
  const owners = blocks.filter((block) => descriptor[block] !== 0)
  state.descriptors = createDescriptors(owners.length + 1)
  state.dirtyDescriptors.length = 0
  for (const block of owners) {
    descriptor[block] = takeRow(state.descriptors, [state.descriptors.Owner])
    state.descriptors.Owner.block[descriptor[block]] = block
  }
  const { threadVariables } = state.sections
  state.rooms.Room.capacity[threadVariables] = sectionSize(state, threadVariables)
  if (owners.length > 0 || state.bootstrap === 0) return
  showSections(state, false)
  if (--state.uses.Uses.references[state.bootstrap] === 0 && state.bootstrapIsOurs)
    releaseImport(state, state.bootstrap)
  state.bootstrap = 0
}
