#!/usr/bin/env bash
# Measures wstunnel against nginx. See --help, and README.md beside this file.
# shellcheck disable=SC2317  # traps call functions by name
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
    cat <<'HELP'
Usage: Tests/Benchmarks/run.sh [OPTION...]

Builds wstunnel as it is released, and measures it against two nginx in a row.

  --quick           short runs, for a look; the figures are rough
  --runs N          measure everything N times (5; with --quick 2)
  --seconds N       let each run of requests take N seconds (3; with --quick 1)
  --only NAME,NAME  only these scenarios; what stands before a slash is all of that kind
  --list            print the scenarios and stop
  --json FILE       write every single figure to FILE
  --compare FILE    show what has changed since FILE was written by --json
  --binary PATH     measure this program, and build no other
  --nginx-workers N nginx's worker_processes: a number or auto; else the better of 1 and auto
  --no-install      install nothing: say what is missing, and stop
  -h, --help        print this

The exit status is 0 when every run was good, whether or not goals are met: times are too noisy for that.
HELP
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

absolute() { if [[ $1 == /* ]]; then echo "$1"; else echo "$caller/$1"; fi; }

arguments=()
binary=""
may_install=1
only_list=0
while (($# > 0)); do
    case $1 in
        --runs | --seconds | --only | --nginx-workers)
            (($# > 1)) || fail "$1 wants a value"
            arguments+=("$1" "$2")
            shift
            ;;
        --json | --compare)
            (($# > 1)) || fail "$1 wants a file"
            arguments+=("$1" "$(absolute "$2")")
            shift
            ;;
        --binary)
            (($# > 1)) || fail "--binary wants a path"
            binary=$(absolute "$2")
            [[ -x $binary ]] || fail "no program at $binary"
            shift
            ;;
        --quick) arguments+=("$1") ;;
        --list) only_list=1 ;;
        --no-install) may_install=0 ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            fail "unknown argument: $1"
            ;;
    esac
    shift
done

work=$(mktemp -d)
harness=""
sshd_folder_is_ours=""
# shellcheck source=Tests/packages.sh
source Tests/packages.sh

# However the harness ended, nothing that it started stays: all of that is in its process group.
clean_up() {
    if [[ -n $harness ]]; then
        kill -TERM -- "-$harness" 2>/dev/null || true
        wait "$harness" 2>/dev/null || true
        kill -KILL -- "-$harness" 2>/dev/null || true
    fi
    if [[ -n $sshd_folder_is_ours ]]; then rmdir /run/sshd 2>/dev/null || true; fi
    allow_service_starts
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

release() { # PRODUCT
    if ! swift build -c release --static-swift-stdlib --product "$1" >"$work/build.log" 2>&1; then
        tail -n 30 "$work/build.log" >&2
        fail "$1 does not build"
    fi
}

command -v swift >/dev/null || fail "swift is not in the PATH; please install Swift 6.3 or later"
install_packages pkg-config:pkg-config nginx:nginx-light wrk:wrk h2load:nghttp2-client curl:curl openssl:openssl \
    strip:binutils
echo "building (the first time takes some minutes)"
release wstunnel-bench
if ((only_list)); then
    .build/release/wstunnel-bench --list
    exit 0
fi
if [[ -z $binary ]]; then
    release wstunnel
    binary=.build/release/wstunnel
fi
# As it is shipped; and a build beside this one cannot change it meanwhile.
strip -o "$work/wstunnel" "$binary"

# The benchmark's own sshd wants this folder when it runs as root, and Debian makes it only when sshd is started.
if ((EUID == 0)) && [[ -x /usr/sbin/sshd && ! -e /run/sshd ]]; then
    mkdir -m 0755 /run/sshd
    sshd_folder_is_ours=1
fi

set -m
.build/release/wstunnel-bench --binary "$work/wstunnel" "${arguments[@]}" &
harness=$!
set +m
result=0
wait "$harness" || result=$?
exit "$result"
