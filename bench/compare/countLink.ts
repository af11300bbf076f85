// Links once on one thread and prints the counters of every system as JSON (arguments: bundle of the library, LinkJob as JSON).
import { pathToFileURL } from 'node:url'
import { jobOptions, type LinkJob } from '../jobs.ts'
import { countAllocations } from './allocations.ts'

const [library, job] = process.argv.slice(2)
const allocated = countAllocations()
const { link, createNodeHost } = await import(pathToFileURL(library).href)
const host = { ...createNodeHost(), allocated }
const options = { ...jobOptions(JSON.parse(job) as LinkJob), output: 'out', write: false, threads: 1, host }
const { timings } = await link(options)
process.stdout.write(JSON.stringify(timings))
