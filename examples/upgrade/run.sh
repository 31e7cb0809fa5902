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

cleanup() {
    rm -f "$work/go-on"
    if ((${#agents[@]} > 0)); then
        kill "${agents[@]}" 2>/dev/null || true
        wait 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT

wait_for() { # FILE TEXT
    for _ in $(seq 200); do
        if grep -qs "$2" "$1"; then return; fi
        sleep 0.1
    done
    echo "error: nothing about \"$2\" in the log:" >&2
    cat "$1" >&2
    exit 1
}

start() { # NUMBER OPTION...
    local log=$work/agent-$1.log
    shift
    "$binary" --config "$here/tunnels.yaml" "$@" 2>"$log" &
    agents+=($!)
    wait_for "$log" 'Agent running'
}

start 1
wait_for "$work/agent-1.log" 'Session joined'
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
