#!/usr/bin/env bash
# Every benchmark, beside its peer in the same run. Ratios of medians are what counts: see docs/benchmarks.md.
# bench/run.sh [ROUNDS of starts] [ROUNDS of Redis]
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/dist:$PATH:/usr/sbin:/sbin"
export CORACLE_ROOT="${CORACLE_ROOT:-/var/lib/coracle-bench}"

. bench/hybrid.sh

python3 bench/start.py "${1:-20}"
coracle image pack --name redis /usr/bin/redis-server >/dev/null
python3 bench/levels.py "${1:-20}" "${2:-3}"
bench/oci.sh "${1:-20}"
