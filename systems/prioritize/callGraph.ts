// Call-chain clustering (C3): functions that call each other often are laid together, the densest groups first. The numbers
// and the order of ties are those of ld64.lld, and of the other ports of LLD.
// Source: "Optimizing Function Placement for Large-Scale Data-Center Applications", Ottoni and Maher, 2017.

/** Merging must not make a cluster more than this much less dense. */
const MAX_DENSITY_LOSS = 8

/** Edges between blocks, in order of first appearance, each pair once. */
export interface CallGraph {
  from: number[]
  to: number[]
  weight: number[]
}

/** Clusters as columns; each is a ring of blocks through `next` and `previous`, named after its leader. */
interface Clusters {
  count: number
  block: Uint32Array
  next: Uint32Array
  previous: Uint32Array
  leader: Uint32Array
  size: Float64Array
  weight: Float64Array
  /** Before any merge. */
  ownWeight: Float64Array
  /** The heaviest edge into it: from where (-1 none), and how heavy. */
  caller: Int32Array
  callerWeight: Float64Array
}

/** The blocks of the graph in their new order. `sizeOf` is the column of block sizes. */
export function orderByCalls(graph: CallGraph, sizeOf: Uint32Array, pageSize: number): Uint32Array {
  const clusters = createClusters(graph, sizeOf)
  mergeAll(clusters, pageSize)
  const ordered = new Uint32Array(clusters.count)
  let count = 0
  for (const leader of byDensity(clusters)) {
    if (clusters.size[leader] === 0) continue
    let at = leader
    do {
      ordered[count++] = clusters.block[at]
      at = clusters.next[at]
    } while (at !== leader)
  }
  return ordered.subarray(0, count)
}

function createClusters(graph: CallGraph, sizeOf: Uint32Array): Clusters {
  const known = new Map<number, number>()
  const clusterOf = (block: number): number => {
    const id = known.get(block) ?? known.size
    known.set(block, id)
    return id
  }
  const from = graph.from.map((block, edge) => {
    const id = clusterOf(block)
    clusterOf(graph.to[edge])
    return id
  })
  const clusters = emptyClusters(Uint32Array.from(known.keys()), sizeOf)
  const { weight, caller, callerWeight } = clusters
  for (let edge = 0; edge < from.length; edge++) {
    const to = clusterOf(graph.to[edge])
    weight[to] += graph.weight[edge]
    if (from[edge] === to || (caller[to] !== -1 && callerWeight[to] >= graph.weight[edge])) continue
    caller[to] = from[edge]
    callerWeight[to] = graph.weight[edge]
  }
  clusters.ownWeight.set(weight)
  return clusters
}

function emptyClusters(block: Uint32Array, sizeOf: Uint32Array): Clusters {
  const count = block.length
  const self = Uint32Array.from(block, (_, i) => i)
  return {
    count,
    block,
    next: self,
    previous: self.slice(),
    leader: self.slice(),
    size: Float64Array.from(block, (id) => sizeOf[id]),
    weight: new Float64Array(count),
    ownWeight: new Float64Array(count),
    caller: new Int32Array(count).fill(-1),
    callerWeight: new Float64Array(count),
  }
}

function density(clusters: Clusters, id: number): number {
  return clusters.size[id] === 0 ? 0 : clusters.weight[id] / clusters.size[id]
}

function byDensity(clusters: Clusters): number[] {
  const keys = Float64Array.from(clusters.block, (_, id) => density(clusters, id))
  return Array.from(clusters.block, (_, id) => id).sort((a, b) => keys[b] - keys[a] || a - b)
}

function mergeAll(clusters: Clusters, pageSize: number): void {
  const { caller, callerWeight, ownWeight, size, weight, leader } = clusters
  for (const id of byDensity(clusters)) {
    if (caller[id] === -1 || callerWeight[id] * 10 <= ownWeight[id]) continue
    const into = leaderOf(leader, caller[id])
    if (into === id || size[id] + size[into] > pageSize) continue
    const merged = (weight[into] + weight[id]) / (size[into] + size[id])
    if (merged < density(clusters, into) / MAX_DENSITY_LOSS) continue
    leader[id] = into
    merge(clusters, into, id)
  }
}

function leaderOf(leader: Uint32Array, id: number): number {
  while (leader[id] !== id) {
    leader[id] = leader[leader[id]]
    id = leader[id]
  }
  return id
}

function merge(clusters: Clusters, into: number, id: number): void {
  const { next, previous, size, weight } = clusters
  const [tail, otherTail] = [previous[into], previous[id]]
  previous[into] = otherTail
  next[otherTail] = into
  previous[id] = tail
  next[tail] = id
  size[into] += size[id]
  weight[into] += weight[id]
  size[id] = 0
  weight[id] = 0
}
