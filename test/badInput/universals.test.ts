import { archs } from '../helpers/targets.ts'
import { campaign } from './campaign.ts'
import { universals } from './fixtures.ts'
import { startWatchdog } from './watchdog.ts'

const beat = startWatchdog()
for (const arch of archs)
  for (const fixture of universals(arch)) campaign(fixture, { fields: 14, truncations: 10, flips: 15 }, beat)
