import { testLongEdits } from './longRun.ts'

testLongEdits('arm64', 250)
