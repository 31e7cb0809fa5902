#!/usr/bin/env bash
# Builds wstunnel, starts it with two tunnels, and makes requests through both. See --help.
# shellcheck disable=SC2317  # traps call functions by name
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
port=${WSTUNNEL_PORT:-8080}
binary=${WSTUNNEL_BINARY:-}
echo_token=echo-demo-token-not-secret
files_token=files-demo-token-not-secret

usage() {
    cat <<'HELP'
Usage: examples/quickstart/run.sh [--once]

Shows wstunnel at work on one machine, from the bare sources:
  1. installs libyaml-dev, libsqlite3-dev, libargon2-dev, libcrypt-dev, zlib1g-dev, pkg-config, git, ca-certificates and curl where missing (apt; needs root or sudo only then)
  2. builds wstunnel (the first time takes minutes)
  3. starts it with examples/quickstart/tunnels.yaml: a tunnel server and two tunnels in one process
  4. makes requests through both tunnels with curl, and says what happened
  5. stays up until Ctrl-C

  --once      end after the requests; the exit status is 0 when all of them were answered well
  -h, --help  print this

  WSTUNNEL_PORT=9000       listen on this port of 127.0.0.1 instead of 8080
  WSTUNNEL_BINARY=FILE     run this program: no build, and nothing installed for one
HELP
}

fail() { # STATUS LINE...
    local status=$1
    printf 'error: %s\n' "$2" >&2
    shift 2
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit "$status"
}

is_once=0
for argument in "$@"; do
    case $argument in
        --once) is_once=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            fail 2 "unknown argument: $argument"
            ;;
    esac
done
if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
    fail 2 "WSTUNNEL_PORT is \"$port\"; it must be a number from 1 to 65535"
fi

# --- What must be ended or removed, however this ends --------------------------------------------------

work=$(mktemp -d)
build=""
agent=""
follower=""
stays_up=0

clean_up() {
    trap '' INT TERM HUP
    if [[ -n $build ]]; then
        kill -INT "$build" 2>/dev/null || true
        wait "$build" 2>/dev/null || true
    fi
    if [[ -n $agent ]]; then
        kill -TERM "$agent" 2>/dev/null || true
        wait "$agent" 2>/dev/null || true
    fi
    if [[ -n $follower ]]; then kill "$follower" 2>/dev/null || true; fi
    rm -rf "$work"
}
interrupted() {
    # Ctrl-C is how a quickstart that stays up is meant to end.
    if ((!stays_up)); then exit 130; fi
    printf '\nStopping the agent.\n'
    exit 0
}
trap clean_up EXIT
trap interrupted INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- 1. What is needed ---------------------------------------------------------------------------------

missing_packages() {
    command -v curl >/dev/null || echo curl
    if [[ -n $binary ]]; then return; fi
    command -v pkg-config >/dev/null || echo pkg-config
    # The build fetches its dependencies from https addresses.
    command -v git >/dev/null || echo git
    [[ -s /etc/ssl/certs/ca-certificates.crt || -s /etc/pki/tls/certs/ca-bundle.crt ]] || echo ca-certificates
    # Without pkg-config nobody can tell; apt does nothing when it is there.
    pkg-config --exists yaml-0.1 2>/dev/null || echo libyaml-dev
    pkg-config --exists sqlite3 2>/dev/null || echo libsqlite3-dev
    pkg-config --exists libargon2 2>/dev/null || echo libargon2-dev
    pkg-config --exists zlib 2>/dev/null || echo zlib1g-dev
    pkg-config --exists libcrypt 2>/dev/null || echo libcrypt-dev
}

install_packages() {
    local missing as_root=()
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} > 0)) || return 0
    local wanted="needed and missing: ${missing[*]}"
    command -v apt-get >/dev/null ||
        fail 2 "$wanted. There is no apt-get here: please install them by other means"
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail 2 "$wanted. Please run as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    echo "== Installing ${missing[*]}"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
    local install=("${apt[@]}" install -y --no-install-recommends "${missing[@]}")
    if ! "${install[@]}" >"$work/apt.log" 2>&1; then
        # The package lists are missing or out of date.
        "${apt[@]}" update >>"$work/apt.log" 2>&1 || true
        if ! "${install[@]}" >>"$work/apt.log" 2>&1; then
            tail -n 20 "$work/apt.log" >&2
            fail 2 "could not install ${missing[*]}; apt's last words are above"
        fi
    fi
    echo
}

# Found out before the minutes that a build takes.
port_is_taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

fail_port_taken() {
    fail 1 "port $port is taken by another program" \
        "choose another one: WSTUNNEL_PORT=$((port < 65535 ? port + 1 : 8080)) $0"
}

# --- 2. The build --------------------------------------------------------------------------------------

# The latest news of the build: "[12/345] Compiling …", or what is being fetched before that.
news() {
    { grep -E '^(\[[0-9]+/[0-9]+\]|Fetching|Computing|Creating)' "$work/build.log" || true; } |
        tail -n 1 | tr -d '\r'
}

# Shows how far the build is while it runs: one living line on a terminal, else a line now and then.
watch_build() { # START
    local start=$1 line last="" next_line=20 seconds width
    while kill -0 "$build" 2>/dev/null; do
        sleep 1
        seconds=$((SECONDS - start))
        line=$(news)
        if [[ -t 1 ]]; then
            width=$(tput cols 2>/dev/null || echo 80)
            line=$(printf '%4d:%02d  %s' $((seconds / 60)) $((seconds % 60)) "${line:-starting}")
            printf '\r\033[K%s' "${line:0:$((width - 1))}"
        elif ((seconds >= next_line)); then
            next_line=$((seconds + 20))
            if [[ $line != "$last" ]]; then
                printf '%4d:%02d  %s\n' $((seconds / 60)) $((seconds % 60)) "$line"
            fi
            last=$line
        fi
    done
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
}

build_agent() {
    binary=$root/.build/release/wstunnel
    local is_first=0 start=$SECONDS status=0 size
    [[ -x $binary ]] || is_first=1
    if ((is_first)); then
        echo "== Building wstunnel. The first build fetches and compiles its dependencies too: about 4 minutes"
        echo "   on 2 cores, 10 if they have other work to do; the last steps are the longest. Later ones take seconds."
    else
        echo "== Building wstunnel (seconds, unless much has changed)"
    fi
    # Job control gives the build its own process group and the usual signals, so that it can be ended.
    set -m
    swift build --package-path "$root" -c release --static-swift-stdlib --product wstunnel \
        >"$work/build.log" 2>&1 </dev/null &
    build=$!
    set +m
    watch_build "$start"
    wait "$build" || status=$?
    build=""
    if ((status != 0)); then
        grep -E '^[^ |]*: error:|^error:' "$work/build.log" | sort -u | head -n 30 >&2 || true
        echo "--- the build's last lines" >&2
        tail -n 20 "$work/build.log" >&2
        fail 1 "the build failed after $((SECONDS - start)) s (swift build ended with status $status)"
    fi
    size=$(stat -L -c %s "$binary")
    echo "   done in $((SECONDS - start)) s: ${binary#"$root"/}, $((size / 1000000)) MB"
    echo
}

# --- 3. The agent --------------------------------------------------------------------------------------

log_file=$work/agent.log

# Waits for a line of the agent's log that holds both texts; false as soon as the agent has ended, and after 20 s.
wait_for_log() { # TEXT TEXT
    local deadline=$((SECONDS + 20))
    until grep -F "$1" "$log_file" | grep -qF "$2"; do
        if ! kill -0 "$agent" 2>/dev/null || ((SECONDS >= deadline)); then return 1; fi
        sleep 0.1
    done
}

agent_failed() { # TEXT
    local status=0 what="is stopped"
    kill -0 "$agent" 2>/dev/null || what="has ended"
    # The agent is given the time to end and to say why.
    kill -TERM "$agent" 2>/dev/null || true
    wait "$agent" 2>/dev/null || status=$?
    agent=""
    echo "--- the agent's log" >&2
    cat "$log_file" >&2
    if grep -qF 'the address is in use' "$log_file"; then fail_port_taken; fi
    fail 1 "$1: it $what (status $status); its log is above"
}

start_agent() {
    local path=$here/site
    # In a URL % begins an escape.
    export QUICKSTART_SITE=${path//%/%25}
    export WSTUNNEL_PORT=$port ECHO_TOKEN=$echo_token FILES_TOKEN=$files_token
    echo "== Starting wstunnel --config examples/quickstart/tunnels.yaml"
    echo "   a tunnel server on 127.0.0.1:$port and two tunnels to it, in one process"
    # In a session of its own: Ctrl-C comes to us, and we ask the agent to stop.
    : >"$log_file"
    setsid "$binary" --config "$here/tunnels.yaml" 2>"$log_file" </dev/null &
    agent=$!
    local tunnel
    for tunnel in echo files; do
        wait_for_log "Session ready" "tunnel.name=$tunnel" || agent_failed "the tunnel \"$tunnel\" did not come up"
    done
    echo "   ready: both tunnels are connected"
    echo
}

# --- 4. Requests ---------------------------------------------------------------------------------------

failures=0

# Arguments as one would type them.
shown() {
    local argument
    for argument in "$@"; do
        if [[ $argument =~ ^[A-Za-z0-9_./:-]+$ ]]; then printf ' %s' "$argument"; else printf " '%s'" "$argument"; fi
    done
}

show() { # TITLE EXPECTED-TEXT EXPLANATION CURL-ARGUMENT...
    local title=$1 expected=$2 explanation=$3 answer status=0 code body
    shift 3
    echo "== $title"
    printf '$ curl%s\n' "$(shown "$@")"
    answer=$(curl -q -sS --noproxy '*' --max-time 20 -w '\n%{http_code}' "$@" 2>&1) || status=$?
    code=${answer##*$'\n'}
    body=${answer%$'\n'*}
    body=${body%$'\n'}
    printf '%s\n' "$body" | sed 's/^/    /'
    if ((status != 0)) || [[ $code != 200 || $body != *"$expected"* ]]; then
        failures=$((failures + 1))
        echo "   This is not the answer that was expected (status $code, curl ended with $status)."
    else
        echo "   $explanation"
    fi
    echo
}

make_requests() {
    local base=http://127.0.0.1:$port
    show "The tunnel \"echo\": its origin answers with what it was asked" \
        "GET /hello?name=you" \
        "The token in the path chose the tunnel. The origin saw the rest of the path, and no token." \
        "$base/_token/$echo_token/hello?name=you"
    show "The same tunnel, the token in a header; the origin sends the body back" \
        "How are you" \
        "This way any path of the origin can be asked for as it is." \
        -H "X-Token: $echo_token" -d "How are you" "$base/"
    show "The tunnel \"files\": its origin is the folder examples/quickstart/site" \
        "Hello" \
        "Another token, so another tunnel: here a file came through it." \
        "$base/_token/$files_token/hello.txt"
}

# -------------------------------------------------------------------------------------------------------

if [[ -z $binary ]] && ! command -v swift >/dev/null; then
    fail 2 "swift is not in the PATH" \
        "please install Swift 6.3 or later (https://www.swift.org/install/linux) and run this again"
fi
home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
if [[ -z $binary && ! -w ${home:-/nowhere} ]]; then
    fail 2 "the home folder \"$home\" cannot be written to, and the build keeps what it fetches there" \
        "run it again with another one: HOME=/some/folder $0"
fi
if port_is_taken; then fail_port_taken; fi
install_packages
if [[ -z $binary ]]; then
    build_agent
elif [[ ! -x $binary ]]; then
    fail 2 "WSTUNNEL_BINARY is \"$binary\", which is no program"
fi
start_agent
make_requests
if ((failures > 0)); then
    echo "--- the agent's log" >&2
    cat "$log_file" >&2
    fail 1 "$failures of the requests went wrong; the agent's log is above"
fi
if ((is_once)); then
    echo "All requests were answered as expected."
    exit 0
fi
stays_up=1
echo "== It stays up until Ctrl-C. Try from a browser or another terminal; here is the agent's log:"
echo "   http://127.0.0.1:$port/_token/$files_token/"
echo "   http://127.0.0.1:$port/_token/$echo_token/any/path"
echo
tail -n +1 -f "$log_file" 2>/dev/null &
follower=$!
wait "$agent" || true
agent_failed "the agent did not stay up"
