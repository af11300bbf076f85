import { type Expected, type Workbench, agree } from '../helpers/agree.ts'

// What a platform and a version make of an image by default: form of fixups, load commands, segments, signature.

const SOURCE = `
int puts(const char *);
static int (*const table[])(const char *) = { puts, puts };
static int zero[10];
int data = 3;
const char *words[] = { "a", "b" };
__attribute__((constructor)) static void before(void) { puts("before"); }
int main(int c, char **v) { return table[c](v[0]) + zero[c] + data; }
`

const PLATFORMS: Record<string, readonly string[]> = {
  macos: ['10.4', '10.5', '10.13', '10.14', '10.15', '11.0', '12.0', '13.0', '26.0'],
  ios: ['7.0', '11.0', '13.3', '13.4', '16.0'],
  tvos: ['9.0', '13.0', '14.0'],
  watchos: ['2.0', '7.0'],
  bridgeos: ['4.0', '7.0'],
  'mac-catalyst': ['13.0', '16.0'],
  'ios-simulator': ['9.0', '13.0', '15.0'],
  'tvos-simulator': ['9.0', '16.0'],
  'watchos-simulator': ['6.0', '9.0'],
  driverkit: ['19.0', '22.0'],
  xros: ['1.0'],
  'xros-simulator': ['1.0'],
}

/** An object that names no platform fits all of them. */
function withoutPlatform(bench: Workbench): string {
  const assembly = bench.run(
    'clang-22',
    '-target',
    `${bench.arch}-apple-macos13`,
    '-S',
    bench.file('main.c', SOURCE),
    '-o',
    '-',
  )
  const source = bench.file('main.s', assembly.replace(/^\s*\.build_version.*$/m, ''))
  bench.run('llvm-mc-22', '-triple', `${bench.arch}-apple-darwin`, '-filetype=obj', source, '-o', 'main.o')
  return 'main.o'
}

for (const [platform, versions] of Object.entries(PLATFORMS)) {
  for (const version of versions) {
    const expected: Expected = { platform: [platform, version], once: true }
    agree(
      `a program for ${platform} ${version}`,
      (bench) => [withoutPlatform(bench), '-U', '_puts', '-U', 'dyld_stub_binder'],
      expected,
    )
  }
}
