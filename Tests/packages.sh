# Installs Debian packages that are missing. To be sourced, by scripts that have set:
#   work          a folder of theirs, for files that may be thrown away
#   may_install   1, or 0 to say what is missing and stop
# and that call allow_service_starts when they end.
# shellcheck shell=bash

: "${work:?}" "${may_install:?}"
service_guard=/usr/sbin/policy-rc.d
service_guard_is_ours=""
as_root=()

# Each PAIR is PROGRAM:PACKAGE. What every build needs is asked for in any case.
missing_packages() { # PAIR...
    # A package without a program of its own is asked for by what it installs.
    pkg-config --exists yaml-0.1 2>/dev/null || echo libyaml-dev
    pkg-config --exists sqlite3 2>/dev/null || echo libsqlite3-dev
    pkg-config --exists libargon2 2>/dev/null || echo libargon2-dev
    pkg-config --exists libcrypt 2>/dev/null || echo libcrypt-dev
    pkg-config --exists zlib 2>/dev/null || echo zlib1g-dev
    [[ -s /etc/ssl/certs/ca-certificates.crt || -s /etc/pki/tls/certs/ca-bundle.crt ]] || echo ca-certificates
    local pair
    for pair in "$@"; do
        # Programs of administrators are not in everybody's PATH.
        PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
    done
}

# Debian's nginx starts with its package. Tests start their own on their own ports, so while packages are
# installed nothing may be started.
forbid_service_starts() {
    if [[ -e $service_guard ]]; then return; fi
    printf '#!/bin/sh\nexit 101\n' >"$work/policy-rc.d"
    service_guard_is_ours=1
    "${as_root[@]}" install -m 0755 "$work/policy-rc.d" "$service_guard"
}

allow_service_starts() {
    if [[ -n $service_guard_is_ours ]]; then "${as_root[@]}" rm -f "$service_guard"; fi
    service_guard_is_ours=""
}

install_packages() { # PAIR...
    local missing
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then
        echo "everything is there"
        return
    fi
    if ((!may_install)); then
        echo "missing: ${missing[*]}" >&2
        return 1
    fi
    if ! command -v apt-get >/dev/null; then
        echo "missing: ${missing[*]}. There is no apt-get here; please install them by other means" >&2
        return 1
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "missing: ${missing[*]}. Please run 'apt-get install ${missing[*]}' as root" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing: ${missing[*]}"
    forbid_service_starts || return 1
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
    local install=("${apt[@]}" install -y -q --no-install-recommends "${missing[@]}")
    if ! "${install[@]}" >"$work/apt.log" 2>&1; then
        # The package lists are missing or out of date.
        "${apt[@]}" update -q >"$work/apt-update.log" 2>&1 || cat "$work/apt-update.log" >&2
        if ! "${install[@]}" >"$work/apt.log" 2>&1; then
            tail -n 20 "$work/apt.log" >&2
            return 1
        fi
    fi
    allow_service_starts
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} > 0)); then
        echo "still missing: ${missing[*]}" >&2
        return 1
    fi
}
