import assert from 'node:assert/strict'
import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { randomFrom } from '../../bench/random.ts'
import { context, createNodeHost, link, type Session } from '../../src/node.ts'
import type { LinkOptions, RebuildResult } from '../../src/types.ts'
import { compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import { tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget, targetOptions, type Target } from '../helpers/targets.ts'

const STEPS = 18

/** What the body of a function may hold; `anchor` holds all, so that every file has the same symbols whatever is edited. */
const STATEMENTS = [
  'y += 3;',
  'y = y * 17 - 5;',
  'y ^= table[y & 3];',
  'y = near(y);',
  'y = far(y);',
  'y += *pointer;',
  'seen += y;',
  'y += own++;',
  'y -= getpid() == 0;',
  'if (y > 100) y = near(y) ^ seen;',
  'switch (y & 7) { case 0: y = 9; break; case 1: y = far(2); break; case 2: y ^= 77; break; case 3: y = seen; break; case 4: y = -y; }',
]

/** Why an edit here may need a full link. */
const REASONS =
  /file\d\.o (was written|has another size); (it )?(has pointers at other places|has blocks of __text that leave their room|has _near at another place of its block|has other unwind entries|changes what lives|other code holds data|makes the list of functions longer or shorter)$/

interface Body {
  text: number
  listed: boolean
  statements: string[]
  constant: number
}

function sourceOf(file: number, bodies: readonly Body[], filler: string): string {
  const functions = bodies.map(
    ({ statements, constant }, i) =>
      `__attribute__((noinline)) int f${file}_${i}(int y) { ${statements.join(' ')} return y + ${constant}; }`,
  )
  return `
    int getpid(void); int getpgid(int); int far(int); static int near(int);
    int seen; extern int shared; int *pointer = &shared; _Thread_local int own = ${file};
    int puts(const char *); double scale = 2;
    void texts(void) { ${bodies.map(({ text }) => `puts("text ${text} of ${file}"); scale *= ${text}.123456789${file};`).join(' ')} puts("same"); }
    const int table[] = { ${bodies.map(({ constant }) => constant).join(', ')}, 1, 2, 3 };
    __attribute__((weak)) int both(int y) { ${bodies[0].statements.join(' ')} return y; }
    __attribute__((noinline)) static int near(int y) { return y * 3 + seen; }
    __attribute__((noinline)) int anchor${file}(int y) { ${STATEMENTS.join(' ')} return y; }
    ${functions.join('\n')}
    int file${file}(int y) { return ${bodies.map((_, i) => `f${file}_${i}(y)`).join(' + ')} + table[y & 3] * 0 + anchor${file}(both(y)); }
    int (*const list[])(int) = { ${bodies.map(({ listed }, i) => (listed ? `f${file}_${i}` : '0')).join(', ')}, both, getpgid, f${file}_0, f${file}_1, f${file}_2, f${file}_3 };
    ${filler}
  `
    .replaceAll(' seen', ` seen${file}`)
    .replaceAll('pointer', `pointer${file}`)
    .replaceAll('own', `own${file}`)
    .replaceAll('table', `table${file}`)
    .replaceAll('texts', `texts${file}`)
    .replaceAll('scale', `scale${file}`)
    .replaceAll('list', `list${file}`)
}

const MAIN = `
  int printf(const char *, ...); int shared = 5; int far(int y) { return y - 7; }
  int file0(int); int file1(int); int f0_2(int); int f1_1(int); int f0_3(int); int both(int);
  int (*hooks[])(int) = { f0_2, f1_1, both };
  int main(int argc, char **argv) {
    for (int i = 0; i < 3; i++) printf("%x\\n", hooks[i](argc));
    printf("%x\\n", file0(argc) ^ file1(argc) ^ f0_3(argc));
    return 0;
  }
`

/** Of code and constants: files with so much share no regions with their neighbours. */
const FILLER = 'void filler(void) { __asm__ volatile(".space 6000"); } const char filling[6000] = "x";'

interface Program {
  target: Target
  filler: string
  bodies: Body[][]
  flags: readonly string[]
  options: LinkOptions
  paths: string[]
}

function createProgram(
  target: Target,
  flags: readonly string[],
  more: Partial<LinkOptions> = {},
  filler = '',
): Program {
  const folder = tempFolder()
  const bodies = [0, 1].map(() =>
    [1001, 1002, 1003, 1004].map((constant) => ({
      text: constant,
      listed: true,
      statements: STATEMENTS.slice(0, 4),
      constant,
    })),
  )
  const paths = [0, 1].map((file) => join(folder, `file${file}.o`))
  const options: LinkOptions = {
    inputs: [compile(target.arch, MAIN, { name: 'main' }), ...paths, { library: 'System' }],
    ...targetOptions(target),
    output: join(folder, 'out'),
    ...more,
  }
  const program = { target, filler, bodies, flags, options, paths }
  put(program, 0)
  put(program, 1)
  return program
}

/** Compiles one of the files where the linker finds it. */
function put({ target, filler, bodies, flags, paths }: Program, file: number): void {
  const source = paths[file].replace(/o$/, 'c')
  writeFileSync(source, sourceOf(file, bodies[file], filler.replaceAll('fill', `fill${file}`)))
  const given = ['-target', `${target.arch}-apple-macos13`, '-O1', ...flags]
  mustRun('clang-22', [...given, '-c', source, '-o', paths[file]])
}

async function rebuildLikeFresh(session: Session, { options }: Program): Promise<RebuildResult> {
  const result = await session.rebuild()
  const fresh = await link({ ...options, layout: options.layout ?? 'padded', write: false })
  assert.ok(readFileSync(options.output!).equals(fresh.outputFiles[0].contents), `differs: ${result.reason}`)
  return result
}

/** How many blocks a patch changes at most: those of small neighbours move together. */
const SIZES = [
  { size: 'large', filler: FILLER, most: 12 },
  { size: 'small', filler: '', most: 24 },
] as const

for (const { size, filler, most } of SIZES)
  forEachTarget((target) => {
    test(`edits within a function are patches, and write what a fresh link writes (${size} files, ${target.name})`, async () => {
      const program = createProgram(target, ['-g'], { deadStrip: target.fixups === 'opcodes' }, filler)
      const session = context(program.options)
      await session.rebuild()
      const pick = randomFrom(7)
      const below = (count: number) => Math.floor(pick() * count)
      const modes = { patch: 0, warm: 0, full: 0, noop: 0 }
      for (let step = 0; step < STEPS; step++) {
        const file = below(2)
        const body = program.bodies[file][below(4)]
        if (step === STEPS - 1) body.statements = Array(1500).fill('y = near(y);')
        else if (step % 6 === 0) body.constant = 1000 + below(4000)
        else if (step % 6 === 3) body.text = 1000 + below(9000)
        else if (step % 6 === 4) body.listed = !body.listed
        else if (step % 3 === 1) body.statements = body.statements.map(() => STATEMENTS[below(STATEMENTS.length)])
        else body.statements = Array.from({ length: 1 + below(6) }, () => STATEMENTS[below(STATEMENTS.length)])
        put(program, file)
        const { mode, reason, changedInputs, dirtyBlocks } = await rebuildLikeFresh(session, program)
        modes[mode]++
        assert.deepEqual(changedInputs, [program.paths[file]])
        if (step % 3 === 0 || (step % 6 === 4 && target.fixups === 'chained')) assert.equal(mode, 'patch', reason)
        if (mode === 'patch') assert.ok(dirtyBlocks <= most, `${dirtyBlocks} blocks`)
        else assert.match(reason, REASONS)
      }
      assert.ok(modes.patch >= STEPS / 3 && modes.warm > 0, JSON.stringify(modes))
      verifyImage(target, program.options.output!)
      const elsewhere = join(tempFolder(), 'out')
      await link({ ...program.options, output: elsewhere })
      assert.equal(runImage(target, program.options.output!).stdout, runImage(target, elsewhere).stdout)
      await session.dispose()
    })
  })

test('a session of a link that is worth collecting keeps what a patch reads', async () => {
  const target: Target = { arch: 'arm64', fixups: 'chained', name: 'arm64, chained', flags: [] }
  const program = createProgram(target, [], { threads: 1, threadsFrom: 1 })
  const session = context(program.options)
  await session.rebuild()
  program.bodies[0][1].constant = 2002
  put(program, 0)
  const { mode, reason } = await rebuildLikeFresh(session, program)
  assert.equal(mode, 'patch', reason)
  await session.dispose()
})

test('literals come, go and become ones that others have, by patch or with a reason', async () => {
  const target = createTarget('arm64', 'chained')
  const program = createProgram(target, [])
  const session = context(program.options)
  await session.rebuild()
  const change = async (text: number, file = 0, body = 0) => {
    program.bodies[file][body].text = text
    put(program, file)
    const { mode, reason } = await rebuildLikeFresh(session, program)
    return [mode, reason.replace(/^.*; /, '')]
  }
  assert.equal((await change(2001))[0], 'patch')
  assert.deepEqual(await change(1002), ['warm', 'it has blocks of __cstring that leave their room'])
  await change(2002)
  assert.equal((await change(2003))[0], 'patch')
  assert.equal((await change(20004))[0], 'patch', 'a longer one has room')
  assert.equal((await change(20005, 0, 1))[0], 'patch')
  await session.dispose()
})

test('a session may check its patches, and one that is wrong is told of and linked anew', async () => {
  const program = createProgram(createTarget('arm64', 'opcodes'), [], { checkPatches: true })
  const node = createNodeHost()
  let spoil = false
  const readInto: typeof node.readInto = (path, target, at, ...rest) => {
    const got = node.readInto(path, target, at, ...rest)
    const code = Buffer.from(target.buffer, target.byteOffset + at, got)
    const wanted = spoil && path === program.paths[0]
    const place = wanted ? code.indexOf(Buffer.from([0xc0, 0x03, 0x5f, 0xd6])) : -1
    if (place >= 0) code.writeUInt32LE(0xd503201f, place)
    if (wanted) spoil = false
    return got
  }
  const session = context({ ...program.options, host: { ...node, readInto } })
  await session.rebuild()
  program.bodies[0][0].constant = 1234
  put(program, 0)
  assert.equal((await session.rebuild()).mode, 'patch')
  program.bodies[0][0].constant = 2345
  put(program, 0)
  spoil = true
  await assert.rejects(session.rebuild(), /is not what a fresh link writes/)
  assert.equal((await rebuildLikeFresh(session, program)).reason, 'the last rebuild failed')
  await session.dispose()
})

test('objects that change together are patched together', async () => {
  const program = createProgram(createTarget('x86_64', 'chained'), ['-g'], {}, FILLER)
  const session = context(program.options)
  await session.rebuild()
  for (const file of [0, 1]) {
    program.bodies[file][1].statements = [STATEMENTS[1], STATEMENTS[1], STATEMENTS[0]]
    put(program, file)
  }
  const both = await rebuildLikeFresh(session, program)
  assert.deepEqual([both.mode, both.changedInputs], ['patch', program.paths])
  const before = statSync(program.options.output!)
  utimesSync(program.paths[0], 1000, 1000)
  const touched = await rebuildLikeFresh(session, program)
  assert.deepEqual([touched.mode, touched.dirtyBlocks], ['patch', 0])
  assert.ok(touched.dirtyPages > 0, 'the debug map has the time of the object')
  assert.notEqual(statSync(program.options.output!).ino, before.ino)
  await session.dispose()
})

test('what a patch cannot do needs a warm rebuild, and it says why', async () => {
  const target = createTarget('arm64', 'chained')
  const cases: [Partial<LinkOptions>, RegExp][] = [
    [{ icf: 'all' }, /; identical code is folded$/],
    [{ map: true }, /; a report of the whole link is wanted$/],
    [{ uuid: 'random', write: true }, /; the UUID is random$/],
    [{ tailMergeStrings: true }, /; strings are merged with the ends of others$/],
    [{ deduplicateSymbolStrings: true }, /; names in the symbol table are shared, or never$/],
    [{ deduplicateSymbolStrings: false }, /; names in the symbol table are shared, or never$/],
  ]
  for (const [options, wanted] of cases) {
    const program = createProgram(target, [], options)
    const session = context(program.options)
    await session.rebuild()
    program.bodies[0][0].constant = 1234
    put(program, 0)
    const { mode, reason } = await session.rebuild()
    assert.equal(mode, 'warm')
    assert.match(reason, wanted)
    await session.dispose()
  }
})

forEachTarget((target) => {
  test(`with -dead_strip a reference may go as long as nothing dies of it (${target.name})`, async () => {
    const program = createProgram(target, [], { deadStrip: true })
    const source = (body: string) =>
      `int far(int); int only(int y) { return far(y) * 3; }
      int file0(int y) { ${body} return y * 1001 + 77; } int f0_2(int y) { return y + 2; } int f0_3(int y) { return y + 3; }
      int both(int y) { return y; } int dead(int y) { return far(y) + only(y); }`
    const put = (body: string) => {
      writeFileSync(program.paths[0].replace(/o$/, 'c'), source(body))
      const given = ['-target', `${target.arch}-apple-macos13`, '-O1', '-fno-inline', '-c']
      mustRun('clang-22', [...given, program.paths[0].replace(/o$/, 'c'), '-o', program.paths[0]])
    }
    put('y = only(y) ^ far(y);')
    const session = context(program.options)
    await session.rebuild()
    const results: [string, RegExp, string][] = [
      ['y = only(y) ^ only(y);', /written$/, 'patch'],
      ['y = far(y) ^ far(y);', /; it changes what lives$/, 'warm'],
    ]
    for (const [body, wanted, mode] of results) {
      put(body)
      const result = await rebuildLikeFresh(session, program)
      assert.equal(result.mode, mode, result.reason)
      assert.match(result.reason, wanted)
    }
    await session.dispose()
  })
})
