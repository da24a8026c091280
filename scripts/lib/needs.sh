# Sourced by scripts/test: what the tests need beside a compiler and the dependency group `test`. The one place that decides it.

# need_room FOLDER: adds what its tests need to $commands, $groups and $apart. "testsuite" is the interpreter's own tests. With
# $bare, no scanner, and nothing of the libraries and servers that tests/ecosystem is about.
need_room() {
  case $1 in
    tests/kit) commands+=(curl openssl) ;;
    tests/interop)
      commands+=(curl openssl gnutls-cli strace)
      [ -n "$bare" ] || apart+=(scanner)
      ;;
    tests/face | tests/incidents | tests/install | tests/static) commands+=(openssl) ;;
    tests/deployed) [ -n "$bare" ] || groups+=(frozen) ;;
    tests/compat) commands+=(testsuite) ;;
    tests/repo) commands+=(make) ;;
    tests/cli)
      commands+=(curl openssl)
      [ -n "$bare" ] || groups+=(ecosystem)  # programs in docs/ import some of it
      ;;
    tests/ecosystem)
      [ -z "$bare" ] || return 0
      groups+=(ecosystem)
      apart+=(acme)
      commands+=(haproxy redis-server prosody strace pebble prometheus)
      # The Squid that speaks TLS to its clients.
      command -v squid >/dev/null || commands+=(squid-openssl)
      # Debian keeps PostgreSQL's programs out of PATH, and its package is what need_system installs.
      compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || commands+=(postgresql)
      ;;
  esac
}

# need_selection ARGUMENT...: what the tests need that these arguments of pytest select: without a path, all of them.
need_selection() {
  local argument previous='' path
  local -a rooms=()
  for argument; do
    path=${argument#"$root"/}
    path=${path#./}
    case $previous:$path in
      --ignore:* | --deselect:*) ;;  # not selected
      *:tests | *:tests/ | *:.) rooms+=(tests/*/) ;;
      *:tests/*)
        path=${path#tests/}
        rooms+=("tests/${path%%[/:]*}")
        ;;
    esac
    previous=$argument
  done
  [ ${#rooms[@]} -gt 0 ] || rooms=(tests/*/)
  for path in "${rooms[@]}"; do need_room "${path%/}"; done
}
