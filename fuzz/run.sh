#!/usr/bin/env bash
# Runs targets for so many seconds each, some at a time, and prints a line for each: seconds, executions, faults, most memory.
#
#     fuzz/run.sh SECONDS [TARGETS_AT_A_TIME] [TARGET ...]
#
# It builds as cargo-fuzz does, which it does not need: with the flags of coverage and with debug assertions. The seeds are written
# first; inputs that make a fault lie in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?"how many seconds each target runs"} at_a_time=${2:-2}
shift $(($# < 2 ? $# : 2))
all=$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | tail -n +2)
targets=${*:-$all}
cargo run --example seed_corpus
export RUSTC_BOOTSTRAP=1 seconds
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing"
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --bins --features jpeg2000 --target "$host"
export binaries=${CARGO_TARGET_DIR:-target}/$host/release

one() {
    mkdir -p "corpus/$1" "artifacts/$1"
    "$binaries/$1" "corpus/$1" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=60 -print_final_stats=1 -artifact_prefix="artifacts/$1/" \
        >"artifacts/$1.log" 2>&1 && faults=0 || faults=1
    stat() { sed -n "s/^stat::$1: *//p" "artifacts/$2.log"; }
    echo "$1: $(stat number_of_executed_units "$1") executions, $faults faults, most memory $(stat peak_rss_mb "$1") MB"
}
export -f one
printf '%s\n' $targets | xargs -P "$at_a_time" -I{} bash -c 'one {}'
