# What a build needs: Debian packages, and libtorch from the torch wheel. Sourced by ./dev, from the repository's root.

packages=(
  g++ cmake ninja-build ccache pkg-config python3 python3-venv
  libsqlite3-dev nlohmann-json3-dev libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev
  libpcre2-dev libicu-dev libcpp-httplib-dev libsentencepiece-dev libcld2-dev libssl-dev libcurl4-openssl-dev zlib1g-dev libgtest-dev libgmock-dev
)
torch_version=2.11.0  # fetched when there is none; any later one is taken as it is
torch_requirements=("torch==$torch_version" 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*')

say() { echo "dev: $*" >&2; }
fail() {
  echo "dev: $*" >&2
  exit 2
}

# setup yes|no: with libtorch or without
setup() {
  need_packages "${packages[@]}"
  [[ $1 == no ]] || need_torch
}

# Installs the Debian packages of "$@" that are missing; not root: says which, and stops.
need_packages() {
  command -v dpkg-query >/dev/null ||
    fail "this script knows Debian 12 only; elsewhere install what CMake asks for and use: cmake --preset release"
  local missing=() package
  for package in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $(id -u) != 0 ]]; then
    fail "some Debian packages are missing. Run this line, then the same command again:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  local attempt
  for attempt in 1 2 3; do
    if apt_install "${missing[@]}"; then return; fi
    say "apt-get failed (try $attempt of 3)"
    sleep $((attempt * 3))
  done
  fail "apt-get could not install: ${missing[*]}. Its last words are above; the whole log is .cache/apt.log"
}

apt_install() {
  mkdir -p .cache
  export DEBIAN_FRONTEND=noninteractive
  watched .cache/apt.log apt-get update -q || return
  watched .cache/apt.log apt-get install -y -q --no-install-recommends "$@"
}

# Runs a command with its output in a log file, and shows that it is alive: the log's last line every five seconds.
watched() {
  local log=$1 started=$SECONDS status=0
  shift
  "$@" >"$log" 2>&1 </dev/null &
  local job=$!
  while kill -0 "$job" 2>/dev/null; do
    sleep 1
    if (((SECONDS - started) % 5 == 4)); then
      printf 'dev: %4d s  %.90s\n' $((SECONDS - started)) "$(tail -n 1 "$log" | tr -d '\r')" >&2
    fi
  done
  wait "$job" || status=$?
  [[ $status == 0 ]] || tail -n 15 "$log" >&2
  return "$status"
}

# True when the folder of a torch wheel is new enough and every library that its libtorch_cpu wants is found.
torch_serves() {
  local version
  [[ -f $1/version.py && -f $1/lib/libtorch_cpu.so ]] || return 1
  version=$(sed -n "s/^__version__ = '\([0-9.]*\).*/\1/p" "$1/version.py")
  [[ $(printf '%s\n' "$torch_version" "$version" | sort -V | head -n 1) == "$torch_version" ]] || return 1
  ! ldd "$1/lib/libtorch_cpu.so" | grep -q 'not found'
}

need_torch() {
  if [[ -n ${TAPIR_TORCH_ROOT:-} ]]; then
    torch_serves "$TAPIR_TORCH_ROOT" && return
    fail "TAPIR_TORCH_ROOT=$TAPIR_TORCH_ROOT is no torch wheel of $torch_version or later with all its libraries"
  fi
  local folder
  for folder in .venv/lib/python3*/site-packages/torch; do
    torch_serves "$folder" && return
  done
  say "fetching libtorch: the torch wheel $torch_version and two CUDA libraries it is linked to, 0.55 GB, into .venv"
  [[ -x .venv/bin/python ]] || python3 -m venv .venv
  local attempt
  for attempt in 1 2 3; do
    if .venv/bin/python -m pip install --no-deps "${torch_requirements[@]}"; then
      for folder in .venv/lib/python3*/site-packages/torch; do
        torch_serves "$folder" && return
      done
      ldd .venv/lib/python3*/site-packages/torch/lib/libtorch_cpu.so | grep 'not found' >&2
      fail "the torch wheel in .venv lacks the libraries above; remove .venv and run ./dev setup again"
    fi
    say "pip failed (try $attempt of 3)"
    sleep $((attempt * 3))
  done
  fail "pip could not fetch the torch wheel; its words are above. Check the network and pip's configuration (pip config list)"
}
