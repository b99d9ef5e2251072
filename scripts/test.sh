#!/usr/bin/env bash
# Every test. What a machine lacks is skipped loudly: each skip is printed with its reason and counted at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin:/usr/lib/qemu:/usr/libexec"
target="${CARGO_TARGET_DIR:-target}"
mkdir -p "$target"
# The released binary, as engines use it; without this the tests of the OCI runtime take what Cargo has built last.
export CORACLE_OCI_BIN="${CORACLE_OCI_BIN:-$PWD/dist/coracle-oci}"
export CORACLE_KERNEL_DIR="${CORACLE_KERNEL_DIR:-$(realpath "$target")/kernels}"

if ! CORACLE_ROOT="$target/kernel-root" dist/coracle kernel ls >/dev/null 2>&1; then
  mkdir -p "$target/kernel-root" "$CORACLE_KERNEL_DIR"
  ln -sfn "$CORACLE_KERNEL_DIR" "$target/kernel-root/kernels"
  CORACLE_ROOT="$target/kernel-root" dist/coracle kernel install || echo "SKIP: no guest kernel could be installed"
fi

log="$target/test.log"
status=0
cargo test --quiet --no-run
cargo test --no-fail-fast -- --show-output --test-threads "${TEST_THREADS:-4}" "$@" >"$log" 2>&1 || status=$?
# The process machine is no default member (it is built for another target), but its filter and its address rules are tested here.
cargo test --no-fail-fast -p platform-process -- --show-output "$@" >>"$log" 2>&1 || status=$?
grep -E '^(test .*(FAILED|panicked)|test result:|---- .* stdout ----|SKIP:|error|thread .* panicked|  left|  right|assertion)' "$log" | grep -v '0 passed; 0 failed; 0 ignored' || true
if [ "$status" != 0 ]; then
  echo "test.sh: the whole log:"
  tail -n 400 "$log"
fi
passed=$(grep -oE '^test result: .* ([0-9]+) passed' "$log" | grep -oE '[0-9]+ passed' | awk '{n += $1} END {print n + 0}')
failed=$(grep -oE '[0-9]+ failed;' "$log" | awk '{n += $1} END {print n + 0}')
skipped=$(grep -cE '^SKIP:' "$log" || true)
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
