import { archs } from '../helpers/targets.ts'
import { campaign } from './campaign.ts'
import { objects } from './fixtures.ts'
import { startWatchdog } from './watchdog.ts'

const beat = startWatchdog()
for (const arch of archs)
  for (const fixture of objects(arch)) campaign(fixture, { fields: 110, truncations: 20, flips: 25 }, beat)
