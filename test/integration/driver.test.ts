import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ld64 } from '../helpers/colonnade.ts'
import { command, mustRun } from '../helpers/command.ts'
import { minidyldFolder, tempFolder } from '../helpers/paths.ts'
import { runImage, verifyImage } from '../helpers/run.ts'
import { archs, createTarget } from '../helpers/targets.ts'

/** A folder with our command as npm installs it (a link), under the name that `clang -fuse-ld=colonnade` looks for. */
function binFolder(): string {
  const folder = tempFolder()
  symlinkSync(ld64, join(folder, 'ld64.colonnade'))
  return folder
}

const SOURCE = '#include "t.h"\nint main(void) { puts("driven"); return 0; }\n'

for (const arch of archs) {
  for (const os of ['macos13', 'macos11']) {
    test(`clang links with -fuse-ld=colonnade for ${arch}-apple-${os}`, () => {
      const folder = tempFolder()
      writeFileSync(join(folder, 'main.c'), SOURCE)
      const env = { PATH: `${binFolder()}:${process.env.PATH}` }
      const args = [
        '-target',
        `${arch}-apple-${os}`,
        '-fuse-ld=colonnade',
        '-Wno-everything',
        '-I',
        join(minidyldFolder, 'tests'),
        'main.c',
        '-o',
        'main',
      ]
      const done = command('clang-22', args, { cwd: folder, env })
      assert.deepEqual([done.status, done.stderr.replace(/^.*warning:.*\n/gm, '')], [0, ''])
      const target = createTarget(arch, os === 'macos13' ? 'chained' : 'opcodes')
      verifyImage(target, join(folder, 'main'))
      assert.equal(runImage(target, join(folder, 'main')).stdout, 'driven\n')
    })
  }

  test(`clang links with --ld-path= for ${arch}, a dylib too`, () => {
    const folder = tempFolder()
    writeFileSync(join(folder, 'lib.c'), 'int answer(void) { return 42; }\n')
    writeFileSync(
      join(folder, 'main.c'),
      '#include "t.h"\nint answer(void);\nint main(void) { printf("%d\\n", answer()); return 0; }\n',
    )
    const base = [
      '-target',
      `${arch}-apple-macos13`,
      `--ld-path=${join(binFolder(), 'ld64.colonnade')}`,
      '-Wno-everything',
      '-I',
      join(minidyldFolder, 'tests'),
    ]
    mustRun(
      'clang-22',
      [...base, '-dynamiclib', '-install_name', '@rpath/libanswer.dylib', 'lib.c', '-o', 'libanswer.dylib'],
      { cwd: folder },
    )
    mustRun('clang-22', [...base, 'main.c', '-L.', '-lanswer', '-Wl,-rpath,@executable_path', '-o', 'main'], {
      cwd: folder,
    })
    const target = createTarget(arch, 'chained')
    verifyImage(target, join(folder, 'libanswer.dylib'))
    assert.equal(runImage(target, join(folder, 'main')).stdout, '42\n')
  })

  test(`cmake builds a small project with a toolchain file for ${arch}, after its own try_compile`, () => {
    const folder = tempFolder()
    const bin = binFolder()
    mkdirSync(join(folder, 'build'))
    writeFileSync(join(folder, 'toolchain.cmake'), toolchain(arch))
    writeFileSync(join(folder, 'CMakeLists.txt'), PROJECT)
    writeFileSync(
      join(folder, 'main.c'),
      '#include "t.h"\nint twice(int);\nint main(void) { printf("%d %d\\n", twice(21), HAS_PUTS); return 0; }\n',
    )
    writeFileSync(join(folder, 'twice.c'), 'int twice(int x) { return 2 * x; }\n')
    const env = { PATH: `${bin}:${process.env.PATH}` }
    for (const args of [
      ['-G', 'Ninja', '-DCMAKE_TOOLCHAIN_FILE=../toolchain.cmake', '..'],
      ['--build', '.'],
    ]) {
      const done = command('cmake', args, { cwd: join(folder, 'build'), env })
      assert.equal(done.status, 0, done.stdout + done.stderr)
    }
    const target = createTarget(arch, 'chained')
    verifyImage(target, join(folder, 'build/program'))
    assert.equal(runImage(target, join(folder, 'build/program')).stdout, '42 1\n')
  })
}

/** An Apple target on a host that is no Mac: cmake is told the compiler and the archiver, and finds the linker through clang. */
function toolchain(arch: string): string {
  return `set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_C_COMPILER clang-22)
set(CMAKE_C_COMPILER_TARGET ${arch}-apple-macos13)
set(CMAKE_C_FLAGS "-Wno-everything -I${join(minidyldFolder, 'tests')}")
set(CMAKE_EXE_LINKER_FLAGS "-fuse-ld=colonnade")
set(CMAKE_SHARED_LINKER_FLAGS "-fuse-ld=colonnade")
set(CMAKE_AR /usr/bin/llvm-ar-22)
set(CMAKE_RANLIB /usr/bin/llvm-ranlib-22)
`
}

const PROJECT = `cmake_minimum_required(VERSION 3.20)
project(program C)
include(CheckFunctionExists)
check_function_exists(puts HAS_PUTS)
check_function_exists(no_such_function_anywhere HAS_NOTHING)
if(NOT HAS_PUTS OR HAS_NOTHING)
  message(FATAL_ERROR "try_compile is wrong: '\${HAS_PUTS}' '\${HAS_NOTHING}'")
endif()
add_library(twice STATIC twice.c)
add_executable(program main.c)
target_compile_definitions(program PRIVATE HAS_PUTS=\${HAS_PUTS})
target_link_libraries(program twice)
`
