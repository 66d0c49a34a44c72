#!/usr/bin/env bash
# ./dev lint: formatting, includes against links, file rules, clang-tidy. Looks at the files git tracks only.
#   --quick  without clang-tidy        --all  clang-tidy on every source file, not only on the changed ones
#   --base REF  what "changed" is measured from (default: where this branch left origin/main, else HEAD)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/setup.sh

mode=changed
base=
while [[ $# -gt 0 ]]; do
  case $1 in
    --all) mode=all ;;
    --quick) mode=quick ;;
    --base) base=${2:?--base needs a commit}; shift ;;
    *) fail "lint: unknown option '$1' (--quick, --all, --base REF)" ;;
  esac
  shift
done

failed=()
check() {  # check NAME COMMAND...: every check runs, whatever the ones before said
  local name=$1
  shift
  say "lint: $name"
  "$@" || failed+=("$name")
}

check_format() {
  local bad
  bad=$(git ls-files -z '*.h' '*.cpp' |
    xargs -0 -r -n 1 -P "$(nproc)" sh -c 'clang-format-14 --dry-run -Werror "$1" 2>/dev/null || echo "$1"' sh | sort)
  [[ -z $bad ]] || { printf '%s\n' "$bad" "run ./dev format"; return 1; }
}

tidy_files() {
  if [[ $mode == all ]]; then
    git ls-files 'src/*.cpp' 'apps/*.cpp'
  else
    local from=${base:-$(git merge-base HEAD origin/main 2>/dev/null || echo HEAD)}
    git diff --name-only --diff-filter=d "$from" -- 'src/*.cpp' 'apps/*.cpp'
  fi
}

# In a build folder of its own, without precompiled headers: clang does not read GCC's.
run_tidy() {
  local files
  files=$(tidy_files)
  if [[ -z $files ]]; then
    say "lint: no changed source files (--all looks at every file)"
    return
  fi
  need_packages clang-tidy-16 "${packages[@]}"
  need_torch
  cmake -S . -B build-lint -G Ninja -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON -DCMAKE_CXX_COMPILER_LAUNCHER= \
    ${TAPIR_TORCH_ROOT:+"-DTAPIR_TORCH_ROOT=$TAPIR_TORCH_ROOT"} >build-lint.log 2>&1 ||
    { cat build-lint.log; return 1; }
  rm -f build-lint.log
  python3 scripts/lint_tidy.py build-lint <<<"$files"
}

check "formatting (clang-format 14)" check_format
check "includes against declared links" python3 scripts/lint_includes.py
check "file rules" python3 scripts/lint_files.py
[[ $mode == quick ]] || check "clang-tidy 16" run_tidy

if [[ ${#failed[@]} -gt 0 ]]; then
  printf 'lint failed: %s\n' "${failed[@]}"
  exit 1
fi
echo "lint: clean"
