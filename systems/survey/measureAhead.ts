// Names of externals, measured and hashed while the host reads the files behind: without workers this thread would wait then.
import { reserveMeasured } from '../../components/measured.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { measureNames, mostSpelled } from '../kernels/measureNames.ts'
import type { Survey } from './survey.ts'

/** The symbols and strings of object `file` lie in arena `at`. Where a record is wrong all are left to load, which tells of it. */
export function measureAhead(
  { arenas, ahead, measured }: Survey,
  file: number,
  at: number,
  header: ObjectHeader,
): void {
  if (measured === null || ahead === null || ahead.coming === null) return
  const { view, words } = arenas.list[at]
  reserveMeasured(measured, header.symbolCount)
  const { used, start } = measured
  const count = listExternals(words, header, start)
  if (count <= 0) return
  const most = mostSpelled(header.stringsSize)
  const end = header.strings + header.stringsSize
  const [length, hash] = [measured.length.subarray(used), measured.hash.subarray(used)]
  if (measureNames(view, start, 0, count, end, most, length, hash) > most) return
  measured.first[file] = used
  measured.count[file] = count
  measured.used += count
}

/** Where their names begin. Returns how many there are, -1 where a name begins behind the strings. */
function listExternals(words: Uint32Array, header: ObjectHeader, start: Uint32Array): number {
  const { strings, stringsSize, symbolCount } = header
  const first = header.nlist / 4
  let count = 0
  for (let at = first; at < first + symbolCount * 4; at += 4) {
    if ((words[at + 1] & (macho.N_STAB | macho.N_EXT)) !== macho.N_EXT) continue
    if (words[at] >= stringsSize) return -1
    start[count++] = strings + words[at]
  }
  return count
}
