#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# example.sh SOURCE BUILD: install BUILD into a prefix of its own, build examples/book.c against that by pkg-config and by
# the CMake package, shared and static, and let each print books of the installed program's own look-alike.
set -euo pipefail
source_dir=$1 build_dir=$2
work=$(mktemp -d)
prefix=$work/prefix
sim_pid=
finish() {
    [ -z "$sim_pid" ] || kill "$sim_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

cmake --install "$build_dir" --prefix "$prefix" >"$work/install.log" || fail "$(cat "$work/install.log")"
lib_dir=$(dirname "$(find "$prefix" -name libnightbook.so)")
[ -L "$lib_dir/libnightbook.so" ] || fail "libnightbook.so is no link to its versioned file"
foreign=$(nm -D --defined-only "$lib_dir/libnightbook.so" | awk '{print $3}' | grep -vE '^nb_[a-z]' || true)
[ -z "$foreign" ] || fail "the shared library shows more than its public API: $foreign"

# built in four ways, from a copy of the example, so that nothing of the source tree is near
cp -r "$source_dir/examples" "$work/examples"
export PKG_CONFIG_PATH=$lib_dir/pkgconfig
flags=(-std=c17 -Wall -Wextra -Werror "$work/examples/book.c")
# shellcheck disable=SC2046 # one word a flag
gcc "${flags[@]}" $(pkg-config --cflags --libs nightbook) -o "$work/book-pkgconfig-shared"
# shellcheck disable=SC2046
gcc "${flags[@]}" $(pkg-config --static --cflags --libs nightbook | sed 's/-lnightbook/-l:libnightbook.a/') \
    -o "$work/book-pkgconfig-static"
for kind in shared static; do
    cmake -G Ninja -S "$work/examples" -B "$work/cmake-$kind" -DCMAKE_PREFIX_PATH="$prefix" -DNIGHTBOOK="$kind" \
        >"$work/cmake.log" 2>&1 && cmake --build "$work/cmake-$kind" >>"$work/cmake.log" 2>&1 ||
        fail "$(cat "$work/cmake.log")"
    mv "$work/cmake-$kind/book" "$work/book-cmake-$kind"
done
for kind in pkgconfig cmake; do
    ldd "$work/book-$kind-static" | grep libnightbook >/dev/null && fail "the static program needs libnightbook.so"
    ldd "$work/book-$kind-shared" | grep libnightbook >/dev/null || fail "the shared program does not use libnightbook.so"
done

"$prefix/bin/nightbook" sim --listen 127.0.0.1:0 --at 20:00 --keys 5 --many-sessions --quiet 2>"$work/sim.log" &
sim_pid=$!
for _ in $(seq 100); do
    grep -q '^listening ' "$work/sim.log" && break
    sleep 0.1
done
url=$(sed -n 's/^listening //p' "$work/sim.log")
code=$(sed -n 's/.*at the money: H0EUASP0 //p' "$work/sim.log")
[ -n "$url" ] && [ -n "$code" ] || fail "the look-alike did not start: $(cat "$work/sim.log")"

level='^ *[0-9]+ +[0-9]+\.[0-9]{2} \| [0-9]+\.[0-9]{2} +[0-9]+$'
for program in "$work"/book-*; do
    LD_LIBRARY_PATH=$lib_dir timeout 20 "$program" "$url" "$code" >"$work/out" 2>"$work/err" &
    pid=$!
    for _ in $(seq 150); do
        [ "$(grep -cE "$level" "$work/out")" -ge 10 ] && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    grep -q "^$code: SUBSCRIBE SUCCESS$" "$work/out" || fail "$program: no answer: $(cat "$work/out" "$work/err")"
    grep -qE "^$code [0-9]{6}$" "$work/out" || fail "$program: no book: $(cat "$work/out" "$work/err")"
    [ "$(grep -cE "$level" "$work/out")" -ge 10 ] || fail "$program: no levels: $(cat "$work/out" "$work/err")"
    echo "$(basename "$program"): $(grep -cE "^$code [0-9]{6}$" "$work/out") books of $code"
done

# somebody must be there, and the address must be one
"$work/book-cmake-static" ws://ops.koreainvestment.com:21000 A 2>"$work/err" && fail "it connected to KIS"
grep -q "nightbook serve" "$work/err" || fail "KIS's address: $(cat "$work/err")"
