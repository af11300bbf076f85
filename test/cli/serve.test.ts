import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ld64 } from '../helpers/colonnade.ts'
import { command } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'
import { createProgram, edit, fresh, type Program } from '../snapshot/program.ts'

interface Running {
  place: string
  child: ChildProcess
  ended: Promise<number | null>
}

/** A test that fails leaves its server behind, which would keep this process. */
const started = new Set<ChildProcess>()
after(() => {
  for (const child of started) child.kill('SIGKILL')
})

async function startServer(
  words: readonly string[] = [],
  place = join(tempFolder(), 'of mine', 'link.sock'),
): Promise<Running> {
  const child = spawn(process.execPath, [ld64, 'serve', `--socket=${place}`, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  started.add(child)
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  await new Promise<void>((resolve, reject) => {
    child.stderr!.once('data', (text) => (/^serving at /.test(text) ? resolve() : reject(new Error(String(text)))))
    void ended.then((status) => reject(new Error(`ended with ${status}`)))
  })
  return { place, child, ended }
}

async function stop({ child, ended, place }: Running): Promise<void> {
  child.kill('SIGTERM')
  assert.equal(await ended, 0)
  assert.ok(!existsSync(place))
}

/** Runs asynchronously, for a server of this process must be able to answer. */
function ask(
  program: Program,
  place: string,
  more: readonly string[] = [],
): Promise<{ status: number | null; said: string }> {
  const args = [ld64, ...program.args.filter((word) => word !== '--incremental'), '--server', '--verbose', ...more]
  const child = spawn(process.execPath, args, {
    cwd: program.folder,
    env: { ...process.env, COLONNADE_SOCKET: place },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, said })))
}

async function askWell(program: Program, place: string, more: readonly string[] = []): Promise<string> {
  const { status, said } = await ask(program, place, more)
  assert.equal(status, 0, said)
  return said
}

forEachTarget((target) => {
  test(`a server keeps links, and links what a fresh link links (${target.name})`, async () => {
    const [server, program] = [await startServer(), createProgram(target)]
    assert.equal(await askWell(program, server.place), 'server: full: nothing is linked yet\n')
    assert.equal(await askWell(program, server.place), 'server: noop: nothing changed\n')
    for (const constant of [2, 3, 4]) {
      edit(program, { constant, statements: 4 })
      assert.match(await askWell(program, server.place), /^server: patch: .*edited\.o was written\n$/)
      assert.ok(readFileSync(program.output).equals(await fresh(program)))
    }
    verifyImage(target, program.output)
    runImage(target, program.output)
    assert.equal(await askWell(program, server.place, ['-dead_strip']), 'server: full: nothing is linked yet\n')
    await stop(server)
    assert.deepEqual(
      readdirSync(program.folder).filter((name) => /^out/.test(name)),
      ['out'],
    )
  })
})

test('paths are those of the client, and messages and the exit status come back', async () => {
  const [server, program] = [await startServer(), createProgram(createTarget('arm64', 'chained'))]
  const args = [...createTarget('arm64', 'chained').flags, '--server', '-o', 'here', 'main.o', 'edited.o', 'other.o']
  const env = { COLONNADE_SOCKET: server.place }
  const missing = command(process.execPath, [ld64, ...args, '-U', '_nothing'], { cwd: program.folder, env })
  assert.equal(missing.status, 1)
  assert.match(missing.stderr, /^ld64\.colonnade: error: undefined symbol: _/m)
  assert.ok(!existsSync(join(program.folder, 'here')))
  const done = command(process.execPath, [ld64, ...args, '-lSystem', '-map', 'map.txt'], { cwd: program.folder, env })
  assert.deepEqual([done.status, done.stderr], [0, ''])
  assert.match(readFileSync(join(program.folder, 'map.txt'), 'utf8'), /_edited/)
  const wrong = command(process.execPath, [ld64, '--server', '--no-such-option'], { cwd: program.folder, env })
  assert.match(wrong.stderr, /unknown argument '--no-such-option'/)
  assert.equal(wrong.status, 1)
  assert.equal(statSync(join(program.folder, 'here')).mode & 0o777, 0o777 & ~process.umask() & 0o755)
  await stop(server)
})

test('what lies above a symbolic link is above the folder that it names', async () => {
  const [server, program] = [await startServer(), createProgram(createTarget('arm64', 'chained'))]
  const { folder, edited } = program
  mkdirSync(join(folder, 'real', 'inner'), { recursive: true })
  symlinkSync(join('real', 'inner'), join(folder, 'link'))
  copyFileSync(edited, join(folder, 'real', 'edited.o'))
  edit(program, { constant: 77, statements: 9 })
  const words = [...createTarget('arm64', 'chained').flags, 'main.o', 'link/../edited.o', 'other.o', '-lSystem']
  const env = { COLONNADE_SOCKET: server.place }
  const linkTo = (output: string, more: string) => {
    const args = [ld64, ...words, '-final_output', 'same', '-o', output, more, '--verbose']
    const { status, stderr } = command(process.execPath, args, { cwd: folder, env })
    assert.equal(status, 0, stderr)
    return stderr
  }
  assert.match(linkTo('served', '--server'), /^server: full/)
  linkTo('own', '--layout=padded')
  const textOf = (output: string) => command('llvm-objdump-22', ['-d', '--no-leading-addr', output], { cwd: folder })
  const [served, own] = ['served', 'own'].map((name) => textOf(name).stdout.replace(/^.*file format.*$/m, ''))
  assert.equal(served, own)
  await stop(server)
})

test('what only the client has open is linked by the client', async () => {
  const [server, program] = [await startServer(), createProgram(createTarget('arm64', 'chained'))]
  const args = [ld64, ...program.args.filter((word) => word !== '--incremental'), '--server', '--verbose']
  const options = { cwd: program.folder, env: { COLONNADE_SOCKET: server.place } }
  const { status, stdout, stderr } = command(process.execPath, [...args, '-map', '/dev/stdout'], options)
  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /_edited/)
  await stop(server)
})

test('a file that is no socket is not taken for one that a server left', () => {
  const folder = tempFolder()
  chmodSync(folder, 0o700)
  const place = join(folder, 'main.c')
  writeFileSync(place, 'int main;')
  const refused = command(process.execPath, [ld64, 'serve', `--socket=${place}`])
  assert.deepEqual([refused.status, /main\.c is no socket/.test(refused.stderr)], [1, true])
  assert.equal(readFileSync(place, 'utf8'), 'int main;')
  const below = command(process.execPath, [ld64, 'serve', `--socket=${join(place, 'x.sock')}`])
  assert.deepEqual([below.status, /main\.c is no folder/.test(below.stderr)], [1, true])
})

test('requests for one output wait for each other, and those for others do not disturb them', async () => {
  const server = await startServer(['--sessions=2'])
  const programs = ['arm64', 'x86_64', 'arm64'].map((arch) => createProgram(createTarget(arch as 'arm64', 'chained')))
  for (let round = 0; round < 3; round++) {
    for (const program of programs) edit(program, { constant: 10 + round, statements: 4 })
    const asked = [...programs, ...programs].map((program) => ask(program, server.place))
    for (const { status, said } of await Promise.all(asked)) assert.equal(status, 0, said)
    for (const program of programs) assert.ok(readFileSync(program.output).equals(await fresh(program)))
  }
  await stop(server)
})

test('without a server, with another one, or with one that hangs up, the command links itself', async () => {
  const program = createProgram(createTarget('arm64', 'opcodes'))
  const wanted = await fresh(program)
  const folder = tempFolder()
  chmodSync(folder, 0o700)
  const place = join(folder, 'link.sock')
  const linksItself = async () => {
    rmSync(program.output, { force: true })
    assert.equal(await askWell(program, place), '')
    assert.ok(readFileSync(program.output).equals(wanted))
  }
  await linksItself()
  const frame = (text: string) => Buffer.concat([Buffer.from(Uint32Array.of(text.length).buffer), Buffer.from(text)])
  const answers = [
    Buffer.alloc(0),
    frame('{"refused":"this is another"}'),
    Buffer.concat([frame('{"stderr":"half a link"}'), Buffer.of(9, 0, 0, 0, 1)]),
    Buffer.from('no message at all'),
    frame('"exit"'),
    frame('{"exit":"none"}'),
  ]
  for (const bytes of answers) {
    const server = createServer((socket) => socket.once('data', () => socket.end(bytes)).on('error', () => undefined))
    await new Promise<void>((resolve) => server.listen(place, resolve))
    await linksItself()
    await new Promise((resolve) => server.close(resolve))
  }
})

test('a socket that others could have made is not used, nor is one made where others may enter', async () => {
  const program = createProgram(createTarget('arm64', 'chained'))
  const server = await startServer()
  assert.equal(lstatSync(dirname(server.place)).mode & 0o777, 0o700)
  assert.equal(lstatSync(server.place).mode & 0o077, 0)
  chmodSync(dirname(server.place), 0o755)
  assert.equal(await askWell(program, server.place), '')
  await stop(server)
  const open = join(tempFolder(), 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  const refused = command(process.execPath, [ld64, 'serve', `--socket=${join(open, 'x.sock')}`])
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /open is open to other users/)
})

test('a second server for the same place ends, and one takes the place of a killed one', async () => {
  const server = await startServer()
  const second = command(process.execPath, [ld64, 'serve', `--socket=${server.place}`])
  assert.deepEqual([second.status, /listens at .* already/.test(second.stderr)], [1, true])
  server.child.kill('SIGKILL')
  await server.ended
  assert.ok(existsSync(server.place))
  await stop(await startServer([], server.place))
})

test('a server without requests forgets its links, and ends', async () => {
  const program = createProgram(createTarget('x86_64', 'chained'))
  const server = await startServer(['--idle=1.5', '--session-idle=0.1'])
  assert.match(await askWell(program, server.place), /full: nothing is linked yet/)
  await pause(700)
  assert.match(await askWell(program, server.place), /full: nothing is linked yet/)
  assert.equal(await server.ended, 0)
  assert.ok(!existsSync(server.place))
})

test('what is no request ends its connection and nothing else', async () => {
  const [server, program] = [await startServer(), createProgram(createTarget('arm64', 'chained'))]
  const frame = (text: string) => Buffer.concat([Buffer.from(Uint32Array.of(text.length).buffer), Buffer.from(text)])
  const streams = [
    '',
    'GET / HTTP/1.1\r\n\r\n',
    frame('{}'),
    frame('[1]'),
    frame('{"argv":7}'),
    Buffer.of(255, 255, 255, 255),
  ]
  for (const bytes of streams) {
    const socket = connect(server.place)
    socket.on('error', () => undefined)
    socket.end(bytes)
    await new Promise((resolve) => socket.on('close', resolve))
  }
  assert.equal(await askWell(program, server.place), 'server: full: nothing is linked yet\n')
  await stop(server)
})

test('words that the server does not know are answered with how it is called', () => {
  const { status, stderr } = command(process.execPath, [ld64, 'serve', '--idle=soon'])
  assert.deepEqual([status, /^USAGE: colonnade serve/.test(stderr)], [1, true])
})
