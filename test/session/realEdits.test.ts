import { testRealEdits } from './realEdits.ts'

testRealEdits('x86_64', [
  { fixups: 'chained', flags: ['-O1'], seed: 1 },
  { fixups: 'opcodes', flags: ['-O2', '-g'], seed: 2 },
])
