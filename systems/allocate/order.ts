// Order of segments, and of sections within them, as ld64.lld has it; protections of segments.
import type { Link } from '../../components/link.ts'
import { FILL_HEADER } from '../../components/outputs.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { isHidden } from '../kernels/outputKinds.ts'
import { isCodeFlags } from '../kernels/code.ts'

const LAST = Number.MAX_SAFE_INTEGER

const SEGMENT_ORDER: ReadonlyMap<string, number> = new Map([
  ['__PAGEZERO', -4],
  ['__TEXT', -3],
  ['__DATA_CONST', -2],
  ['__DATA', -1],
  ['__LLVM', LAST - 1],
  ['__LINKEDIT', LAST],
])

/** Output sections by segment, both in their final order; sets n_sect indexes. */
export function orderOutputs(link: Link): number[][] {
  const { outputs, segments } = link
  const bySegment: number[][] = []
  for (let output = 1; output <= outputs.count; output++) {
    const segment = outputs.Section.segment[output]
    bySegment[segment] ??= []
    bySegment[segment].push(output)
  }
  const order: number[] = []
  for (let segment = 1; segment <= segments.count; segment++) {
    const lists = bySegment[segment] ?? []
    segments.Segment.order[segment] =
      SEGMENT_ORDER.get(segments.names[segment]) ??
      lists.reduce((least, output) => Math.min(least, outputs.Section.order[output]), LAST - 2)
    order.push(segment)
    protect(link, segment)
  }
  order.sort((a, b) => segments.Segment.order[a] - segments.Segment.order[b] || a - b)
  let index = 0
  const result = order.map((segment, place) => {
    segments.Segment.index[segment] = place
    const list = bySegment[segment] ?? []
    const keys = new Map(list.map((output) => [output, sectionOrder(link, segment, output)]))
    return list.sort(
      (a, b) => keys.get(a)! - keys.get(b)! || outputs.Section.order[a] - outputs.Section.order[b] || a - b,
    )
  })
  for (const list of result)
    for (const output of list) outputs.Section.index[output] = isHidden(link, output) ? 0 : ++index
  link.segmentOrder = order
  return result
}

function sectionOrder(link: Link, segment: number, output: number): number {
  const { Section } = link.outputs
  const name = link.outputs.names[output]
  const segmentName = link.segments.names[segment]
  const type = Section.flags[output] & macho.SECTION_TYPE
  if (segmentName === '__TEXT') return textOrder(link, output, name)
  if (segmentName === '__DATA' || segmentName === '__DATA_CONST') return dataOrder(Section.order[output], name, type)
  // Tables of the linker have no place of their own (infinity): they too stand before what has no bytes in the file.
  return type === macho.S_ZEROFILL || type === macho.S_GB_ZEROFILL ? LAST : Math.min(Section.order[output], LAST - 1)
}

/** By name, whoever makes the section; other code comes after __text. */
const TEXT_ORDER: ReadonlyMap<string, number> = new Map([
  ['__text', -6],
  ['__stubs', -4],
  ['__stub_helper', -3],
  ['__objc_stubs', -2],
  ['__init_offsets', -1],
  ['__unwind_info', LAST - 1],
  ['__eh_frame', LAST],
])

/** Code first and together (for thunks), unwind information last. */
function textOrder(link: Link, output: number, name: string): number {
  const { Section } = link.outputs
  if (Section.fill[output] === FILL_HEADER) return -7
  return TEXT_ORDER.get(name) ?? (isCodeFlags(Section.flags[output]) ? -5 : Section.order[output])
}

/** dyld copies thread-local contents from the first to the last such section, so they stand together, before zero-fill. */
function dataOrder(order: number, name: string, type: number): number {
  if (type === macho.S_THREAD_LOCAL_VARIABLE_POINTERS) return LAST - 4
  if (type === macho.S_THREAD_LOCAL_REGULAR) return LAST - 3
  if (type === macho.S_THREAD_LOCAL_ZEROFILL) return LAST - 2
  if (type === macho.S_ZEROFILL) return LAST - 1
  if (type === macho.S_GB_ZEROFILL) return LAST
  if (name === '__got') return -3
  if (name === '__la_symbol_ptr') return -2
  return name === '__const' ? -1 : order
}

function protect(link: Link, segment: number): void {
  const name = link.segments.names[segment]
  const { Segment } = link.segments
  const read = macho.VM_PROT_READ
  const initial =
    name === '__TEXT' || name === '__TEXT_EXEC'
      ? read | macho.VM_PROT_EXECUTE
      : name === '__PAGEZERO'
        ? 0
        : name === '__LINKEDIT'
          ? read
          : read | macho.VM_PROT_WRITE
  const given = (link.settings.segmentProtections ?? []).find((protection) => protection.segment === name)
  Segment.protection[segment] = given?.init ?? initial
  Segment.maxProtection[segment] = given?.max ?? initial
  Segment.flags[segment] = name === '__DATA_CONST' ? macho.SG_READ_ONLY : 0
}
