#!/usr/bin/env bash
# The first steps on a machine without certificates of authorities, as a bare Debian is: /etc/ssl is hidden in a mount
# namespace. Tunnels without TLS come up and answer; one with TLS is told what to install.
# Usage: Tests/bare-root.sh PROGRAM
set -euo pipefail

if [[ ${1:-} != --inside ]]; then
    program=$(realpath -- "${1:?the built program}")
    enter=(unshare --mount)
    ((EUID == 0)) || enter+=(--map-root-user)
    if ! "${enter[@]}" true 2>/dev/null; then
        echo "skipped: no mount namespace can be made here (it takes root, or user namespaces)"
        exit 0
    fi
    exec "${enter[@]}" "${BASH_SOURCE[0]}" --inside "$program"
fi

program=$2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/empty"
for folder in /etc/ssl /etc/pki; do
    if [[ -d $folder ]]; then mount --bind "$work/empty" "$folder"; fi
done

fail() {
    echo "error: $*" >&2
    exit 1
}

"$program" check --config examples/quickstart/tunnels.yaml || fail "the quickstart's configuration is not good here"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
WSTUNNEL_BINARY=$program WSTUNNEL_PORT=$port RUNTIME_DIRECTORY=$work examples/quickstart/run.sh --once \
    >"$work/quickstart.log" 2>&1 || {
    cat "$work/quickstart.log" >&2
    fail "the quickstart does not run without certificates of authorities"
}
grep -F "All requests were answered" "$work/quickstart.log"

cat >"$work/tls.yaml" <<'YAML'
tunnels:
  - { name: web, tunnel: "wss://127.0.0.1:1", server: "builtin:echo", token: not-a-secret-of-anybody }
YAML
chmod 600 "$work/tls.yaml"
status=0
"$program" check --config "$work/tls.yaml" >"$work/check.log" 2>&1 || status=$?
if ((status != 78)) || ! grep -F "install ca-certificates" "$work/check.log"; then
    fail "check ended with status $status and said: $(cat "$work/check.log")"
fi
