import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { helpText } from '../../src/cli/help.ts'
import { ALIASES, createOptionTable, type Option, optionRows } from '../../src/cli/optionTable.ts'

const table = createOptionTable()

/** Option and the mark behind it, from every line of the reference's help that opens with an option. */
function referenceOptions(): [string, string][] {
  const { stdout } = spawnSync('ld64.lld-22', ['--help-hidden'], { encoding: 'utf8' })
  const found: [string, string][] = []
  for (const line of stdout.split('\n')) {
    const match = /^ {2}(--?[A-Za-z][\w-]*=?)((?:\[[^\]]*\])|(?: ?<[^>]*>)*)/.exec(line)
    if (match !== null) found.push([match[1]!, match[2]!])
  }
  return found
}

function wordsTaken(option: Option, mark: string): boolean {
  const marks = mark.split('<').length - 1
  if (option.arity === 'joined') return mark !== '' && !mark.startsWith(' ')
  if (option.arity === 'either') return marks === 1
  return option.arity === marks
}

test('every option in the help of ld64.lld 22 is in the table, with as many values', () => {
  const options = referenceOptions()
  assert.ok(options.length > 330, `${options.length} options found`)
  const exceptions = ['-executable_path', '-source_version']
  for (const [name, mark] of options) {
    const option = table.exact.get(name)
    assert.ok(option, `${name} is not known`)
    if (!exceptions.includes(name)) assert.ok(wordsTaken(option, mark), `${name}${mark} has arity ${option.arity}`)
  }
})

test('no option is in the table twice', () => {
  const names = optionRows().flatMap(([, rows]) => rows.flatMap(([, , list]) => list.split(' ')))
  assert.equal(new Set(names).size, names.length)
})

test('aliases lead from one known option to another of the same kind', () => {
  for (const [alias, name] of Object.entries(ALIASES)) {
    assert.ok(table.exact.has(alias), alias)
    assert.equal(table.exact.get(alias)?.treatment, table.exact.get(name)?.treatment, alias)
  }
})

test('the help names every option and what is accepted without effect', () => {
  const text = helpText('ld64.colonnade', table)
  for (const name of table.exact.keys()) assert.ok(text.includes(` ${name}`), name)
  assert.match(text, /ACCEPTED WITHOUT EFFECT:\n {2}--bp-compression-sort/)
  assert.match(text, /ZERO_AR_DATE/)
})
