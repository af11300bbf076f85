// Times commands from outside: wall clock, processor time and peak memory of the process.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { median } from './compare/statistics.ts'
import { randomFrom } from './random.ts'

export interface Contestant {
  name: string
  command: readonly string[]
  /** Removed before each run, so that no linker profits from a file that is there. */
  output: string | null
}

/** One run: milliseconds of wall clock and of user and system time, peak resident bytes of the process. */
export interface Run {
  wall: number
  cpu: number
  memory: number
}

export interface Result {
  name: string
  runs: Run[]
  /** Medians of the times, the greatest memory, over all processes; null when the command failed. */
  summary: Run | null
  failure: string | null
}

// Neither Node nor time(1) gives the resource use of a child in microseconds, wait4(2) does. ru_maxrss is in bytes on macOS and in KiB elsewhere.
// The answer goes to descriptor 3: the command owns the others.
const WAIT4 = `
import os, sys, time
unit = 1 if sys.platform == 'darwin' else 1024
start = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, 3)])
_, status, use = os.wait4(child, 0)
wall = time.perf_counter() - start
os.write(3, b'%f %f %d' % (wall * 1e3, (use.ru_utime + use.ru_stime) * 1e3, use.ru_maxrss * unit))
sys.exit(min(os.waitstatus_to_exitcode(status) % 256, 255))
`

/** What has nothing to do with linking but changes how long Node takes to start: reading certificates took 58 ms each time. */
const LEFT_OUT = ['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS']

export function environment(): NodeJS.ProcessEnv {
  const env = { ...process.env }
  for (const name of LEFT_OUT) delete env[name]
  return env
}

/** Runs a command. @throws Error with its first words when it fails. */
export function runOnce({ command, output }: Contestant): Run {
  if (output !== null) rmSync(output, { force: true })
  const done = spawnSync('python3', ['-c', WAIT4, ...command], {
    encoding: 'utf8',
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  if (done.error) throw done.error
  if (done.status !== 0) {
    const lines = `${done.stderr}${done.stdout}`.trim().split('\n')
    throw new Error(`status ${done.status}: ${lines.find((line) => /error/i.test(line)) ?? lines[0]}`)
  }
  const [wall, cpu, memory] = done.output[3]!.split(' ').map(Number)
  return { wall, cpu, memory }
}

// Adds up the peaks of the command's processes while it runs, where /proc tells them (Linux); else prints 0. Threads are one process.
const WATCH = `
import os, sys, time
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, 3)])
peaks = {}
def look(pid):
    try:
        for line in open('/proc/%d/status' % pid):
            if line.startswith('VmHWM:'): peaks[pid] = max(peaks.get(pid, 0), int(line.split()[1]) * 1024)
        for task in os.listdir('/proc/%d/task' % pid):
            for other in open('/proc/%d/task/%s/children' % (pid, task)).read().split(): look(int(other))
    except OSError: pass
while os.waitpid(child, os.WNOHANG)[0] == 0:
    look(child)
    time.sleep(0.002)
os.write(3, b'%d' % (sum(peaks.values()) if len(peaks) > 1 else 0))
`

/** Peak bytes of all processes of a command together; 0 when it is one process, whose peak every run tells. */
function watchMemory({ command, output }: Contestant): number {
  if (output !== null) rmSync(output, { force: true })
  const done = spawnSync('python3', ['-c', WATCH, ...command], {
    encoding: 'utf8',
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  return Number(done.output[3] || 0)
}

function summarize(runs: readonly Run[], together: number): Run | null {
  if (runs.length === 0) return null
  const memory = Math.max(together, ...runs.map((run) => run.memory))
  return { wall: median(runs.map((run) => run.wall)), cpu: median(runs.map((run) => run.cpu)), memory }
}

/**
 * Runs every command once to warm the page cache, then `runs` rounds, each in an order of its own, so that what else the machine does
 * falls on all alike. A command that fails is left out and says why.
 */
export function compare(contestants: readonly Contestant[], runs: number, seed: number): Result[] {
  const random = randomFrom(seed)
  const results = contestants.map(({ name }): Result => ({ name, runs: [], summary: null, failure: null }))
  for (let round = 0; round <= runs; round++) {
    for (const i of shuffled(contestants.length, random)) {
      const result = results[i]
      if (result.failure !== null) continue
      try {
        const run = runOnce(contestants[i])
        if (round > 0) result.runs.push(run)
      } catch (error) {
        result.failure = (error as Error).message
      }
    }
  }
  results.forEach((result, i) => {
    if (result.failure === null) result.summary = summarize(result.runs, watchMemory(contestants[i]))
  })
  return results
}

/** The numbers below `count` in random order. */
export function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const held = order[i]
    order[i] = order[j]
    order[j] = held
  }
  return order
}
