import { testRealEdits } from './realEdits.ts'

testRealEdits('arm64', [
  { fixups: 'chained', flags: ['-O2', '-g'], seed: 3 },
  { fixups: 'opcodes', flags: ['-O1'], seed: 4 },
])
