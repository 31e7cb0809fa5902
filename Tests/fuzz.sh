#!/usr/bin/env bash
# Throws sessions that are nearly right at the built program. See --help.
set -euo pipefail
caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'HELP'
Usage: Tests/fuzz.sh [OPTION...]

Plays tunnel clients to a server, tunnel servers to a client, callers and origins, all of which say what is nearly
right: handshakes, WebSocket frames, frames of protocol v2, messages of v1 and HTTP with something wrong in them. The
program must live, answer through a good tunnel, end when it is asked to, write no error into its log, and not grow.

  --minutes N     how long for each of the players (10)
  --seed S        the number from which everything follows; else one by chance, which is printed
  --only PLAYER   server-v1, server-v2, client-v1, client-v2 or callers: who or what is attacked
  --session N     this session alone
  --binary PATH   this program; else the debug build is made and taken
  --keep FOLDER   where what led to a finding goes (.build/fuzz)
  -h, --help      print this

A finding comes with the seed and the session's number; what the last sessions sent is kept. The exit status is 1 then.
HELP
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

absolute() { if [[ $1 == /* ]]; then echo "$1"; else echo "$caller/$1"; fi; }

minutes=10
seed=$(od -vAn -N4 -tu4 /dev/urandom)
seed=${seed// /}
binary=""
keep=$PWD/.build/fuzz
arguments=()
while (($# > 0)); do
    case $1 in
        --minutes | --seed | --only | --session | --binary | --keep)
            (($# > 1)) || fail "$1 wants a value"
            case $1 in
                --minutes) minutes=$2 ;;
                --seed) seed=$2 ;;
                --binary) binary=$(absolute "$2") ;;
                --keep) keep=$(absolute "$2") ;;
                *) arguments+=("$1" "$2") ;;
            esac
            shift
            ;;
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

command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3"
if [[ -z $binary ]]; then
    echo "building"
    swift build --product wstunnel >/dev/null || fail "wstunnel does not build"
    binary=$PWD/.build/debug/wstunnel
fi
[[ -x $binary ]] || fail "no program at $binary"
exec python3 -B Tests/Fuzz/fuzz.py --binary "$binary" --minutes "$minutes" --seed "$seed" --keep "$keep" \
    "${arguments[@]}"
