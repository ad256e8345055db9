# SPDX-License-Identifier: Apache-2.0
# What the scripts share: where the project is, how packages are installed, how a stage is timed.
# shellcheck disable=SC2034
set -euo pipefail
NB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export NB_ROOT
cd "$NB_ROOT"

say() { printf '%s\n' "== $*" >&2; }
die() {
    printf '%s\n' "nightbook: $*" >&2
    exit 1
}

# install_packages NAME... : Debian packages that are missing, after saying so. Does nothing when all are there.
install_packages() {
    local missing=() name sudo=()
    for name in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "needs these packages, and this is no Debian: ${missing[*]}. Install their like, then set NB_NO_INSTALL=1."
    [ -z "${NB_NO_INSTALL:-}" ] || die "packages are missing and NB_NO_INSTALL is set: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        say "sudo is needed to install: ${missing[*]}"
        sudo=(sudo)
    else
        say "installing: ${missing[*]}"
    fi
    local log
    log=$(mktemp)
    if ! { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install them (whole log: $log)"
    fi
    rm -f "$log"
}

# The product's own needs, and what its tests and checks need beyond.
NB_BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config libjansson-dev libarchive-dev libssl-dev libcurl4-openssl-dev
    libyaml-dev libzstd-dev libxxhash-dev)
NB_BENCH_PACKAGES=(libsqlite3-dev)
NB_TEST_PACKAGES=(clang libclang-rt-14-dev llvm-14 libcmocka-dev python3 python3-websockets python3-websocket python3-numpy python3-xxhash
    zstd g++ curl procps)
NB_CHECK_PACKAGES=(clang-format clang-tidy shellcheck)

# stage NAME COMMAND... : run it, tell how long it took. Its failure ends the script.
stage() {
    local name=$1 begin end
    shift
    begin=$(date +%s)
    say "$name"
    if ! "$@"; then
        end=$(date +%s)
        say "$name FAILED after $((end - begin)) s"
        return 1
    fi
    end=$(date +%s)
    say "$name: $((end - begin)) s"
}

# build PRESET [cmake options] : configure and build it under build/PRESET.
build() {
    local preset=$1 log
    shift
    log=$(mktemp)
    if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset"; } >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}
