# Sourced by the scripts beside this folder: finds a Python, installs what is missing, builds and installs wiretight.
#
# Everything lands in .venv/<version of the Python>, which git ignores: the virtual environment, the build folder, the
# log, and stamps that let a second run skip what is still true. Deleting .venv is always safe.

set -euo pipefail
# --help, before anything is set up: the comment that the script begins with.
for argument; do
  case $argument in
    --) break ;;
    -h | --help)
      sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
      exit
      ;;
  esac
done
unset argument
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
openssl=system  # or the version of one that is built into wiretight
apart=()  # dependency groups of programs that want other versions of what the tests have
without_aslr=()
patience=15  # seconds without a sign of life, where it does not go to a terminal
unset PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# run WHAT COMMAND...: one line for the reader, the rest into the log, which is shown when the command fails.
run() {
  local what=$1 start=$SECONDS status=0 why sign
  shift
  printf '%s ... ' "$what" >&2
  printf '\n== %s\n$ %s\n' "$what" "$*" >>"$log"
  exec 8> >(sign_of_life "$what")
  sign=$!  # before the command, which may be a function that starts others
  "$@" >>"$log" 2>&1 </dev/null 8>&- || status=$?
  exec 8>&-
  wait "$sign"
  if [ "$status" = 0 ]; then
    say "done ($((SECONDS - start)) s)"
    return
  fi
  say 'FAILED'
  why=$(unreachable)
  [ -n "$why" ] || last_of_log | tail -n 60 >&2
  die "$what failed${why:+: $why}; the whole log is in ${log#"$root"/}"
}

# sign_of_life WHAT: until its input ends, the seconds since it began, and what ninja has counted: for a terminal in place,
# for a pipe or a file now and then.
sign_of_life() {
  local period=$patience start=$SECONDS count
  [ ! -t 2 ] || period=1
  while read -rt "$period" || [ $? -gt 128 ]; do
    count=$(last_of_log | grep -oE '\[[0-9]+/[0-9]+\]' | tail -n 1) || count=
    if [ -t 2 ]; then
      printf '\r\033[K%s ... %d s%s ... ' "$1" $((SECONDS - start)) "${count:+, $count}" >&2
    else
      printf '%d s%s ... ' $((SECONDS - start)) "${count:+, $count}" >&2
    fi
  done
}

# last_of_log: what the last command that was run has printed.
last_of_log() { sed -n '/^== /h;/^== /!H;${x;p}' "$log"; }

# unreachable: what has not answered, if that is why the last command failed.
unreachable() {
  if last_of_log | grep -qE 'connection broken|Max retries' &&
    last_of_log | tail -n 5 | grep -qE 'No matching distribution|Max retries'; then
    echo 'the package index that pip asks cannot be reached'
  elif grep -qE 'Temporary failure resolving|Could not (resolve|connect)|Failed to fetch' "$log" &&
    last_of_log | grep -qE '^E: (Unable to|Failed to fetch|Package .* has no)'; then
    echo "the archive of this system's packages cannot be reached"
  fi
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

# find_python [NAME]: NAME is a path, a command or a version ("3.12"); without it, the first that will do. Sets $found.
find_python() {
  local candidate
  local -a candidates=()
  if [ $# -gt 0 ]; then
    candidates=("$1" "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"*/bin/python)
    case $1 in 3.*t) candidates+=("$(free_threaded "${1%t}")") ;; esac
  else
    candidates=(python3 python python3.{15,14,13,12,11,10} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-9]*/bin/python)
  fi
  for candidate in "${candidates[@]}"; do
    if command -v "$candidate" >/dev/null && new_enough "$candidate"; then
      found=$(command -v "$candidate")
      return
    fi
  done
  die "no Python 3.10 or newer found${1:+ as $1}; install one (apt install python3), or name it: --python /path/to/python3"
}

# free_threaded [VERSION]: those that tools/free_threaded_python.py has built.
free_threaded() { ! new_enough python3 || python3 tools/free_threaded_python.py --found "$@" 2>/dev/null || true; }

# every_python: the newest patch release of each minor version found, of pyenv's, of the system's, of those that
# tools/free_threaded_python.py has built, and of those that WIRETIGHT_PYTHONS names, a list of paths separated by spaces.
# A free-threaded build is a version of its own.
every_python() {
  local candidate
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-9]*/bin/python /usr/bin/python3.1[0-9] \
    /usr/local/bin/python3.1[0-9] $(free_threaded) ${WIRETIGHT_PYTHONS:-}; do
    if [ -x "$candidate" ] && new_enough "$candidate"; then
      "$candidate" -c "$ask_version"'print("%d.%d%s" % (*v[:2], t), v[2], sys.argv[1])' "$candidate"
    fi
  done | sort -V -k1,1 -k2,2 | awk '{found[$1] = $3} END {for (minor in found) print minor, found[minor]}' |
    sort -V | cut -d' ' -f2
}

# What a Python says of itself, in two names: v, and t where it has no GIL.
ask_version='import sys, sysconfig; v = sys.version_info; t = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""; '

# launched PYTHON: whether this is a script that starts an interpreter which cannot start by itself, such as one that was
# unpacked somewhere together with a C library of its own.
launched() { ! "$("$1" -c 'import sys; print(sys._base_executable)')" -c '' 2>/dev/null; }

# has_tests PYTHON: whether its own tests came with it. Debian's Python alone has them in a package.
has_tests() {
  "$1" -c 'import importlib.util as u, sys; sys.exit(sys.prefix == "/usr" and not u.find_spec("test.test_ssl"))'
}

# need_system PYTHON COMMAND...: the compiler, headers and commands that pip cannot install; "testsuite" is no command, but
# the tests that come with an interpreter.
need_system() {
  local python=$1 version command
  local -a missing=()
  shift
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v pkg-config >/dev/null || missing+=(pkg-config)
  if [ "$openssl" = system ]; then
    { command -v pkg-config >/dev/null && pkg-config --exists openssl; } || missing+=(libssl-dev)
  else
    command -v perl >/dev/null || missing+=(perl)
    command -v make >/dev/null || missing+=(make)
  fi
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [ -e "$(include_of "$python")/Python.h" ] ||
    missing+=("python$version-dev")
  launched "$python" || "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python$version-venv")
  for command; do
    case $command in
      dot) command -v dot >/dev/null || missing+=(graphviz) ;;
      gnutls-cli) command -v gnutls-cli >/dev/null || missing+=(gnutls-bin) ;;
      testsuite) has_tests "$python" || missing+=("libpython$version-testsuite") ;;
      *) command -v "$command" >/dev/null || missing+=("$command") ;;
    esac
  done
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | awk '!known[$0]++')
  [ -z "${missing[*]}" ] || install_system "${missing[@]}"
  [ "$openssl" != system ] || pkg-config --exists 'openssl >= 3.0' ||
    die "wiretight needs OpenSSL 3.0 or newer; pkg-config finds $(pkg-config --modversion openssl 2>&1)"
}

# install_system PACKAGE...: one at a time on this machine, because apt's lists have no lock that it waits for.
install_system() {
  if [ "$(id -u)" != 0 ] || ! grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; then
    die "missing system packages; install them first: apt install $* (or what they are called here)"
  fi
  export DEBIAN_FRONTEND=noninteractive
  exec 7>>/run/lock/wiretight-packages  # a folder where anybody may have put a link of that name
  wait_for 7 'installs system packages'
  run 'package lists' apt-get -q update
  run "installing $*" apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
  exec 7>&-
}

# wait_for DESCRIPTOR WHAT: locks it; where another run has, that does WHAT, and the reader hears what is waited for.
wait_for() {
  flock -n "$1" && return
  say "waiting for another run, which $2"
  flock "$1"
}

# once STAMP STATE COMMAND...: runs the command unless it has succeeded in this environment with the same state.
once() {
  local stamp=$env/stamps/$1 state=$2
  shift 2
  [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && return
  rm -f "$stamp"
  "$@"
  printf '%s\n' "$state" >"$stamp"
}

fingerprint() { find "$@" -type f ! -name '*.so' ! -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum; }

# environment PYTHON FOLDER: a virtual environment whose pip knows dependency groups.
environment() {
  local base=$1 folder=$2
  if launched "$base"; then
    user_environment "$base" "$folder" && find_python && "$found" -m venv "$folder/pip" &&
      "$folder/pip/bin/python" -m pip install 'pip>=25.1' &&
      "$folder/pip/bin/python" -m pip --python "$folder/bin/python" install 'pip>=25.1'
  else
    "$base" -m venv "$folder" && "$folder/bin/python" -m pip install 'pip>=25.1'
  fi
}

# user_environment LAUNCHER FOLDER: what does for a virtual environment where an interpreter cannot have one. The folder is
# that of its user, who starts it as bin/python; it is told to start others in the same way.
user_environment() {
  local python=$2/bin/python site
  mkdir -p "$2/bin"
  printf '#!/bin/sh\nPYTHONUSERBASE=%q PIP_USER=1 PIP_BREAK_SYSTEM_PACKAGES=1 exec %q "$@"\n' "$2" "$1" >"$python"
  chmod +x "$python"
  site=$("$python" -c 'import site; print(site.getusersitepackages())') && mkdir -p "$site" &&
    printf 'import sys\n\nsys.executable = "%s"\n' "$python" >"$site/usercustomize.py"
}

# set_up PYTHON [GROUP...]: a Python with wiretight, its extras and these dependency groups; sets $env and $python.
set_up() {
  prepare "$@"
  once wiretight "$(fingerprint src tools meson.build meson.options pyproject.toml) $engine" \
    run 'building wiretight' install_wiretight
  flock -u 9
}

# prepare PYTHON [GROUP...]: all of that but wiretight itself; sets $tag, too, and $engine, and holds the lock.
prepare() {
  local base group
  base=$(realpath "$1")
  # Not the shim or the virtual environment that it may have been found by.
  launched "$1" || base=$("$1" -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
  shift
  tag=$("$base" -c "$ask_version"'print("%d.%d.%d%s" % (*v[:3], t))')
  [ "$openssl" = system ] || tag+=-openssl$openssl
  env=$root/.venv/$tag
  python=$env/bin/python
  export PATH=$env/bin:$PATH
  log=$env/setup.log
  mkdir -p "$env/stamps"
  exec 9>"$env/lock"
  wait_for 9 "sets up ${env#"$root"/}"
  : >"$log"
  need_system "$base" "${commands[@]}"
  once venv "$base" run "virtual environment for Python $tag" environment "$base" "$env"
  for group in build "$@"; do
    once "group-$group" "$(sha256sum <pyproject.toml)" \
      run "dependencies: $group" "$python" -m pip install --group "$group"
  done
  for group in "${apart[@]}"; do
    once "group-$group" "$(sha256sum <pyproject.toml)" run "programs: $group" install_apart "$group"
  done
  engine=$(engine_of "$openssl") || exit $?
  build_options "$base"
}

# install_apart GROUP: into a folder of its own, which whoever runs its programs puts into PYTHONPATH. Where it cannot be
# installed, the tests that need it say so. Of what is native, no sources: they would build an OpenSSL.
install_apart() {
  "$python" -m pip install --only-binary cryptography,nassl,pydantic-core --upgrade --target "$env/apart/$1" --group "$1" ||
    say "$1: cannot be installed; left out"
}

# engine_of OPENSSL: what an installed wiretight depends on; one of its own is built here, where its progress is seen.
# Status 77: no source of it is in reach.
engine_of() {
  if [ "$1" = system ]; then pkg-config --modversion openssl; else "$python" tools/build_openssl.py "$1"; fi
}

# build_options PYTHON: sets $options, what pip is to tell meson.
build_options() {
  options=(-Csetup-args=-Dopenssl=system)
  [ "$openssl" = system ] || options=(-Csetup-args=-Dopenssl=static -Csetup-args=-Dopenssl_version="$openssl")
  # The headers of an interpreter that was unpacked somewhere include each other by the paths that they have in a system.
  ! launched "$1" || options+=("-Csetup-args=-Dc_args=-idirafter $(dirname "$(include_of "$1")")")
}

include_of() { "$1" -c 'import sysconfig; print(sysconfig.get_path("include"))'; }

install_wiretight() {
  # meson takes no new option into a build folder that it has configured before.
  cmp -s meson.options "$env/build.options" || rm -rf "$env/build"
  cp meson.options "$env/build.options"
  # -v: what ninja counts is the sign of life.
  "$python" -m pip install -v --no-build-isolation -Cbuild-dir="$env/build" "${options[@]}" '.[demo]'
}

# core_in NAME MESON-OPTION...: a second core, of its own build, in the environment; sets $site, where it is installed.
core_in() {
  local name=$1 build=$env/build-$1
  shift
  site=$env/site-$name
  [ -f "$build/build.ninja" ] || run "configuring the core ($name)" "$env/bin/meson" setup "$build" \
    "$@" -Dlock_checks=true -Dpython.platlibdir="$site" -Dpython.purelibdir="$site"
  run "building the core ($name)" "$env/bin/meson" install -C "$build"
}

# with_lock_checks: from here on $python runs a core that aborts where a thread breaks the rule of mutex.h.
with_lock_checks() {
  core_in locks --buildtype=debugoptimized -Doptimization=1
  export PYTHONPATH=$site:$root
}

# sanitized ARGUMENTS...: Python with a core built with AddressSanitizer and UBSan.
sanitized() {
  find_python
  set_up "$found" test
  core_in asan --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false
  # The interpreter is not instrumented: what it keeps for ever looks like leaks.
  export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:strict_string_checks=1:detect_stack_use_after_return=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export SANITIZED_MALLOC=malloc
  SANITIZERS=$(cc -print-file-name=libasan.so):$(cc -print-file-name=libubsan.so)
  under_sanitizers "$@"
}

# races PYTHON ARGUMENTS...: Python with a core built with ThreadSanitizer. Without the GIL it sees most: where there is
# one, every change of a thread's turn orders what the threads did.
races() {
  set_up "$1" test
  shift
  core_in tsan --buildtype=debug -Doptimization=1 -Db_sanitize=thread -Db_lundef=false \
    -Dc_args="-include $root/scripts/lib/tsan.h"
  export TSAN_OPTIONS="suppressions=$root/scripts/lib/tsan.txt:halt_on_error=0:exitcode=66:history_size=7:report_signal_unsafe=0${TSAN_OPTIONS:+:$TSAN_OPTIONS}"
  export SANITIZED_MALLOC=default     # without the GIL Python has no other
  SANITIZERS=$(cc -print-file-name=libtsan.so)
  # ThreadSanitizer maps its shadow to fixed addresses, which a randomized layout of the process may have taken.
  without_aslr=(setarch "$(uname -m)" -R)
  under_sanitizers "$@"
}

# under_sanitizers ARGUMENTS...: $python with the runtime $SANITIZERS, on the core in $site.
under_sanitizers() {
  export SANITIZERS SANITIZED_PYTHON=$python SANITIZER_LAUNCHER=$root/scripts/lib/asan/python
  export PYTHONPATH=$site:$root/scripts/lib/asan:$root
  "${without_aslr[@]}" "$SANITIZER_LAUNCHER" "$@"
}
