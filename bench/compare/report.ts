// What a comparison says: a table for people, ratios for machines.
import type { Machine } from '../machine.ts'
import { type Move, isMoreWork, moveText } from './counters.ts'
import type { Yardsticks } from './rounds.ts'
import { geometricMean, type Interval } from './statistics.ts'
import type { Judgement } from './verdict.ts'

export interface ScenarioReport {
  scenario: string
  judgements: Judgement[]
  moves: Move[]
  yardsticks: Yardsticks
}

export function isRegression({ judgements, moves }: ScenarioReport): boolean {
  return judgements.some(({ verdict }) => verdict === 'regression') || moves.some(isMoreWork)
}

/** Significant digits that fit the figure. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

function interval({ low, middle, high }: Interval): string {
  return `${digits(middle)} [${digits(low)}, ${digits(high)}]`
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`
}

const HEAD = ['row', 'n', 'base ms', 'head ms', 'ratio', 'p', 'noise', 'verdict']
const WIDTHS = [18, 4, 23, 23, 7, 8, 8, 0]

function line(cells: readonly string[]): string {
  return `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(WIDTHS[i]) : i === 7 ? ` ${cell}` : cell.padStart(WIDTHS[i]))).join(' ')}`
}

/** An undecidable row leans on the counters: the same work, or not. */
function verdictText({ verdict }: Judgement, moves: readonly Move[]): string {
  if (verdict !== 'undecidable') return verdict
  return `undecidable; counters ${moves.some(isMoreWork) ? 'rose' : moves.length > 0 ? 'fell' : 'are equal'}`
}

export function scenarioTable({ scenario, judgements, moves, yardsticks }: ScenarioReport): string {
  const lines = [scenario, line(HEAD)]
  for (const found of judgements) {
    const { name, n, base, head, ratio, p, noise } = found
    const own = name === 'link' || name.startsWith('command') ? moves : moves.filter(({ system }) => system === name)
    const cells = [name, String(n), interval(base), interval(head), ratio.toFixed(3), p.toPrecision(2), percent(noise)]
    lines.push(line([...cells, verdictText(found, own)]))
  }
  lines.push(...counterLines(moves))
  lines.push(`  geometric mean of the ratios ${meanRatio(judgements).toFixed(3)}`)
  const { peerWall, peerCpu, kernel } = yardsticks
  const peer = peerWall === null ? '' : `, ld64.lld-22 ${digits(peerWall)} ms wall, ${digits(peerCpu!)} ms cpu`
  lines.push(`  yardsticks: kernel ${kernel.toFixed(3)} ms${peer}`)
  return lines.join('\n')
}

/** Those that rose by themselves, then by system what moved besides. */
function counterLines(moves: readonly Move[]): string[] {
  if (moves.length === 0) return ['  counters: none moved']
  const rose = moves.filter(isMoreWork)
  const others = moves.filter((move) => !isMoreWork(move))
  const lines = [
    `  counters: ${rose.length === 0 ? 'none rose by 0.5 %' : `more work: ${rose.map(moveText).join(', ')}`}`,
  ]
  for (const system of new Set(others.map((move) => move.system)))
    lines.push(
      `    moved: ${others
        .filter((move) => move.system === system)
        .map(moveText)
        .join(', ')}`,
    )
  return lines
}

export function meanRatio(judgements: readonly Judgement[]): number {
  return geometricMean(judgements.map(({ ratio }) => ratio))
}

/** For other machines to read: ratios only, to the other side and to the yardsticks of the same job. */
export function reportData(
  machine: Machine,
  names: readonly [string, string],
  reports: readonly ScenarioReport[],
): object {
  return {
    base: names[0],
    head: names[1],
    machine,
    regression: reports.some(isRegression),
    geometricMean: meanRatio(reports.flatMap(({ judgements }) => judgements)),
    scenarios: reports.map(({ scenario, judgements, moves, yardsticks }) => ({
      scenario,
      rows: judgements.map(({ name, n, head, ratio, p, noise, verdict }) => {
        const row = { name, n, ratio, p, noise, verdict, toKernel: head.middle / yardsticks.kernel }
        const peer = name.endsWith('wall') ? yardsticks.peerWall : name.endsWith('cpu') ? yardsticks.peerCpu : null
        return peer === null ? row : { ...row, toPeer: head.middle / peer }
      }),
      counters: moves.map((move) => ({ ...move, regression: isMoreWork(move) })),
    })),
  }
}
