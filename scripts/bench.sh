#!/usr/bin/env bash
# usage: scripts/bench.sh [--keep] [option of the benchmark...]
#
# Measures both write paths against baselines of the same run and prints a table of ratios; docs/BENCHMARKS.md explains
# it. Builds the release programs, starts a PostgreSQL and a Kafka of its own under .local/bench, and afterwards stops
# them and removes their data. A full run takes about a quarter of an hour on two cores.
#
# --keep              leave the services running, to look into them or to measure again at once
# --only NAME         direct, kafka, kafka-batch, direct-batch, store, drain, live, poison, stored, half-peak, memory,
#                     outage or reading; several times at will
# --runs N            how often everything is measured (3)
# --seconds N         length of each measurement (10)
# --quick             one short run, to see that everything works
# --outage-seconds N  length of the outage that the cell of that name measures (300)
# --memory-minutes N  also measure the server's memory at peak, for N minutes in each mode
# --help              all options
#
# BENCH_PGPORT (54339), BENCH_KAFKA_PORT (19092), BENCH_KAFKA_CONTROLLER_PORT (19093). Settings of the programs, such as
# KAFKA_LINGER_MS or DIRECT_WRITERS, are passed on from the environment.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/programs.sh
source "$PROJECT/scripts/programs.sh"

# Data and ports of its own: a benchmark empties its database, and shares its services with nobody.
export INGESTOR_LOCAL="$PROJECT/.local/bench"
export PGPORT="${BENCH_PGPORT:-54339}"
export KAFKA_PORT="${BENCH_KAFKA_PORT:-19092}" KAFKA_CONTROLLER_PORT="${BENCH_KAFKA_CONTROLLER_PORT:-19093}"
# A container would share its data with `make run`; without an engine in reach, Kafka runs natively.
export DOCKER_HOST=unix:///dev/null
# What is meant for the product's own services must not lead the benchmark to them.
unset DATABASE_URL KAFKA_BROKERS KAFKA_TOPIC KAFKA_DLQ_TOPIC KAFKA_GROUP_ID

KEEP=""
case "${1:-}" in
    --keep)
        KEEP=yes
        shift
        ;;
    -h) set -- --help ;;
esac

stop_services() {
    "$PROJECT/start-kafka.sh" --stop
    "$PROJECT/scripts/postgres.sh" purge --yes
    rm -rf "$INGESTOR_LOCAL"/{kafka,work/messages}
}

finish() {
    local status=$?
    trap '' INT TERM
    if [[ -n "$KEEP" ]]; then
        say "left running; end it with: scripts/bench.sh, or by hand: INGESTOR_LOCAL=$INGESTOR_LOCAL scripts/stop.sh" >&2
    else
        stop_services >&2
    fi
    if ((status != 0)); then
        say "the programs' logs are in $INGESTOR_LOCAL/work" >&2
    fi
    exit "$status"
}

build_bench() {
    build_programs
    # Apart from the product's own programs, which are built without the feature that the baselines need.
    (cd "$PROJECT" && cargo build --release -p ingestor-bench &&
        cargo build --release -p kafka-toolkit --example raw_producer)
}

if [[ " $* " == *" --help "* ]]; then
    sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
    exit
fi

# Two benchmarks at once would measure each other, and the first to end would take the services from the other.
mkdir -p "$INGESTOR_LOCAL"
exec 8>"$INGESTOR_LOCAL/bench.lock"
flock -n 8 || fail "another benchmark runs in this clone"

export PROFILE=release
build_bench >&2
trap finish EXIT
trap 'exit 130' INT TERM
"$PROJECT/scripts/postgres.sh" start >&2 8>&-
"$PROJECT/start-kafka.sh" >&2 8>&-
DATABASE_URL="$("$PROJECT/scripts/postgres.sh" url)"
export DATABASE_URL KAFKA_BROKERS="127.0.0.1:$KAFKA_PORT"
BENCH_BROKER_PID="$(cat "$INGESTOR_LOCAL/kafka/kafka.pid")"
export BENCH_BROKER_PID BENCH_PROGRAMS="$BIN" BENCH_FOLDER="$INGESTOR_LOCAL/work"
# It starts a broker again, which is to outlive it.
"$BIN/ingestor-bench" run "$@" 8>&-
