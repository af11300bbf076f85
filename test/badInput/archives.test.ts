import { archs } from '../helpers/targets.ts'
import { campaign } from './campaign.ts'
import { archives } from './fixtures.ts'
import { startWatchdog } from './watchdog.ts'

const beat = startWatchdog()
for (const arch of archs)
  for (const fixture of archives(arch)) campaign(fixture, { fields: 40, truncations: 16, flips: 20 }, beat)
