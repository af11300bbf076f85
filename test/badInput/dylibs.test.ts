import { archs } from '../helpers/targets.ts'
import { campaign } from './campaign.ts'
import { dylibs } from './fixtures.ts'
import { startWatchdog } from './watchdog.ts'

const beat = startWatchdog()
for (const arch of archs)
  for (const fixture of await dylibs(arch)) campaign(fixture, { fields: 45, truncations: 12, flips: 20 }, beat)
