import assert from 'node:assert/strict'
import test from 'node:test'
import { demangle, demangledFunction } from '../../src/core/demangle.ts'
import { command } from '../helpers/command.ts'

const NAMES = [
  '__Z1fv',
  '__ZN1a1bL3fooE',
  '__ZNKSt3__16vectorIiNS_9allocatorIiEEE4sizeEv',
  '__ZN3FooC1ERKS_',
  '__ZN3FooD0Ev',
  '__ZTV3Foo',
  '__Z1fPFivE',
  '__Z3barRA10_i',
  '__ZNSt3__112basic_stringIcNS_11char_traitsIcEENS_9allocatorIcEEE6appendEPKcm',
  '__ZlsRNSt3__113basic_ostreamIcNS_11char_traitsIcEEEERK3Foo',
  '__Z3maxIiET_S0_S0_',
  '__ZN12_GLOBAL__N_11xE',
  '__ZZ1fvE1x',
  '__ZNK3FoocvbEv',
  '__ZThn8_N3Foo1gEv',
  '_main',
]

test('C++ names are shown as llvm-cxxfilt shows them', () => {
  const { stdout } = command('llvm-cxxfilt-22', ['-_'], { input: `${NAMES.join('\n')}\n` })
  const wanted = stdout.trimEnd().split('\n')
  assert.deepEqual(NAMES.slice(0, -1).map(demangle), wanted.slice(0, -1))
  assert.equal(demangle('_main'), 'main')
})

test('a name that is not understood stays as it is', () => {
  for (const name of ['__Z', '__ZN', '__ZNSt3__1', '__Z1fS9_', '__Z9999999x', `__Z1f${'P'.repeat(5000)}i`])
    assert.equal(demangle(name), name)
})

test('the function of a mangled name is its text before the parameters', () => {
  assert.equal(demangledFunction('__ZN2ns1fEi'), 'ns::f')
  assert.equal(demangledFunction('_f'), null)
})
