import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHex, parseVersion } from '../../src/cli/parseVersion.ts'

test('versions are packed in 16, 8 and 8 bits', () => {
  assert.equal(parseVersion('13'), 0x000d0000)
  assert.equal(parseVersion('10.15.7'), 0x000a0f07)
  assert.equal(parseVersion('65535.255.255'), 0xffffffff)
})

test('versions that do not fit or are none are refused', () => {
  for (const text of ['', 'x', '1.', '.1', '65536', '1.256', '1.2.3.4', '1.2.x', '-1'])
    assert.equal(parseVersion(text), null, text)
  assert.equal(parseVersion('1.2.3.4', 4), 0x00010203)
})

test('hexadecimal numbers come with and without 0x', () => {
  assert.equal(parseHex('11'), 17)
  assert.equal(parseHex('0X4000'), 0x4000)
  for (const text of ['', '0x', 'zz', '-1', '1.5', 'ffffffffffffffff']) assert.equal(parseHex(text), null, text)
})
