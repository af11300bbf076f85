// References to names that the linker gives a meaning itself: dtrace probes become instructions that do nothing.
import type { Link } from '../../components/link.ts'
import { startsWith } from '../kernels/startsWith.ts'
import type { Relocating } from './apply.ts'

const NOP = 0xd503201f
const MOVZ_X0_0 = 0xd2800000

export function applySpecial(link: Link, at: Relocating, i: number, P: number): void {
  const word = at.site.words[at.site.records + i * 2 + 1]
  const name = link.symbols.Definition.name[at.site.firstSymbol + (word & 0xffffff)]
  if (name === 0) return
  const isProbe = startsWith(link, name, '___dtrace_probe')
  if (!isProbe && !startsWith(link, name, '___dtrace_isenabled')) return
  const place = P + at.place
  if (link.arch.name === 'arm64') at.view.setUint32(place, isProbe ? NOP : MOVZ_X0_0, true)
  else if (isProbe) writeProbe(at.view, place)
  else writeIsEnabled(at.view, place)
}

/** call probe -> nop; nopl 0(%rax) */
function writeProbe(view: DataView, place: number): void {
  view.setUint8(place - 1, 0x90)
  view.setUint32(place, 0x00401f0f, true)
}

/** call is_enabled -> xorl %eax, %eax; nopl 0(%rax) */
function writeIsEnabled(view: DataView, place: number): void {
  view.setUint8(place - 1, 0x33)
  view.setUint32(place, 0x909090c0, true)
}
