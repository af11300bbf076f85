import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createArgumentList, lastOf, toggle, values } from '../../src/cli/argumentList.ts'
import { nearestOption } from '../../src/cli/nearestOption.ts'
import { createOptionTable } from '../../src/cli/optionTable.ts'
import { parseArguments } from '../../src/cli/parseArguments.ts'

const table = createOptionTable()
const parse = (...words: string[]) => parseArguments(table, words)
const pairs = (...words: string[]) => parse(...words).list.map(({ name, values }) => [name, ...values])

test('joined, separate and both-ways values are read', () => {
  assert.deepEqual(pairs('-lfoo', '-L', 'a', '-Lb', '-framework', 'C', '-O2', '--icf=all', '-hidden-lq'), [
    ['-l', 'foo'],
    ['-L', 'a'],
    ['-L', 'b'],
    ['-framework', 'C'],
    ['-O', '2'],
    ['--icf=', 'all'],
    ['-hidden-l', 'q'],
  ])
})

test('an exact name wins over a joined one that it begins with', () => {
  assert.deepEqual(pairs('-load_hidden', 'x.a', '-lto_library', 'y', '-lto_libraryx', '-lazy-lz'), [
    ['-load_hidden', 'x.a'],
    ['-lto_library', 'y'],
    ['-l', 'to_libraryx'],
    ['-lazy-l', 'z'],
  ])
})

test('a separate value may look like an option', () => {
  assert.deepEqual(pairs('-o', '-dylib', '-segprot', '__A', 'rw', '-'), [
    ['-o', '-dylib'],
    ['-segprot', '__A', 'rw', '-'],
  ])
})

test('inputs keep their place, a lone dash is one, empty words are none', () => {
  assert.deepEqual(pairs('a.o', '', '-dylib', '-'), [[null, 'a.o'], ['-dylib'], [null, '-']])
})

test('too few values at the end are reported by name', () => {
  assert.equal(parse('a.o', '-platform_version', 'macos', '13').missing, '-platform_version')
  assert.equal(parse('-o').missing, '-o')
})

test('an unknown option takes no value with it', () => {
  const parsed = parse('-nonsense', 'a.o')
  assert.deepEqual(parsed.unknown, ['-nonsense'])
  assert.equal(parsed.list.length, 1)
})

test('aliases are read as what they stand for', () => {
  assert.deepEqual(pairs('-dylib_install_name', 'n', '-macosx_version_min', '12', '-whyload'), [
    ['-install_name', 'n'],
    ['-macos_version_min', '12'],
    ['-why_load'],
  ])
})

test('of two contrary options the last one holds', () => {
  const args = createArgumentList(parse('-pie', '-no_pie', '-all_load', '-rpath', 'a', '-rpath', 'b').list)
  assert.equal(toggle(args, '-pie', '-no_pie'), false)
  assert.equal(toggle(args, '-all_load', '-noall_load'), true)
  assert.equal(toggle(args, '-data_const', '-no_data_const'), undefined)
  assert.equal(lastOf(args, '-pie', '-all_load')?.name, '-all_load')
  assert.deepEqual(values(args, '-rpath'), ['a', 'b'])
})

test('an option one edit away is suggested, one further away is not', () => {
  assert.equal(nearestOption(table, '-deadstrip'), '-dead_strip')
  assert.equal(nearestOption(table, '-icf=all'), '--icf=all')
  assert.equal(nearestOption(table, '--icf'), null)
  assert.equal(nearestOption(table, '-quux'), null)
})
