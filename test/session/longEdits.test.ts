import { testLongEdits } from './longRun.ts'

testLongEdits('x86_64', 250)
