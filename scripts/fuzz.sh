#!/usr/bin/env bash
# Runs one fuzz target, or each of them, for some seconds: scripts/fuzz.sh [TARGET|all] [SECONDS]
# Coverage comes from LLVM's own pass, so the stable toolchain is enough; crashes end up in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
target="${1:-all}"
seconds="${2:-30}"
export RUSTFLAGS="--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
if [ "$target" = all ]; then
  targets=(fuzz_targets/*.rs)
  targets=("${targets[@]##*/}")
else
  targets=("$target.rs")
fi
for name in "${targets[@]%.rs}"; do
  echo "== $name, $seconds s"
  mkdir -p "corpus/$name" artifacts
  cargo run --quiet --release --target x86_64-unknown-linux-gnu --bin "$name" -- \
    "corpus/$name" -max_total_time="$seconds" -artifact_prefix=artifacts/ -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1
done
