// What a worker does: kernels by name, over its mirror of the link.
import { counted, createMirror, updateMirror } from '../components/mirror.ts'
import type { Link } from '../components/link.ts'
import { addressChunks } from '../systems/allocate/addressChunks.ts'
import { branchChunks, measureChunks, unplaceChunks } from '../systems/allocate/branchChunks.ts'
import { exportChunks } from '../systems/beginExports/exportChunks.ts'
import { hashLiteralChunks, leadLiteralChunks } from '../systems/fold/literalChunks.ts'
import { fillChunks } from '../systems/load/fillChunks.ts'
import { findChunks } from '../systems/load/findChunks.ts'
import { giveChunks, indexChunks, nameChunks, numberChunks } from '../systems/load/nameChunks.ts'
import { externalChunks } from '../systems/listSymbols/externalChunks.ts'
import { nameRowChunks } from '../systems/listSymbols/externalNames.ts'
import { sortExportChunks } from '../systems/listSymbols/exportOrder.ts'
import { listChunks } from '../systems/listSymbols/listChunks.ts'
import { compareChunks } from '../systems/relocate/compareChunks.ts'
import { hintChunks } from '../systems/relocate/hints.ts'
import { relocateChunks } from '../systems/relocate/relocateChunks.ts'
import { hashChunks } from '../systems/sign/hashChunks.ts'
import { readChunks } from '../systems/survey/readChunks.ts'
import { functionStartChunks } from '../systems/beginExports/functionStarts.ts'
import { writeChunks } from '../systems/writeAhead/writeChunks.ts'
import { measureNameChunks, rowChunks } from '../systems/writeSymtab/rowChunks.ts'
import { FORGET, type Kernel, type Request, serveRequest } from './core/pool.ts'
import type { Host } from './host/host.ts'

const KERNELS: Readonly<Record<string, unknown>> = {
  addressChunks,
  branchChunks,
  compareChunks,
  exportChunks,
  externalChunks,
  fillChunks,
  findChunks,
  functionStartChunks,
  giveChunks,
  hashChunks,
  hashLiteralChunks,
  hintChunks,
  indexChunks,
  leadLiteralChunks,
  listChunks,
  measureChunks,
  measureNameChunks,
  nameChunks,
  nameRowChunks,
  numberChunks,
  readChunks,
  relocateChunks,
  rowChunks,
  sortExportChunks,
  unplaceChunks,
  writeChunks,
}

/** Returns what answers each message of the pool with a reply. */
export function serve(host: Host): (message: unknown, reply: (message: unknown) => void) => void {
  let mirror = createMirror(host)
  return (message, reply) => {
    if (message === FORGET) {
      mirror = createMirror(host)
      return host.collect?.()
    }
    const request = message as Request
    try {
      updateMirror(mirror, request.parts)
      const kernel = KERNELS[request.kernel] as Kernel<Link, unknown, unknown>
      reply(serveRequest(mirror, counted(kernel, request.seat), request))
    } catch (trouble) {
      const failed = trouble instanceof Error ? `${trouble.stack}` : `${trouble}`
      reply({ id: request.id, failed })
    }
  }
}
