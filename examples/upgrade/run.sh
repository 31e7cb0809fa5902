#!/usr/bin/env bash
# Replaces a running agent by another, twice, while requests go through it, and counts those that failed.
# Usage: examples/upgrade/run.sh   (WSTUNNEL_BINARY=FILE: that program; WSTUNNEL_PORT: another port than 8080)
# shellcheck disable=SC2317  # traps call functions by name
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=${WSTUNNEL_BINARY:-wstunnel}
port=${WSTUNNEL_PORT:-8080}
export WSTUNNEL_PORT=$port
url=http://127.0.0.1:$port/_token/upgrade-demo-token-not-secret/hello
work=$(mktemp -d)
agents=()

fail() { # LINE...
    printf 'error: %s\n' "$@" >&2
    exit 1
}

command -v curl >/dev/null || fail "curl is missing; please install it"
command -v "$binary" >/dev/null ||
    fail "there is no program \"$binary\": build it (README.md), and name it with WSTUNNEL_BINARY=FILE"

cleanup() {
    rm -f "$work/go-on"
    if ((${#agents[@]} > 0)); then
        kill "${agents[@]}" 2>/dev/null || true
        wait 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT

# Waits for a text in the log of an agent; no longer than that agent runs.
wait_for() { # NUMBER TEXT
    local log=$work/agent-$1.log deadline=$((SECONDS + 20))
    until grep -qsF "$2" "$log"; do
        if ! kill -0 "${agents[$(($1 - 1))]}" 2>/dev/null || ((SECONDS >= deadline)); then
            echo "--- the log of agent $1" >&2
            cat "$log" >&2
            if grep -qF 'the address is in use' "$log"; then
                fail "port $port is taken by another program; choose another one: WSTUNNEL_PORT=9000 $0"
            fi
            fail "agent $1 did not come up (no \"$2\"); its log is above"
        fi
        sleep 0.1
    done
}

start() { # NUMBER OPTION...
    local number=$1
    shift
    "$binary" --config "$here/tunnels.yaml" "$@" 2>"$work/agent-$number.log" &
    agents+=($!)
    wait_for "$number" 'Agent running'
}

start 1
wait_for 1 'Session joined'
echo "agent 1 runs (process ${agents[0]}); requests begin"

: >"$work/go-on"
(
    good=0 bad=0
    while [[ -e $work/go-on ]]; do
        if curl -sf --max-time 10 -o /dev/null "$url"; then good=$((good + 1)); else bad=$((bad + 1)); fi
    done
    echo "$good $bad" >"$work/result"
) &
load=$!

for number in 2 3; do
    start "$number" --takeover
    wait "${agents[$((number - 2))]}"
    echo "agent $number runs (process ${agents[$((number - 1))]}); agent $((number - 1)) has finished and ended"
done

rm "$work/go-on"
wait "$load"
read -r good bad <"$work/result"
echo "$good requests answered, $bad failed"
((good > 0 && bad == 0))
