import { type Expected, agree } from '../helpers/agree.ts'

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

for (const [platform, versions] of Object.entries(PLATFORMS)) {
  for (const version of versions) {
    const expected: Expected = { platform: [platform, version], once: true, says: /.*/, status: -1 }
    agree(
      `a program for ${platform} ${version}`,
      (bench) => [bench.c('main', SOURCE), '-U', '_puts', '-U', 'dyld_stub_binder'],
      expected,
    )
  }
}
