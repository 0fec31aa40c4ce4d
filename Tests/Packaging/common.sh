# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
#
# What the tests of packaging share. Their arguments: CMAKE BUILD-FOLDER CASE-FOLDER. For another machine the variables
# CC, CXX and EMULATOR have its compilers and an emulator, and CMake reads CMAKE_TOOLCHAIN_FILE.

set -euo pipefail
cmake=$1
build=$2
case=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A command with arguments of its own.
read -ra emulator <<<"${EMULATOR:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Runs a command, and shows its output only if it fails.
quietly() {
    "$@" >"$work/log" 2>&1 && return
    cat "$work/log"
    fail "$*"
}

# Runs a program, of this machine or another.
run() { "${emulator[@]}" "$@"; }

# Configures and builds the consumer in a new folder: consumer BUILD-FOLDER OPTION...
consumer() {
    quietly "$cmake" -S "$here/consumer" -B "$@"
    quietly "$cmake" --build "$1" --parallel 2
}

# Runs both programs of a folder, which compare features with PyTorch's.
run_both() {
    say "$1"
    run "$1/consumer-c" "$case"
    run "$1/consumer-cpp" "$case"
}

say() { printf '== %s\n' "${*#"$work"/}"; }
