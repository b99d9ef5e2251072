#!/usr/bin/env bash
# coracle-oci beside crun, runc, youki and bubblewrap: every table of docs/benchmarks.md about OCI runtimes.
# bench/oci.sh [ROUNDS] [TABLE…], where TABLE is start, calls, many, idle or curve (all of them without one).
# CORACLE_OCI_BIN names another coracle-oci; COUNT the number of containers (1000) of `many`, `idle` and `curve`.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/dist:$PATH:/usr/sbin:/sbin:/opt/youki/bin:$HOME/.cargo/bin"
export CORACLE_OCI_BIN="${CORACLE_OCI_BIN:-$PWD/dist/coracle-oci}"
. bench/hybrid.sh

rounds="${1:-40}"
shift || true
tables=("$@")
[ ${#tables[@]} -gt 0 ] || tables=(start calls many idle curve)
for table in "${tables[@]}"; do
  python3 "bench/oci/$table.py" "$rounds"
  echo
done
