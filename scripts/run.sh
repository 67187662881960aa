#!/usr/bin/env bash
# usage: scripts/run.sh [--detach]
#
# Builds and runs the server for development, and in Kafka mode (KAFKA_ENABLED=true) Kafka and the consumer too. Installs
# what is missing, starts a private PostgreSQL unless DATABASE_URL is set, migrates, loads the fixtures into an empty
# database. Ctrl-C stops server and consumer; PostgreSQL and Kafka go on until `make stop`.
# With --detach it returns as soon as the server is ready, and the logs go to .local/logs.
#
# PORT (8080), CONSUMER_PORT (8081), LISTEN_ADDRESS (127.0.0.1), PGPORT, KAFKA_PORT, DATABASE_URL, KAFKA_BROKERS, JWT_SECRET,
# RUST_LOG: as in the README; also from .env. PROFILE=dev makes programs that are quicker to build and slower to run.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/programs.sh
source "$PROJECT/scripts/programs.sh"

usage() { sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; }

DETACH=""
case "${1:-}" in
    "") ;;
    --detach) DETACH=yes ;;
    -h | --help)
        usage
        exit
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac

load_env_file
export PORT="${PORT:-8080}" CONSUMER_PORT="${CONSUMER_PORT:-8081}"
# Anybody knows the passwords of the fixtures, so the network is not let in unless asked for.
export LISTEN_ADDRESS="${LISTEN_ADDRESS:-127.0.0.1}"
export KAFKA_ENABLED="${KAFKA_ENABLED:-false}" SIGNUP_ENABLED="${SIGNUP_ENABLED:-true}"
URL="http://localhost:$PORT"

# Waiting costs nothing before the build, a taken port would cost the build.
check_ports() {
    local pid
    if pid="$(recorded_pid "$SERVER_PID" /server)"; then
        fail "this project's server already runs (pid $pid); end it with: make stop"
    fi
    require_free_port "$PORT" "the server" PORT
    if [[ "$KAFKA_ENABLED" == true ]]; then
        if pid="$(recorded_pid "$CONSUMER_PID" /consumer)"; then
            fail "this project's consumer already runs (pid $pid); end it with: make stop"
        fi
        require_free_port "$CONSUMER_PORT" "the consumer" CONSUMER_PORT
    fi
}

prepare_database() {
    provide_database
    "$BIN/ctl" migrate
    if [[ "$(query 'SELECT NOT EXISTS (SELECT FROM users)')" == t ]]; then
        say "the database is empty: loading the fixtures"
        "$BIN/ctl" seed
    fi
}

# launch NAME PIDFILE: starts the program in a session of its own, so that a Ctrl-C reaches this script alone, which
# then stops the two in the right order.
launch() {
    local name="$1" pid_file="$2"
    mkdir -p "$LOGS"
    if [[ -n "$DETACH" ]]; then
        setsid "$BIN/$name" </dev/null >"$LOGS/$name.log" 2>&1 &
    elif [[ "$KAFKA_ENABLED" == true ]]; then
        # The filter ignores the Ctrl-C: the last lines of a program are those of its stop.
        setsid "$BIN/$name" </dev/null > >(
            trap '' INT
            exec sed -u "s/^/$(printf '%-8s' "$name") | /"
        ) 2>&1 &
    else
        setsid "$BIN/$name" </dev/null &
    fi
    record_process "$!" "$pid_file" "$BIN/$name"
}

answers_ready() { curl -fs -o /dev/null --max-time 2 "http://127.0.0.1:$1/readyz"; }
ready_or_dead() { answers_ready "$2" || ! recorded_pid "$1" "$BIN/" >/dev/null; }

# await_ready NAME PIDFILE PORT
await_ready() {
    wait_for 60 ready_or_dead "$2" "$3" || give_up "the $1 did not become ready within 60 s"
    answers_ready "$3" || give_up "the $1 ended right after its start"
}

give_up() {
    if [[ -n "$DETACH" ]]; then
        tail -n 20 "$LOGS"/*.log >&2
    fi
    stop_programs
    fail "$1"
}

# The server first: what it has accepted goes into Kafka, and the consumer still gets a chance to store it.
stop_programs() {
    stop_recorded "$SERVER_PID" "$BIN/server" 30
    stop_recorded "$CONSUMER_PID" "$BIN/consumer" 30
}

on_signal() {
    trap '' INT TERM HUP
    say ""
    say "stopping"
    stop_programs
    rm -f "$RUN_PID"
    say "stopped; PostgreSQL and Kafka, if started here, go on until: make stop"
    exit 0
}

print_welcome() {
    local json="-H 'Content-Type: application/json'"
    local set_a=900e8400-e29b-41d4-a716-4466554400 mode="direct mode"
    [[ "$KAFKA_ENABLED" != true ]] || mode="Kafka mode, broker $KAFKA_BROKERS"
    cat <<WELCOME

  $URL/api   ($mode, database $(mask_url "$DATABASE_URL"))

  Post an event, then read a report (paste a line each):

TOKEN=\$(curl -s $URL/api/auth/login $json -d '{"email":"writer.test@example.com","password":"test123"}' | jq -r .token); curl -s $URL/api/events -H "Authorization: Bearer \$TOKEN" $json -d '{"event_id":"'\$(cat /proc/sys/kernel/random/uuid)'","event_type":"ANSWER_SUBMITTED","timestamp":"'\$(date -u +%FT%TZ)'","session_id":"${set_a}00","quiz_id":"${set_a}10","classroom_id":"${set_a}20","question_id":"${set_a}30","student_id":"${set_a}40","answer":"O(n log n)"}'; echo

TOKEN=\$(curl -s $URL/api/auth/login $json -d '{"email":"reader.test@example.com","password":"test123"}' | jq -r .token); curl -s "$URL/api/reports/active-participants?session_id=${set_a}00&time_range=60m" -H "Authorization: Bearer \$TOKEN" | jq

WELCOME
    if [[ "$KAFKA_ENABLED" == true ]]; then
        say "  The consumer's health: http://localhost:$CONSUMER_PORT/readyz   Lag: make kafka-lag"
    else
        say "  With Kafka and the consumer: make run KAFKA_ENABLED=true"
    fi
    if [[ -n "$DETACH" ]]; then
        say "  Logs: .local/logs   Stop everything: make stop"
    else
        say "  Ctrl-C stops the server. Stop everything: make stop"
    fi
    say ""
}

# Ends when one of the programs ends: without the other it is of no use here.
watch_programs() {
    local status=0
    wait -n || status=$?
    stop_programs
    rm -f "$RUN_PID"
    fail "a program ended by itself (status $status)"
}

check_ports
build_programs
prepare_database
if [[ "$KAFKA_ENABLED" == true ]]; then
    provide_kafka
fi
provide_jwt_secret

if [[ -z "$DETACH" ]]; then
    say "$$" >"$RUN_PID"
    trap on_signal INT TERM HUP
fi
if [[ "$KAFKA_ENABLED" == true ]]; then
    launch consumer "$CONSUMER_PID"
fi
launch server "$SERVER_PID"
await_ready server "$SERVER_PID" "$PORT"
if [[ "$KAFKA_ENABLED" == true ]]; then
    await_ready consumer "$CONSUMER_PID" "$CONSUMER_PORT"
fi
print_welcome
[[ -n "$DETACH" ]] || watch_programs
