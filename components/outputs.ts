// Output sections and segments. A few entities each; their names are texts beside the columns, indexed by id.
import { createKind, spawnRange } from '../src/ecs.ts'
import { columns } from './columns.ts'
import type { OutputId, SegmentId } from './ids.ts'

/** Mach-O counts sections in a byte (n_sect). */
export const MAX_OUTPUTS = 1024

/** What fills an output section. Input sections are copied; the others are tables of the linker. */
export const FILL_INPUTS = 0
export const FILL_HEADER = 1
export const FILL_STUBS = 2
export const FILL_STUB_HELPER = 3
export const FILL_GOT = 4
export const FILL_LAZY_POINTERS = 5
export const FILL_TLV_POINTERS = 6
export const FILL_UNWIND_INFO = 7
export const FILL_INIT_OFFSETS = 8
export const FILL_OBJC_STUBS = 9
/** Nothing uses it yet: a section of an image that is edited block by block. */
export const FILL_ABSENT = 10

export function createOutputs(shared: boolean) {
  /**
   * `order` sorts within the segment; `index` is the n_sect of the finished file (0: no header is written); `room` is 1 where
   * blocks have room to grow.
   */
  const Section = columns(
    MAX_OUTPUTS,
    {
      segment: 'u32',
      flags: 'u32',
      alignPow2: 'u8',
      fill: 'u8',
      order: 'f64',
      index: 'u16',
      inputs: 'u32',
      reserved1: 'u32',
      reserved2: 'u32',
      room: 'u8',
    },
    shared,
  )
  const Extent = columns(MAX_OUTPUTS, { address: 'f64', size: 'f64', fileOffset: 'f64' }, shared)
  const components = { Section, Extent }
  return {
    world: createKind(components, { reserve: MAX_OUTPUTS }),
    count: 0,
    names: [''],
    byName: new Map<string, OutputId>(),
    ...components,
  }
}

export type Outputs = ReturnType<typeof createOutputs>

export function createSegments(shared: boolean) {
  const Segment = columns(
    MAX_OUTPUTS,
    { order: 'f64', index: 'u16', maxProtection: 'u8', protection: 'u8', flags: 'u32' },
    shared,
  )
  const Extent = columns(MAX_OUTPUTS, { address: 'f64', size: 'f64', fileOffset: 'f64', fileSize: 'f64' }, shared)
  const components = { Segment, Extent }
  return {
    world: createKind(components, { reserve: MAX_OUTPUTS }),
    count: 0,
    names: [''],
    byName: new Map<string, SegmentId>(),
    ...components,
  }
}

export type Segments = ReturnType<typeof createSegments>

export function addSegment(segments: Segments, name: string): SegmentId {
  const known = segments.byName.get(name)
  if (known !== undefined) return known
  const segment = spawnRange(segments.world, 1, [segments.Segment, segments.Extent])
  segments.count = segment
  segments.names[segment] = name
  segments.byName.set(name, segment)
  return segment
}

/** The output section SEGMENT,SECTION, made when it is new. */
export function addOutput(outputs: Outputs, segments: Segments, segmentName: string, name: string): OutputId {
  const key = `${segmentName},${name}`
  const known = outputs.byName.get(key)
  if (known !== undefined) return known
  const output = spawnRange(outputs.world, 1, [outputs.Section, outputs.Extent])
  outputs.count = output
  outputs.names[output] = name
  outputs.byName.set(key, output)
  outputs.Section.segment[output] = addSegment(segments, segmentName)
  outputs.Section.order[output] = Number.POSITIVE_INFINITY
  return output
}
