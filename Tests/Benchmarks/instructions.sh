#!/usr/bin/env bash
# Counts the instructions of single operations and compares them with those accepted. See --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

accepted=Tests/Benchmarks/instructions.tsv
self=Tests/Benchmarks/instructions.sh

usage() {
    cat <<HELP
Usage: $self [--only NAME] [--accept [NAME]] [--list]

Builds the micro-benchmarks optimised, counts the instructions and the allocations of one operation of each, and
compares them with $accepted. What grew by more than 10 %, or by a whole allocation
(1 % where there are many), fails.

  --only NAME        this benchmark alone
  --accept [NAME]    write what is counted now into the table, of all benchmarks or of this one: then commit it
  --list             show the benchmarks
  --judge OLD NEW    compare two tables and count nothing
  -h, --help         print this

Tests/Benchmarks/INSTRUCTIONS.md tells how to find where they go.
HELP
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Tables: name, instructions, allocations, with tabs between. A benchmark that only the new one has is told, and good.
judge() { # OLD NEW
    awk -F '\t' -v self="$self" '
        function percent(before, after) { return before > 0 ? (after - before) * 100 / before : 0 }
        function tell(name, before, after, change, allocations, verdict) {
            printf "%-24s %14s %14s %8s  %18s  %s\n", name, before, after, change, allocations, verdict
        }
        /^#/ || NF == 0 { next }
        NF != 3 || $2 !~ /^[0-9]+$/ || $3 !~ /^[0-9]+(\.[0-9]+)?$/ {
            printf "error: %s:%d: this is no row of name, instructions and allocations\n", FILENAME, FNR > "/dev/stderr"
            broken = 1
            exit 2
        }
        FILENAME == ARGV[1] { instructions[$1] = $2; allocations[$1] = $3; order[++rows] = $1; next }
        { now[$1] = $2; nowAllocations[$1] = $3; nowOrder[++nowRows] = $1 }
        END {
            if (broken) exit 2
            tell("benchmark", "accepted", "now", "change", "allocations", "")
            for (row = 1; row <= rows; row++) {
                name = order[row]
                if (!(name in now)) {
                    tell(name, instructions[name], "-", "", "", "MISSING")
                    bad[++badCount] = name
                    continue
                }
                change = percent(instructions[name], now[name])
                more = nowAllocations[name] - allocations[name]
                verdict = ""
                if (change > 10) verdict = "GREW"
                # Counts are averages over some runs: a growth by one may come as 0.999.
                if (more > 0.99 && more > allocations[name] / 100)
                    verdict = (verdict == "" ? "" : verdict ", ") "ALLOCATES MORE"
                if (verdict != "") bad[++badCount] = name
                else if (change < -10 || -more > 0.99 && -more > allocations[name] / 100) {
                    verdict = "better"
                    good[++goodCount] = name
                }
                tell(name, instructions[name], now[name], sprintf("%+.1f %%", change),
                    allocations[name] " -> " nowAllocations[name], verdict)
            }
            for (row = 1; row <= nowRows; row++) {
                name = nowOrder[row]
                if (name in instructions) continue
                tell(name, "-", now[name], "", "- -> " nowAllocations[name], "new")
                fresh[++freshCount] = name
            }
            for (row = 1; row <= goodCount; row++)
                printf "%s is better than what is accepted; to hold it there: %s --accept %s\n", good[row], self, good[row]
            for (row = 1; row <= freshCount; row++)
                printf "%s is new; from now on it is held to its count with: %s --accept %s\n", fresh[row], self, fresh[row]
            for (row = 1; row <= badCount; row++)
                printf "%s is worse than what is accepted; if that is meant: %s --accept %s\n", bad[row], self, bad[row]
            exit badCount > 0
        }' "$1" "$2"
}

only=""
mode=compare
while (($# > 0)); do
    case $1 in
        --only)
            (($# > 1)) || fail "--only wants the name of a benchmark"
            only=$2
            shift 2
            ;;
        --accept)
            mode=accept
            shift
            if (($# > 0)) && [[ $1 != -* ]]; then
                only=$1
                shift
            fi
            ;;
        --list)
            mode=list
            shift
            ;;
        --judge)
            (($# == 3)) || fail "--judge wants two tables"
            [[ -r $2 ]] || fail "cannot read $2"
            [[ -r $3 ]] || fail "cannot read $3"
            judge "$2" "$3"
            exit
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

if [[ $(uname -m) != x86_64 ]]; then
    echo "skipped: the accepted counts are those of x86_64, and this is $(uname -m)"
    exit 0
fi
[[ $mode == list ]] || command -v valgrind >/dev/null || fail "valgrind is missing: apt-get install valgrind"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if ! swift build -c release --static-swift-stdlib --product microbenchmarks >"$work/build.log" 2>&1; then
    grep -E 'error:' "$work/build.log" | sort -u >&2 || true
    tail -n 20 "$work/build.log" >&2
    fail "the micro-benchmarks do not build"
fi
program=.build/release/microbenchmarks
"$program" --list >"$work/list"

if [[ $mode == list ]]; then
    awk -F '\t' '{ printf "%-24s %s\n", $1, $3 }' "$work/list"
    exit 0
fi
if [[ -n $only ]] && ! cut -f 1 "$work/list" | grep -qxF -- "$only"; then
    if [[ $mode == accept ]] && grep -q "^$only"$'\t' "$accepted"; then
        grep -v "^$only"$'\t' "$accepted" >"$work/table"
        cat "$work/table" >"$accepted"
        echo "$only is no more; it is out of the table"
        exit 0
    fi
    echo "the benchmarks are:" >&2
    cut -f 1 "$work/list" | sed 's/^/  /' >&2
    fail "no benchmark is named $only"
fi

# Valgrind cannot read Swift's debug information. The names stay: by them allocations are known.
strip -g -o "$work/program" "$program"
export work

# Writes the instructions and the allocations of one run.
# shellcheck disable=SC2317  # called by the shells that xargs starts
count_run() { # NAME TIMES
    local profile=$work/profile.$1.$2
    # The same on every machine: hashes without a seed, and those memory functions that every processor has.
    if ! env -i PATH="$PATH" SWIFT_DETERMINISTIC_HASHING=1 \
        GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-BMI2 \
        valgrind -q --tool=callgrind --callgrind-out-file="$profile" "$work/program" "$1" "$2" >"$profile.log" 2>&1
    then
        sed "s/^/$1: /" "$profile.log" >&2
        return 1
    fi
    awk '
        # Names stand in full at their first use, and then as numbers.
        /^c?fn=/ {
            key = $0; sub(/^c?fn=/, "", key); sub(/\).*/, ")", key)
            if (NF > 1) { full = $0; sub(/^[^ ]* /, "", full); names[key] = full }
            if (/^cfn=/) callee = names[key]
        }
        /^calls=/ && callee ~ /^(malloc|calloc|realloc|memalign|aligned_alloc|posix_memalign)$/ {
            split($1, field, "="); allocations += field[2]
        }
        /^totals:/ { instructions = $2 }
        END { printf "%.0f\t%.0f\n", instructions, allocations }' "$profile"
    rm -f "$profile"
}

# What twice as many times cost more: the start of the program costs the same in both.
# shellcheck disable=SC2317
count() { # NAME TIMES
    local once twice
    once=$(count_run "$1" "$2") && twice=$(count_run "$1" $((2 * $2))) || return 1
    printf '%s\n%s\n' "$once" "$twice" | awk -v name="$1" -v times="$2" '
        { instructions = $1 - instructions; allocations = $2 - allocations }
        END { printf "%s\t%.0f\t%.1f\n", name, instructions / times, allocations / times }' >"$work/row.$1"
}
export -f count_run count

awk -F '\t' -v only="$only" 'only == "" || $1 == only { print $1, $2 }' "$work/list" >"$work/wanted"
# shellcheck disable=SC2016  # expanded by the shell that xargs starts
xargs -P "$(nproc)" -L 1 bash -c 'count "$@"' count <"$work/wanted" || fail "a benchmark did not run to its end"
while read -r name _; do cat "$work/row.$name"; done <"$work/wanted" >"$work/now"
awk -F '\t' '$2 == 0 { print $1 }' "$work/now" >"$work/empty"
[[ ! -s $work/empty ]] || fail "nothing was counted of: $(tr '\n' ' ' <"$work/empty")"

compiler=$(swift --version 2>/dev/null | grep -oE 'Swift version [0-9.]+' | head -n 1) || true
touch "$accepted"
if [[ $mode == accept ]]; then
    {
        echo "# Instructions and allocations of one operation: $self --accept writes this."
        echo "# $compiler"
        awk -F '\t' '
            /^#/ { next }
            FILENAME == ARGV[1] { wanted[$1] = ++count; order[count] = $1; next }
            $1 in wanted { row[$1] = $0 }
            END { for (i = 1; i <= count; i++) if (order[i] in row) print row[order[i]] }' \
            "$work/list" "$accepted" "$work/now"
    } >"$work/table"
    cat "$work/table" >"$accepted"
    echo "accepted: ${only:-all} in $accepted; please commit it"
    exit 0
fi

awk -F '\t' -v only="$only" '/^#/ || only == "" || $1 == only' "$accepted" >"$work/accepted"
result=0
judge "$work/accepted" "$work/now" || result=$?
if ((result != 0)) && [[ -n $compiler ]] && ! grep -qxF "# $compiler" "$accepted"; then
    echo "The accepted counts are of another compiler ($(sed -n '2s/^# //p' "$accepted")); this is $compiler."
fi
exit "$result"
