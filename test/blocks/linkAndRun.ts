// Objects that blocks were written to, in the hands of both linkers.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { link } from '../../src/node.ts'
import { compareImages } from '../compare/compareImages.ts'
import { lld } from '../helpers/lld.ts'
import { libSystem, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import type { Target } from '../helpers/targets.ts'

/** Links objects with both linkers, checks and runs what they make, and compares it. Returns what it prints. */
export async function linkAndRun(
  target: Target,
  inputs: readonly string[],
  status = 0,
  libraries: readonly string[] = [libSystem],
): Promise<string> {
  const [ours, theirs] = [join(tempFolder(), 'ours'), join(tempFolder(), 'theirs')]
  const platform = { name: 'macos', minVersion: 13 << 16, sdkVersion: 13 << 16 } as const
  await link({
    inputs: [...inputs, ...libraries],
    arch: target.arch,
    platform,
    output: ours,
    fixupChains: target.fixups === 'chained',
  })
  const peer = lld([...target.flags, '-o', theirs, ...inputs, ...libraries])
  assert.deepEqual({ status: peer.status, stderr: peer.stderr }, { status: 0, stderr: '' })
  const objects = inputs.map((name) => ({ name, bytes: readFileSync(name) }))
  const { differences } = compareImages(readFileSync(ours), readFileSync(theirs), { inputs: objects })
  assert.deepEqual(differences, [])
  const outputs = [ours, theirs].map((path) => {
    verifyImage(target, path)
    const run = runImage(target, path)
    assert.equal(run.status, status, run.stderr)
    return run.stdout
  })
  assert.equal(outputs[0], outputs[1])
  return outputs[0]
}
