// Images under edit, checked and run.
import assert from 'node:assert/strict'
import type { BlockImage } from '../../src/blocks.ts'
import { verify } from '../../src/verify.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import type { Target } from '../helpers/targets.ts'
import { host, save } from './build.ts'

/** Flushes and checks; the path of the file. */
export function flushed(target: Target, image: BlockImage, name?: string): string {
  const result = image.flush()
  assert.deepEqual(result.messages, [])
  const path = save(result, name)
  assert.deepEqual(
    verify(result.contents!, { host }).filter(({ id }) => id !== 'unsigned'),
    [],
  )
  verifyImage(target, path)
  return path
}

/** The same, and runs it: what it returns. */
export function statusOf(target: Target, image: BlockImage): number | null {
  const { status, stderr } = runImage(target, flushed(target, image))
  assert.notEqual(status, 97, stderr)
  return status
}

/** The same: what it prints. */
export function outputOf(target: Target, image: BlockImage): string {
  const { status, stdout, stderr } = runImage(target, flushed(target, image))
  assert.equal(status, 0, stderr)
  return stdout
}
