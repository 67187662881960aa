#!/usr/bin/env bash
# usage: scripts/postgres.sh start | stop | status | url | purge [--yes]
#
# Runs the project's own PostgreSQL: data under .local/postgres, loopback only, port PGPORT (default 54329), fsync on.
# start    installs PostgreSQL if none is there, creates the server and the database `ingestor`; safe to repeat
# stop     stops it; the data stays
# status   says whether it runs; false if not
# url      prints DATABASE_URL
# purge    stops it and removes its data
#
# PostgreSQL refuses to run as root, so root runs it as the system's user `postgres`. When that user cannot reach this
# folder (a clone under root's home), the data lies in /var/lib/analytics-ingestor-<hash>; .local/postgres.folder
# records the place, so that every later call finds the same server.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"

ROLE=ingestor
DATABASE=ingestor
RECORD="$LOCAL/postgres.folder"
PASSWORD_FILE="$LOCAL/postgres.password"

usage() { sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; }

# As root, become the user postgres; otherwise stay who we are. The lock must not outlive this script in a server.
as_server() {
    if [[ "$(id -u)" == 0 ]]; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups -- env HOME=/tmp "$@" 9>&-)
    else
        (cd / && exec "$@" 9>&-)
    fi
}

# Sets FOLDER, and DATA in it, to the recorded place or chooses one.
locate() {
    mkdir -p "$LOCAL"
    if [[ -s "$RECORD" ]]; then
        FOLDER="$(head -n 1 "$RECORD")"
    else
        FOLDER="$LOCAL/postgres"
        if [[ "$(id -u)" == 0 ]]; then
            id postgres >/dev/null 2>&1 || fail "the system has no user postgres to run the server as"
            if ! as_server test -x "$LOCAL"; then
                FOLDER="/var/lib/analytics-ingestor-$(printf '%s' "$LOCAL" | sha256sum | cut -c1-12)"
            fi
        fi
    fi
    DATA="$FOLDER/data"
}

# Prints pid and port of the running server of this project, or fails.
running() {
    local pid port
    [[ -s "$DATA/postmaster.pid" ]] || return 1
    pid="$(sed -n 1p "$DATA/postmaster.pid")"
    port="$(sed -n 4p "$DATA/postmaster.pid")"
    process_is "$pid" "$DATA" && say "$pid $port"
}

url() { say "postgres://$ROLE:$(cat "$PASSWORD_FILE")@127.0.0.1:$1/$DATABASE"; }

create_server() {
    say "creating a PostgreSQL server in $FOLDER"
    if [[ "$(id -u)" == 0 ]]; then
        install -d -o postgres -g postgres -m 700 "$FOLDER"
    else
        mkdir -p "$FOLDER" && chmod 700 "$FOLDER"
    fi
    say "$FOLDER" >"$RECORD"
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$PASSWORD_FILE")
    # shellcheck disable=SC2016  # $1 belongs to the inner shell
    as_server sh -c 'umask 077 && cat >"$1/password"' sh "$FOLDER" <"$PASSWORD_FILE"
    # A half-made folder from an interrupted run would stop initdb.
    as_server rm -rf "$DATA"
    as_server "$PG_BIN/initdb" -D "$DATA" --username="$ROLE" --pwfile="$FOLDER/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C >"$LOCAL/initdb.log" 2>&1 || {
        tail -n 10 "$LOCAL/initdb.log" >&2
        fail "initdb failed"
    }
    as_server rm -f "$FOLDER/password"
    rm -f "$LOCAL/initdb.log"
    say "include 'ingestor.conf'" | as_server tee -a "$DATA/postgresql.conf" >/dev/null
}

# Settings for a developer's machine, by its memory; durability is untouched (fsync and full_page_writes stay on).
write_settings() {
    local memory_mb buffers_mb shared=posix
    memory_mb=$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))
    buffers_mb=$((memory_mb / 8))
    ((buffers_mb >= 128)) || buffers_mb=128
    ((buffers_mb <= 2048)) || buffers_mb=2048
    # Containers get 64 MB of /dev/shm, too little for parallel queries.
    (($(df -m --output=avail /dev/shm 2>/dev/null | tail -n 1 || echo 0) >= 512)) || shared=mmap
    as_server tee "$DATA/ingestor.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $PORT_WANTED
unix_socket_directories = ''
max_connections = 200
shared_buffers = ${buffers_mb}MB
effective_cache_size = $((memory_mb / 2))MB
work_mem = 16MB
maintenance_work_mem = 128MB
dynamic_shared_memory_type = $shared
max_wal_size = 4GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
autovacuum_naptime = 10s
log_checkpoints = off
log_line_prefix = '%m [%p] %q%d '
CONF
}

start() {
    local state created=""
    PORT_WANTED="${PGPORT:-54329}"
    require_postgres
    locate
    if state="$(running)"; then
        [[ "${state#* }" == "$PORT_WANTED" || -z "${PGPORT:-}" ]] ||
            fail "this project's PostgreSQL already runs on port ${state#* }; stop it before choosing port $PORT_WANTED"
        say "PostgreSQL already runs on 127.0.0.1:${state#* } (pid ${state% *})"
        return
    fi
    require_free_port "$PORT_WANTED" "the private PostgreSQL" PGPORT
    check_owner
    # The include line is what finishes a creation: without it the folder is what an interrupted run left.
    if ! as_server grep -qs ingestor.conf "$DATA/postgresql.conf"; then
        create_server
        created=yes
    fi
    check_version
    forget_dead_server
    write_settings
    as_server "$PG_BIN/pg_ctl" start -s -w -t 90 -D "$DATA" -l "$FOLDER/postgres.log" </dev/null >/dev/null 2>&1 || {
        as_server tail -n 10 "$FOLDER/postgres.log" >&2 || true
        fail "PostgreSQL did not start; its log is $FOLDER/postgres.log"
    }
    if [[ -n "$created" ]] || ! sql "$DATABASE" 'SELECT 1' >/dev/null 2>&1; then
        sql postgres "CREATE DATABASE $DATABASE"
    fi
    state="$(running)" || fail "PostgreSQL ended right after its start; its log is $FOLDER/postgres.log"
    say "PostgreSQL $("$PG_BIN/postgres" --version | grep -o '[0-9][0-9.]*' | head -n 1) runs on 127.0.0.1:${state#* } (pid ${state% *})"
}

sql() { PGPASSWORD="$(cat "$PASSWORD_FILE")" "$PG_BIN/psql" -X -q -h 127.0.0.1 -p "$PORT_WANTED" -U "$ROLE" -d "$1" -tAc "$2"; }

# A server runs as the user who owns its data, whoever made it first.
check_owner() {
    local owner server_user
    [[ -e "$FOLDER" ]] || return 0
    owner="$(stat -c %U "$FOLDER")"
    if [[ "$(id -u)" == 0 ]]; then server_user=postgres; else server_user="$(id -un)"; fi
    [[ "$owner" == "$server_user" ]] ||
        fail "$FOLDER belongs to $owner; run this as the user who made it, or remove it as root: scripts/postgres.sh purge"
}

# Data of one major version can't be served by another: use the one that made it, if it is still installed.
check_version() {
    local made
    made="$(as_server cat "$DATA/PG_VERSION")"
    [[ "$(postgres_major "$PG_BIN")" != "$made" ]] || return 0
    PG_BIN="/usr/lib/postgresql/$made/bin"
    [[ -x "$PG_BIN/postgres" ]] ||
        fail "$DATA was made by PostgreSQL $made, which is not installed; install it, or run: scripts/postgres.sh purge"
}

# Every process of a server works inside its data folder, which tells it from a stranger with the same pid.
data_in_use() { [[ -n "$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$DATA" 2>/dev/null)" ]]; }
data_free() { ! data_in_use; }

# A server that was killed leaves its pid behind. PostgreSQL would refuse to start while any process has that number,
# as happens after the restart of a container. The last of its sessions must be gone before the file may go.
forget_dead_server() {
    [[ -e "$DATA/postmaster.pid" ]] || return 0
    wait_for 30 data_free || fail "processes of a killed PostgreSQL still work in $DATA"
    rm -f "$DATA/postmaster.pid"
}

stop() {
    local state pid
    locate
    if ! state="$(running)"; then
        say "PostgreSQL does not run"
        return
    fi
    pid="${state% *}"
    # SIGINT is the "fast" shutdown: sessions are ended, everything is written out.
    as_server sh -c "kill -INT $pid" 2>/dev/null || fail "pid $pid, this project's PostgreSQL, cannot be stopped by $(id -un)"
    wait_for 60 process_gone "$pid" "$DATA" || fail "PostgreSQL (pid $pid) did not stop within 60 s"
    say "PostgreSQL stopped"
}

# ours_to_remove FOLDER: a folder that this script may have made.
ours_to_remove() { [[ "$1" == "$LOCAL/postgres" || "$1" == /var/lib/analytics-ingestor-* ]]; }

purge() {
    locate
    if [[ "${1:-}" != --yes ]]; then
        confirm "Remove all data of the private PostgreSQL in $FOLDER?" || fail "nothing removed (use --yes to skip the question)"
    fi
    stop
    ours_to_remove "$FOLDER" || fail "$FOLDER is not a folder of this script"
    rm -rf "$FOLDER" "$RECORD" "$PASSWORD_FILE"
    say "removed $FOLDER"
}

lock() {
    mkdir -p "$LOCAL"
    [[ -w "$LOCAL" ]] || fail "$LOCAL belongs to $(stat -c %U "$LOCAL"); run this as that user"
    exec 9>"$LOCAL/postgres.lock"
    flock -w 120 9 || fail "another scripts/postgres.sh has been at work for two minutes"
}

case "${1:-}" in
    start) lock && start ;;
    stop) lock && stop ;;
    purge) lock && purge "${2:-}" ;;
    status)
        locate
        if state="$(running)"; then
            say "PostgreSQL runs on 127.0.0.1:${state#* } (pid ${state% *}), data in $FOLDER"
        else
            say "PostgreSQL does not run"
            exit 1
        fi
        ;;
    url)
        locate
        [[ -s "$PASSWORD_FILE" ]] || fail "there is no private PostgreSQL yet; run: scripts/postgres.sh start"
        if state="$(running)"; then url "${state#* }"; else url "${PGPORT:-54329}"; fi
        ;;
    -h | --help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
