#!/usr/bin/env bash
# Installs what is missing: Debian packages and Rust targets. Does nothing, quickly, where nothing is.
set -euo pipefail
cd "$(dirname "$0")/.."

# program or file that shows that the package is there : package
needs=(
  gcc:gcc g++:g++ redis-server:redis-server redis-benchmark:redis-tools mkfs.erofs:erofs-utils crun:crun
  qemu-system-x86_64:qemu-system-x86 virtiofsd:virtiofsd ip:iproute2 unshare:util-linux busybox:busybox-static
  python3:python3 sqlite3:sqlite3 skopeo:skopeo umoci:umoci nft:nftables ping:iputils-ping dpkg-deb:dpkg xz:xz-utils zstd:zstd nsenter:util-linux nc:netcat-openbsd
)
export PATH="$PATH:/usr/sbin:/sbin:/usr/lib/qemu:/usr/libexec"
missing=()
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
done
# A Redis that is installed and nothing more: it must not be started as a service.
if [ ${#missing[@]} -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [ "$(id -u)" != 0 ]; then
    echo "setup: missing Debian packages: ${missing[*]}; run as root, or: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  apt-get update -qq
  for package in "${missing[@]}"; do
    apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "setup: SKIP: no package $package here" >&2
  done
fi

if ! command -v cargo >/dev/null; then
  echo "setup: Rust is missing; install it from https://rustup.rs and run this again" >&2
  exit 1
fi
installed=$(rustup target list --installed 2>/dev/null || true)
for target in x86_64-unknown-linux-musl x86_64-unknown-none; do
  grep -qx "$target" <<<"$installed" || rustup target add "$target"
done
