# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
#
# What every script here begins with: places, messages, and an environment in which `swift build` works.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.build/venv
python=$venv/bin/python
library=$root/.build/release/libbackbone.so
embedded_library=$root/.build/embedded/release/libbackbone.so
arm64_library=$root/.build/arm64/libbackbone.so
cd "$root"

# SwiftPM takes CC and CXX for its own compiler and gives them options that gcc does not know.
unset CC CXX

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

check_swift() {
    command -v swift >/dev/null && return
    fail "swift is not on the PATH. libbackbone is built with Swift 6.3.1 or later, which Debian does not package:
       install it as https://www.swift.org/install/linux describes, then run this script again."
}

# The comment at the top of the calling script, below the copyright, is its help.
usage() {
    awk 'NR > 3 && !/^#/ { exit } NR > 4 { sub(/^# ?/, ""); print }' "$0"
    exit "${1:-0}"
}

# An option that the script does not know.
unknown_option() {
    printf 'error: unknown option %s\n\n' "$1" >&2
    usage 2 >&2
}

# A number or text that include/backbone.h defines: the header is the one place for the version and the ABI number.
header_constant() {
    sed -n "s/^#define $1 \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$root/include/backbone.h"
}

# `swift test` with these arguments; a run without any tests is a failure too.
swift_test() {
    local output status=0
    output=$(mktemp)
    # A test that hangs is a failure, not a run without end.
    timeout 1200 swift test "$@" 2>&1 | tee "$output" || status=1
    if ! grep -qE 'Test run with [1-9][0-9]* test' "$output"; then
        echo "error: no tests were run"
        status=1
    fi
    rm -f "$output"
    return "$status"
}
