import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble, compile } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { createTarget, forEachTarget } from '../helpers/targets.ts'

const MAIN = 'extern int puts(const char *); int x; int *p = &x; int main(void) { puts("y"); return *p + 7; }'
const commands = (image: string): string => mustRun('llvm-otool-22', ['-l', image])
const field = (text: string, command: string, name: string): number =>
  Number(new RegExp(`cmd ${command}\\n[\\s\\S]*?\\b${name} (\\w+)`).exec(text)![1])

forEachTarget((target) => {
  const pageSize = target.arch === 'arm64' ? 16384 : 4096

  test(`the header of an encryptable image has pages of its own (${target.name})`, () => {
    const image = linkFor(target, ['-encryptable', compile(target.arch, MAIN)])
    const text = commands(image)
    assert.equal(field(text, 'LC_ENCRYPTION_INFO_64', 'cryptoff'), pageSize)
    verifyImage(target, image)
    assert.equal(runImage(target, image).status, 7)
  })

  test(`commands count every byte of the link edit segment (${target.name})`, () => {
    const text = commands(linkFor(target, [compile(target.arch, MAIN)]))
    const tables = [
      ...text.matchAll(
        /\b(?:dataoff|(?:rebase|bind|lazy_bind|weak_bind|export)_off) (\d+)\n\s+(?:datasize|\w+_size) (\d+)/g,
      ),
    ]
    const places = tables.map(([, offset, size]) => [Number(offset), Number(size)]).filter(([, size]) => size > 0)
    places.sort((a, b) => a[0] - b[0])
    const symbols = field(text, 'LC_SYMTAB', 'symoff')
    const before = places.filter(([offset]) => offset < symbols)
    before.forEach(([offset, size], i) => {
      assert.equal(offset + size, before[i + 1]?.[0] ?? symbols)
    })
  })

  test(`-headerpad_max_install_names leaves 1024 bytes a name (${target.name})`, () => {
    const image = linkFor(target, ['-dylib', '-headerpad_max_install_names', compile(target.arch, MAIN)])
    const text = commands(image)
    const size = Number(/sizeofcmds.*\n.*?(\d+)\s+0x[0-9a-f]+\s*$/m.exec(mustRun('llvm-otool-22', ['-h', image]))![1])
    const offset = Number(/sectname __text\n[\s\S]*?offset (\d+)/.exec(text)![1])
    assert.ok(offset >= 32 + size + 2048 && offset < 32 + size + 2048 + 16)
  })

  test(`an initializer of another image is reached through its stub (${target.name})`, () => {
    const source =
      '.globl _main\n.p2align 2\n_main:\n  ret\n.section __DATA,__mod_init_func,mod_init_funcs\n.p2align 3\n.quad _abort\n.subsections_via_symbols\n'
    const image = linkFor(target, ['-init_offsets', assemble(target.arch, source)])
    const dump = mustRun('llvm-objdump-22', ['--macho', '--section=__TEXT,__init_offsets', image])
    const stubs = Number(/sectname __stubs\n[\s\S]*?addr (0x\w+)/.exec(commands(image))![1])
    const bytes =
      /\t([0-9a-f]{2}) ([0-9a-f]{2}) ([0-9a-f]{2}) ([0-9a-f]{2})/.exec(dump) ?? /\t([0-9a-f]{8})/.exec(dump)!
    const value =
      bytes.length > 2 ? Number.parseInt(bytes.slice(1, 5).reverse().join(''), 16) : Number.parseInt(bytes[1], 16)
    assert.equal(value, stubs - 0x100000000)
  })
})

test('without PIE there is nothing to rebase', () => {
  const target = createTarget('x86_64', 'opcodes')
  const image = linkFor(target, ['-no_pie', compile('x86_64', MAIN)])
  assert.equal(field(commands(image), 'LC_DYLD_INFO_ONLY', 'rebase_size'), 0)
})

test('bind opcodes are folded from -O2 on', () => {
  const target = createTarget('x86_64', 'opcodes')
  const many = assemble('x86_64', `.globl _main\n_main:\n  ret\n.data\n${'.quad _puts\n.quad 0\n'.repeat(8)}`)
  const size = (level: string) => field(commands(linkFor(target, [level, many])), 'LC_DYLD_INFO_ONLY', 'bind_size')
  assert.ok(size('-O2') < size('-O1'))
})

test('only systems that protect __DATA_CONST get it', () => {
  const object = compile('x86_64', 'int *const p = (int *)&p; int main(void) { return 0; }', { os: 'macos10.14' })
  const hasConst = (version: string) => {
    const flags = ['-arch', 'x86_64', '-platform_version', 'macos', version, '13.0']
    const image = linkFor({ arch: 'x86_64', fixups: 'opcodes', name: version, flags }, [object])
    return commands(image).includes('__DATA_CONST')
  }
  assert.deepEqual(['10.14', '10.15'].map(hasConst), [false, true])
})
