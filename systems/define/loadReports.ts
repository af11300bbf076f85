// What -why_load and -t print, and the members that -dependency_info lists.
import { FILE_OBJECT } from '../../components/files.ts'
import { nameText } from '../../components/internal.ts'
import { fileText, type Link } from '../../components/link.ts'
import { dylibText } from '../kernels/dylibText.ts'
import { WHY_TEXTS } from '../kernels/whyLoaded.ts'

export function reportLoads(link: Link): void {
  const { files, settings, loadedBecause } = link
  if (settings.trace === true) link.reports.t = lines(tracedFiles(link))
  const reasons: string[] = []
  for (let i = 0; i < loadedBecause.length; i += 2) {
    const [file, why] = [loadedBecause[i], loadedBecause[i + 1]]
    if (files.Source.kind[file] !== FILE_OBJECT) continue
    if (files.Order.parent[file] !== 0) link.dependencies.members?.push(link.paths[files.Source.path[file]])
    if (settings.whyLoad === true)
      reasons.push(`${WHY_TEXTS[why] ?? nameText(link, why)} forced load of ${fileText(link, file)}`)
  }
  if (reasons.length > 0) link.reports.why_load = lines(reasons)
}

/** Objects, members and dylibs that take part, in command-line order. */
function tracedFiles(link: Link): string[] {
  const { files } = link
  const found: { rank: number; member: number; text: string }[] = []
  for (const file of link.order)
    found.push({ rank: files.Order.rank[file], member: files.Order.member[file], text: fileText(link, file) })
  for (const index of link.dylibOrder)
    found.push({ rank: link.dylibs[index].rank, member: 0, text: dylibText(link.dylibs[index]) })
  return found.sort((a, b) => a.rank - b.rank || a.member - b.member).map(({ text }) => text)
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}
