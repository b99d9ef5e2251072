#!/usr/bin/env bash
# Installs what is missing: Debian packages and Rust targets. Does nothing, quickly, where nothing is.
set -euo pipefail
cd "$(dirname "$0")/.."

# program or file that shows that the package is there : package
needs=(
  gcc:gcc g++:g++ redis-server:redis-server redis-benchmark:redis-tools mkfs.erofs:erofs-utils crun:crun
  qemu-system-x86_64:qemu-system-x86 virtiofsd:virtiofsd ip:iproute2 unshare:util-linux busybox:busybox-static
  python3:python3 sqlite3:sqlite3 skopeo:skopeo umoci:umoci nft:nftables ping:iputils-ping dpkg-deb:dpkg xz:xz-utils zstd:zstd nsenter:util-linux nc:netcat-openbsd
  # the engines that drive coracle-oci, and its peers
  podman:podman conmon:conmon buildah:buildah containerd:containerd dockerd:docker.io tini:tini runc:runc bwrap:bubblewrap
  # rootless, checkpoints, the systemd driver, and what tests look with
  newuidmap:uidmap pasta:passt slirp4netns:slirp4netns criu:criu dbus-daemon:dbus strace:strace jq:jq script:bsdutils ps:procps
  setpriv:util-linux
)
export PATH="$PATH:/usr/sbin:/sbin:/usr/lib/qemu:/usr/libexec"
missing=()
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
done
# What is installed is a program and nothing more: no Redis, dockerd or containerd may be started as a service. A policy-rc.d
# that is there stays; ours goes again.
policy=/usr/sbin/policy-rc.d
if [ ${#missing[@]} -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if [ "$(id -u)" != 0 ]; then
    echo "setup: missing Debian packages: ${missing[*]}; run as root, or: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
  fi
  apt-get update -qq
  install() { apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
  install "${missing[@]}" 2>/dev/null || for package in "${missing[@]}"; do
    install "$package" || echo "setup: SKIP: no package $package here" >&2
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
