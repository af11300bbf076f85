import { compile } from '../helpers/clang.ts'
import { mustRun } from '../helpers/command.ts'
import type { Arch } from '../helpers/targets.ts'

/** The runtime's names stand for themselves: what is tested is tables, not behaviour. */
export const RUNTIME = `
.globl _objc_msgSend, __objc_empty_cache, _OBJC_CLASS_$_Outer
_objc_msgSend:
.cfi_startproc
ret
.cfi_endproc
.data
__objc_empty_cache: .quad 0
_OBJC_CLASS_$_Outer: .quad 0
`

export const CLASS = `
__attribute__((objc_root_class)) @interface Foo
-(int)one; -(int)two; +(int)three;
@end
@implementation Foo
-(int)one { return 1; }
-(int)two { return 2; }
+(int)three { return 3; }
@end
`

export function objectiveC(arch: Arch, source: string, flags: readonly string[] = []): string {
  return compile(arch, source, { language: 'objc', flags })
}

/** Sections of an image as `name -> size in bytes`. */
export function sectionSizes(image: string): Map<string, number> {
  const rows = mustRun('llvm-objdump-22', ['--section-headers', image]).matchAll(/^ +\d+ (\S+) +([0-9a-f]{8}) /gm)
  return new Map([...rows].map((row) => [row[1]!, Number.parseInt(row[2]!, 16)]))
}

/** What llvm-otool prints of a section, without the two lines of its head. */
export function sectionLines(image: string, segment: string, section: string, ...flags: string[]): string[] {
  return mustRun('llvm-otool-22', [...flags, '-s', segment, section, image])
    .trimEnd()
    .split('\n')
    .slice(2)
}

/** Names of the symbols with their letters, as `t _foo`. */
export function symbols(image: string): string[] {
  return [...mustRun('llvm-nm-22', ['-p', image]).matchAll(/^.{17}(.*)$/gm)].map((row) => row[1]!)
}
