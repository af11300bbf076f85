#!/bin/bash
# Compiles the example to objects/ARCH/*.o and objects/ARCH/libtext.a. The results are committed, so that `npm run demo` needs no compiler.
# Needs clang and llvm-ar 22 (CLANG, AR); no SDK.
set -euo pipefail
cd "$(dirname "$0")"
clang=${CLANG:-clang-22} ar=${AR:-llvm-ar-22}

for arch in arm64 x86_64; do
  out=objects/$arch
  rm -rf "$out"
  mkdir -p "$out/members"
  compile() { "$clang" -target "$arch-apple-macos13" -O1 -Wall -Wextra -ffreestanding -c "$1.c" -o "$2/$1.o"; }
  for name in hello orders; do compile $name "$out"; done
  for name in repeat sum unused; do compile $name "$out/members"; done
  (cd "$out/members" && "$ar" --format=darwin rcsD ../libtext.a repeat.o sum.o unused.o)
  rm -r "$out/members"
done
