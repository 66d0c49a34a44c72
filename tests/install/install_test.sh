#!/usr/bin/env bash
# install_test.sh BUILD SOURCE: installs, moves the folder, and runs the program with an empty environment from elsewhere.
set -euo pipefail
build=$1
source=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "install_test: $*" >&2
  exit 1
}

cmake --install "$build" --prefix "$scratch/first" >"$scratch/log" || fail "$(cat "$scratch/log")"
mv "$scratch/first" "$scratch/moved"
tapir=$scratch/moved/bin/tapir

missing=$(ldd "$tapir" | grep 'not found' || true)
[[ -z $missing ]] || fail "libraries are not found: $missing"
outside=$(ldd "$tapir" | grep -E "$source|site-packages" || true)
[[ -z $outside ]] || fail "the installed program still uses the source's libraries: $outside"

cd /
env -i PATH=/usr/bin:/bin HOME="$scratch" "$tapir" --version >"$scratch/version" || fail "--version exits $?"
grep -qE '[0-9]+\.[0-9]+\.[0-9]+' "$scratch/version" || fail "no version in: $(cat "$scratch/version")"
env -i PATH=/usr/bin:/bin HOME="$scratch" "$tapir" validate "$scratch/moved/share/tapir/recipes/e2e.yaml" >"$scratch/validate" 2>&1 ||
  fail "the installed recipe does not validate: $(cat "$scratch/validate")"
echo "installed, moved, run: $(cat "$scratch/version")"
