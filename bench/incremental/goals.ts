// The figures to reach by rebuilds and by edits of blocks, as the table says them.
import type { BlockEditLine } from '../blockEdits.ts'
import type { IncrementalLine, Rebuilds } from '../incremental.ts'
import type { GoalLine } from '../rivals/goals.ts'
import { PADDED_LIMIT, type PaddedLine } from './paddedSize.ts'

/** Each of these is an update of one function; the other edits have no figure to reach. */
const UPDATES = ['another body', 'a longer body']

export function incrementalGoals({ lines, padded }: Rebuilds, blocks: readonly BlockEditLine[]): GoalLine[] {
  return [
    ...lines.filter(({ goal }) => goal !== null).map(ofRebuild),
    ...padded.map(ofSize),
    ...blocks.filter(({ edit }) => UPDATES.includes(edit)).map(ofBlock),
  ]
}

function ofRebuild({ work, scenario, ratio, mode, goal, met }: IncrementalLine): GoalLine {
  return { work, scenario, measured: `${mode}, ratio ${ratio.toFixed(4)}`, goal: `at most ${goal}`, met: met === true }
}

function ofSize({ scenario, ratio, met }: PaddedLine): GoalLine {
  const measured = `ratio ${ratio.toFixed(3)}`
  return { work: 'padded file against tight', scenario, measured, goal: `at most ${PADDED_LIMIT}`, met }
}

function ofBlock({ edit, arch, fixupChains, write, milliseconds, goal, met }: BlockEditLine): GoalLine {
  const scenario = `${arch} ${fixupChains ? 'chained' : 'opcodes'}${write ? ', to a file' : ''}`
  const measured = `${milliseconds.toFixed(2)} ms`
  return { work: `block-level: ${edit}, flush`, scenario, measured, goal: `at most ${goal} ms`, met }
}
