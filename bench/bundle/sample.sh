#!/bin/bash
# Compiles sample.c to objects/sample-ARCH.o. The results are committed, so that the build needs no compiler. Needs clang 22 (CLANG); no SDK.
set -euo pipefail
cd "$(dirname "$0")"
for arch in arm64 x86_64; do
  "${CLANG:-clang-22}" -target "$arch-apple-macos13" -O1 -g -ffreestanding -funwind-tables -ffile-prefix-map="$PWD"=/src -fdebug-compilation-dir=/src \
    -c sample.c -o "objects/sample-$arch.o"
done
