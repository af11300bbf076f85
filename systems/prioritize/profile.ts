// `__LLVM,__cg_profile`: u32 caller, u32 callee (symbol numbers of the object), u64 count.
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../components/symbols.ts'
import { readU32 } from '../../src/core/bytes.ts'
import type { CallGraph } from './callGraph.ts'

const ENTRY_SIZE = 16

/** Calls within one output section between blocks that have no priority of their own yet. */
export function readProfiles(link: Link, priorities: Uint32Array): CallGraph {
  const graph: CallGraph = { from: [], to: [], weight: [] }
  const edges = new Map<number, number>()
  for (const section of link.profiles) readProfile(link, section, priorities, graph, edges)
  return graph
}

function readProfile(
  link: Link,
  section: number,
  priorities: Uint32Array,
  graph: CallGraph,
  edges: Map<number, number>,
): void {
  const { Header, Bytes } = link.sections
  const { bytes } = link.arenas.list[link.files.Source.arena[Header.file[section]]]
  const end = Bytes.position[section] + Header.size[section]
  for (let at = Bytes.position[section]; at + ENTRY_SIZE <= end; at += ENTRY_SIZE) {
    const from = blockOf(link, Header.file[section], readU32(bytes, at))
    const to = blockOf(link, Header.file[section], readU32(bytes, at + 4))
    if (from === 0 || to === 0 || priorities[from] !== 0 || priorities[to] !== 0) continue
    const { section: home } = link.blocks.Extent
    if (Header.name[home[from]] !== Header.name[home[to]]) continue
    const key = from * (link.blocks.count + 1) + to
    let edge = edges.get(key)
    if (edge === undefined) {
      edge = graph.from.push(from) - 1
      graph.to.push(to)
      graph.weight.push(0)
      edges.set(key, edge)
    }
    graph.weight[edge] += readU32(bytes, at + 8) + readU32(bytes, at + 12) * 4294967296
  }
}

/** The block, after folding, of the definition that a symbol number of the file means; 0 when there is none. */
function blockOf(link: Link, file: number, index: number): number {
  const { Ranges } = link.files
  if (index >= Ranges.symbols[file]) return 0
  const target = link.symbols.Reference.target[Ranges.symbol[file] + index]
  const symbol = target & TARGET_IMPORT ? link.imports.Library.symbol[target & 0x7fffffff] : target
  const { flags, block } = link.symbols.Definition
  if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED) return 0
  return link.blocks.Placement.leader[block[symbol]] || block[symbol]
}
