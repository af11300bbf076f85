import { archs } from '../helpers/targets.ts'
import { campaign } from './campaign.ts'
import { stubs } from './fixtures.ts'
import { startWatchdog } from './watchdog.ts'

const beat = startWatchdog()
for (const arch of archs)
  for (const fixture of stubs(arch)) campaign(fixture, { fields: 50, truncations: 16, flips: 30 }, beat)
