#!/usr/bin/env bash
# usage: scripts/chaos.sh [option of the rig...]
#
# The fault rig: starts a PostgreSQL, a Kafka, a server and two consumers of its own, kills, pauses and cuts them off from
# each other while clients write, and then accounts for every event. docs/CHAOS.md explains it. Several can run at once.
#
# --seed N       the first seed (1): it decides what goes wrong and when
# --runs N       how many seeds, one after the other (1)
# --seconds N    length of each run (30)
# --help         all options
#
# PROFILE is dev (default) or release. As root, database and broker get small file systems that can be filled.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/programs.sh
source "$PROJECT/scripts/programs.sh"

# What is meant for the product's own services must not lead the rig to them.
unset DATABASE_URL KAFKA_BROKERS KAFKA_TOPIC KAFKA_DLQ_TOPIC KAFKA_GROUP_ID JWT_SECRET PGPORT KAFKA_PORT
unset KAFKA_CONTROLLER_PORT INGESTOR_LOCAL

if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
fi

FOLDER="" MOUNTED=() RIG=""

finish() {
    local status=$? file disk
    trap '' INT TERM
    if [[ -n "$RIG" ]]; then
        kill -TERM "$RIG" 2>/dev/null || true
        wait "$RIG" || true
    fi
    for file in "$FOLDER"/pids/*; do
        [[ ! -s "$file" ]] || stop_recorded "$file" "$BIN/" 1
    done
    for file in "$FOLDER/kafka/kafka.pid" "$FOLDER/postgres/data/postmaster.pid"; do
        # A paused process would not hear that it is to end.
        [[ ! -s "$file" ]] || end_service "$(head -n 1 "$file")"
    done
    for disk in "${MOUNTED[@]}"; do
        wait_for 10 umount "$disk" 2>/dev/null || say "$disk is still in use and stays mounted" >&2
    done
    rm -rf "$FOLDER" || true
    exit "$status"
}

# end_service PID: a service of this rig with its children; there is nothing to be kept of it.
end_service() {
    local pid
    process_is "$1" "$FOLDER" || return 0
    for pid in "$1" $(ps -o pid= --ppid "$1"); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait_for 10 process_gone "$1" "$FOLDER" || true
}

# small_disk FOLDER MEGABYTES: a file system of its own; false where that is not allowed.
small_disk() {
    mkdir -p "$1"
    mount -t tmpfs -o "size=$2m,mode=0711" chaos "$1" 2>/dev/null || return 1
    MOUNTED+=("$1")
}

export PROFILE="${PROFILE:-dev}"
{
    require_postgres
    # At once, so that no crate is built twice with other features.
    BUILD_PACKAGES+=(ingestor-chaos)
    build_programs
} >&2

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# PostgreSQL does not run as root, and its user must be able to reach the folder.
FOLDER="$(mktemp -d "${TMPDIR:-/tmp}/ingestor-chaos.XXXXXX")"
chmod 711 "$FOLDER"
export CHAOS_SMALL_DISKS=false
if small_disk "$FOLDER/postgres" 512 && chown postgres: "$FOLDER/postgres" && small_disk "$FOLDER/kafka/data" 1024; then
    CHAOS_SMALL_DISKS=true
else
    say "NO FULL DISKS: a small file system cannot be mounted here (that takes root)" >&2
fi
export CHAOS_FOLDER="$FOLDER" CHAOS_PROGRAMS="$BIN" CHAOS_PROJECT="$PROJECT"
export CHAOS_FAILURES="${CHAOS_FAILURES:-$PROJECT/.local/chaos}"
# In the background, since a signal is only looked at between two commands.
"$BIN/ingestor-chaos" "$@" &
RIG=$!
wait "$RIG"
