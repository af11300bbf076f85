import type { LinkJob } from '../jobs.ts'
import { movedCounters } from './counters.ts'
import type { ScenarioReport } from './report.ts'
import { countLink, planTurns, type RoundOptions, runBatch } from './rounds.ts'
import type { Sides } from './sides.ts'
import { conclude, isOpen, type Judgement, judge } from './verdict.ts'

const MOST_BATCHES = 3

/** Counts once on each side, then runs batches of rounds until no row is open: `rounds` first, then twice as many. */
export function compareScenario(
  scenario: string,
  job: LinkJob,
  sides: Sides,
  rounds: number,
  seed: number,
  options: RoundOptions,
): ScenarioReport {
  const moves = movedCounters(countLink(sides.base.library, job), countLink(sides.head.library, job))
  const turns = planTurns(sides, job, options)
  const judged = new Map<string, Judgement[]>()
  let batch = runBatch(sides, job, turns, rounds, seed, options)
  for (const row of batch.rows) judged.set(row.name, [judge(row)])
  for (let batches = 1; batches < MOST_BATCHES && [...judged.values()].some(isOpen); batches++) {
    batch = runBatch(sides, job, turns, 2 * rounds, seed + batches, options)
    for (const row of batch.rows) {
      const known = judged.get(row.name)
      if (known !== undefined && isOpen(known)) known.push(judge(row))
    }
  }
  return { scenario, judgements: [...judged.values()].map(conclude), moves, yardsticks: batch.yardsticks }
}
