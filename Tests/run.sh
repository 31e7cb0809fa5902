#!/usr/bin/env bash
# Lint, build and tests of wstunnel, with what they need. See --help.
# shellcheck disable=SC2317  # the steps are functions that are called by name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'HELP'
Usage: Tests/run.sh [--filter NAME] [--release] [--no-install]

Checks the whole project on a Debian machine that has Swift:
  1. installs with apt what is missing (needs root or sudo only then), and programs from PyPI into .build/programs
  2. lints Swift and shell sources
  3. builds the program and its tests
  4. runs the tests
  5. takes the first steps on a machine without certificates of authorities (Tests/bare-root.sh); not with --filter
  6. counts the instructions of single operations (Tests/Benchmarks/INSTRUCTIONS.md); not with --filter

  --filter NAME   run only tests whose name matches the regular expression NAME
  --release       run the tests of built programs a second time, with the optimised program; before a release
  --no-install    install nothing: say what is missing, and stop
  -h, --help      print this

On two cores it takes about 15 minutes, 30 when they have other work to do; the first time 5 to 10 more for the build.
The exit status is 0 when every step passed. Slow tests also run with WSTUNNEL_SLOW_TESTS=1.
HELP
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

filter=""
may_install=1
with_release=0
while (($# > 0)); do
    case $1 in
        --filter)
            (($# > 1)) || fail "--filter wants a name"
            filter=$2
            shift 2
            ;;
        --filter=*)
            filter=${1#--filter=}
            shift
            ;;
        --release)
            with_release=1
            shift
            ;;
        --no-install)
            may_install=0
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
done

work=$(mktemp -d)
# shellcheck source=Tests/packages.sh
source Tests/packages.sh

clean_up() {
    allow_service_starts
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Step by step -------------------------------------------------------------------------------------

summary=()
failures=0
failed_tests=()

note_result() { # NAME RESULT SECONDS
    summary+=("$(printf '%-6s %-8s %4d s' "$2" "$1" "$3")")
    if [[ $2 != ok ]]; then failures=$((failures + 1)); fi
}

step() { # NAME FUNCTION [ARGUMENT...]
    local name=$1 result=ok start=$SECONDS
    shift
    printf '== %s\n' "$name"
    "$@" || result=FAILED
    printf '== %s: %s, %d s\n' "$name" "$result" $((SECONDS - start))
    note_result "$name" "$result" $((SECONDS - start))
    [[ $result == ok ]]
}

finish() {
    printf '\nSummary\n'
    printf '  %s\n' "${summary[@]}"
    if ((failures > 0)); then
        if ((${#failed_tests[@]} > 0)); then printf '  failed: %s\n' "${failed_tests[@]}"; fi
        printf 'FAILED (%d s)\n' "$SECONDS"
        exit 1
    fi
    printf 'All passed (%d s)\n' "$SECONDS"
    exit 0
}

# --- What tests need ----------------------------------------------------------------------------------

wanted=(pkg-config:pkg-config curl:curl wrk:wrk shellcheck:shellcheck openssl:openssl python3:python3
    tinyproxy:tinyproxy-bin systemd-analyze:systemd nginx:nginx-light valgrind:valgrind
    h2load:nghttp2-client squid:squid haproxy:haproxy sshd:openssh-server ssh:openssh-client
    psql:postgresql gunicorn:gunicorn cadaver:cadaver virtualenv:virtualenv
    promtool:prometheus)

# Programs of others that tests have as origins, from PyPI: made once, and anew when the list changes. What is there is
# used without a network.
install_programs() {
    local list=Tests/EndToEndTests/Programs/requirements.txt folder=.build/programs
    if cmp -s "$list" "$folder/requirements.txt"; then
        echo "everything is there"
        return
    fi
    if ((!may_install)); then
        echo "$folder is missing or old; its tests are left out" >&2
        return
    fi
    rm -rf "$folder"
    if ! { virtualenv -q "$folder" && "$folder/bin/pip" install -q --no-compile --disable-pip-version-check -r "$list"; } \
        >"$work/pip.log" 2>&1; then
        tail -n 20 "$work/pip.log" >&2
        return 1
    fi
    cp "$list" "$folder/requirements.txt"
}

# --- Lint, build, test --------------------------------------------------------------------------------

shell_files() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -- '*.sh' .ci/run
    else
        find . -name '*.sh' -not -path './.build*' -print
        echo .ci/run
    fi
}

lint() {
    local result=0 files
    swift format lint --strict -p -r Package.swift Sources Tests || result=1
    mapfile -t files < <(shell_files)
    shellcheck -- "${files[@]}" || result=1
    return "$result"
}

# Shows a command's last line while it runs on a terminal, else a line now and then; all of its output
# only when it fails.
watch() { # COMMAND [ARGUMENT...]
    local log=$work/build.log start=$SECONDS result=0 last="" line next_line=30
    "$@" >"$log" 2>&1 &
    local command=$!
    while kill -0 "$command" 2>/dev/null; do
        sleep 1
        # A line "[12/345] Compiling …" is the latest news.
        line=$(tail -c 4000 "$log" | tr '\r' '\n' | grep -E '^\[[0-9]+/[0-9]+\]' | tail -n 1) || true
        if [[ -t 1 ]]; then
            printf '\r\033[K%4d s  %s' $((SECONDS - start)) "${line:0:$((${COLUMNS:-80} - 10))}"
        elif ((SECONDS - start >= next_line)); then
            next_line=$((SECONDS - start + 30))
            if [[ $line != "$last" ]]; then printf '%4d s  %s\n' $((SECONDS - start)) "$line"; fi
            last=$line
        fi
    done
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
    wait "$command" || result=$?
    if ((result != 0)); then
        grep -E '(error|warning):' "$log" | sort -u | head -n 50 || true
        echo "--- the build's last lines"
        tail -n 20 "$log"
    fi
    return "$result"
}

build() {
    if [[ ! -e .build/debug ]]; then
        echo "the first build fetches and compiles all dependencies: about 4 minutes on 2 cores"
    fi
    watch swift build --build-tests
}

# Tests in one process go first, which work all the time. Then those of built programs, which hold a thread each also while
# they wait for sockets and processes: half of them in one process, half in another, so that one works while the other waits.
run_tests() {
    local result=0
    if [[ -n $filter ]]; then
        swift_test --filter "$filter" || result=$?
    else
        swift_test --skip "$of_programs" || result=$?
        swift_test "${halves_of_programs[@]}" || result=$?
    fi
    # A filter that matches nothing, or a runner that ran nothing, is no success.
    if ((result == 0)) && (($(count_tests) == 0)); then
        echo "no test ran${filter:+: nothing matches $filter}" >&2
        return 1
    fi
    return "$result"
}

of_programs='^(EndToEndTests|CommandLineTests)\.'
# By the names of suites.
halves_of_programs=(--filter '^EndToEndTests\.[A-N]' --filter '^(EndToEndTests\.[^A-N]|CommandLineTests\.)')

# The optimiser is part of the program: what it breaks, no other build shows.
build_release() {
    watch swift build -c release --static-swift-stdlib --product wstunnel
}

test_release() {
    local tests=("${halves_of_programs[@]}")
    if [[ -n $filter ]]; then tests=(--filter "$filter"); fi
    WSTUNNEL_BINARY=$PWD/.build/release/wstunnel swift_test "${tests[@]}"
}

# Runs tests, those of each filter in a process of their own, at the same time. `swift test` would have one wait for the other.
swift_test() { # --filter|--skip PATTERN...
    local result=0 start=$SECONDS next_line=30 processes=() process
    rm -f "$work"/test.*.log
    # As many at once as there are threads: others would wait for one while their time limits run.
    export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-$(nproc)}
    while (($# > 0)); do
        NO_COLOR=1 .build/debug/wstunnelPackageTests.xctest --testing-library swift-testing "$1" "$2" \
            >"$work/test.${#processes[@]}.log" 2>&1 &
        processes+=($!)
        shift 2
    done
    for process in "${processes[@]}"; do
        while kill -0 "$process" 2>/dev/null; do
            sleep 1
            if ((SECONDS - start >= next_line)); then
                next_line=$((SECONDS - start + 30))
                printf '%4d s  %d tests done; running: %s\n' $((SECONDS - start)) "$(count_tests)" "$(running_tests)"
            fi
        done
        wait "$process" || result=$?
    done
    if ((result == 0)); then
        grep -hF 'Test run with' "$work"/test.*.log || true
    else
        show_failures | head -n 300
        mapfile -t -O "${#failed_tests[@]}" failed_tests < <(name_failures | head -n 20)
    fi
    return "$result"
}

# Each failure with the lines below it; where the runner has no last word, it crashed: then its end.
show_failures() {
    local log
    for log in "$work"/test.*.log; do
        awk '/^✘/ { shows = 1 } /^(◇|✔|\[)/ { shows = 0 } shows' "$log"
        if ! grep -qF 'Test run with' "$log"; then
            echo "--- the test program ended early; its last lines"
            tail -n 60 "$log"
        fi
    done
}

# Each failure in a line, for the summary: what is seen of a long log is its end.
name_failures() {
    grep -hE '^✘ Test .* recorded an issue' "$work"/test.*.log | sed 's/^✘ Test //' | cut -c 1-300 || true
}

# The tests that have run longest, of those that have not ended.
running_tests() {
    awk '
        /^◇ Test .* started\.$/ && !/^◇ Test (run|case) / {
            name = $0; sub(/^◇ Test /, "", name); sub(/ started\.$/, "", name)
            order[++count] = name; runs[name] = 1
        }
        /^(✔|✘) Test .* (passed|failed) after/ {
            name = $0; sub(/^[^T]*Test /, "", name); sub(/ (with [0-9]+ test cases )?(passed|failed) after.*$/, "", name)
            delete runs[name]
        }
        END {
            for (i = 1; i <= count && shown < 4; i++)
                if (order[i] in runs) { printf "%s%s", shown++ ? ", " : "", order[i]; delete runs[order[i]] }
        }' "$work"/test.*.log
}

count_tests() {
    grep -hE '^(✔|✘) Test .* (passed|failed) after' "$work"/test.*.log | grep -vcF 'Test run with' || true
}

# ------------------------------------------------------------------------------------------------------

# Many tests go by that name.
localhost_resolves() {
    if getent ahostsv4 localhost | grep -qF 127.0.0.1; then return; fi
    echo "localhost does not resolve to 127.0.0.1: please put the line \"127.0.0.1 localhost\" into /etc/hosts" >&2
    return 1
}

command -v swift >/dev/null || fail "swift is not in the PATH; please install Swift 6.3 or later"
home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
[[ -w ${home:-/nowhere} ]] ||
    fail "the home folder \"$home\" cannot be written to, and the build keeps what it fetches there: export HOME=/some/folder"
localhost_resolves || exit 2
echo "about 15 minutes on 2 cores, 30 on busy ones; the tests and what runs are told on the way"
step packages install_packages "${wanted[@]}" || finish
step programs install_programs || true
step lint lint || true
step build build || finish
step tests run_tests || true
if [[ -z $filter ]]; then
    step bare-root Tests/bare-root.sh .build/debug/wstunnel || true
    step instructions Tests/Benchmarks/instructions.sh || true
fi
if ((with_release)); then
    if step release build_release; then step optimised test_release || true; fi
fi
finish
