#!/usr/bin/env bash
# usage: ./start-kafka.sh [--no-topics | --stop | --status | --help]
#
# Starts Apache Kafka (KRaft, one node), creates the project's topics and waits until they can be used; safe to repeat.
# With a Docker engine: docker-compose.kafka.yml, container analytics-kafka. Without one: natively with Java 17 or later
# and jars fetched by Maven, all of it in .local/kafka. What is missing is installed by apt, as root or with sudo.
# With --no-topics the broker alone is started, natively, for whoever makes topics of its own.
#
# KAFKA_PORT             broker, default 9092        KAFKA_TOPIC      default quiz-events (3 partitions, 7 days)
# KAFKA_CONTROLLER_PORT  controller, default 9093    KAFKA_DLQ_TOPIC  default quiz-events-dlq
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/scripts/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/kafka/native.sh
source "$PROJECT/scripts/kafka/native.sh"

CONTROLLER_PORT="${KAFKA_CONTROLLER_PORT:-9093}"
TOPIC="${KAFKA_TOPIC:-quiz-events}"
DLQ_TOPIC="${KAFKA_DLQ_TOPIC:-quiz-events-dlq}"
PARTITIONS=3
RETENTION_MS=604800000

usage() { sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; }

# The container has one name, so a second set of services beside the first is always native.
docker_answers() { [[ -z "${INGESTOR_LOCAL:-}" ]] && command -v docker >/dev/null && docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; }
container_runs() { [[ "$(docker inspect -f '{{.State.Running}}' analytics-kafka 2>/dev/null)" == true ]]; }
compose() { docker compose -f "$PROJECT/docker-compose.kafka.yml" "$@"; }

# Without KAFKA_PORT, a broker that runs already keeps the port it has.
choose_port() {
    local at=""
    [[ ! -s "$KAFKA_PORT_FILE" ]] || at="$(cat "$KAFKA_PORT_FILE")"
    PORT="${KAFKA_PORT:-${at:-9092}}"
    if [[ -n "$at" && "$at" != "$PORT" ]] && native_pid >/dev/null; then
        fail "this project's Kafka already runs on port $at; stop it before choosing port $PORT"
    fi
}

# Talks to the leader of every partition, which is more than seeing the topic's name in the metadata.
# 0 all there, 1 something is missing.
topics_usable() {
    local offsets
    offsets="$("$PROJECT/scripts/kafka/tool.sh" get-offsets --topic-partitions "$TOPIC,$DLQ_TOPIC" 2>/dev/null)" || return 1
    (($(grep -c "^$TOPIC:[0-9]*:[0-9]" <<<"$offsets") >= PARTITIONS)) && grep -q "^$DLQ_TOPIC:[0-9]*:[0-9]" <<<"$offsets"
}

# create_topic NAME [CONFIG...]
create_topic() {
    local name="$1" configs=(--config "retention.ms=$RETENTION_MS")
    shift
    (($# == 0)) || configs+=(--config "$@")
    "$PROJECT/scripts/kafka/tool.sh" topics --create --if-not-exists --topic "$name" --partitions "$PARTITIONS" \
        --replication-factor 1 "${configs[@]}" >/dev/null
}

# Each of Kafka's tools takes a second or two to start, so the check comes first and the two creations run side by side.
ensure_topics() {
    local dead_letters
    if ! topics_usable; then
        # A dead letter is the record and its story: it must fit even when the record alone filled a message.
        create_topic "$DLQ_TOPIC" max.message.bytes=2097152 &
        dead_letters=$!
        create_topic "$TOPIC"
        wait "$dead_letters" || fail "topic $DLQ_TOPIC could not be created"
        wait_for 30 topics_usable || fail "the topics $TOPIC and $DLQ_TOPIC did not become usable within 30 s"
    fi
    say "topics $TOPIC and $DLQ_TOPIC are usable"
}

start() {
    # An address meant for the services must not lead the topic tools to another cluster.
    unset KAFKA_BROKERS
    mkdir -p "$KAFKA_FOLDER"
    [[ -w "$KAFKA_FOLDER" ]] || fail "$KAFKA_FOLDER belongs to $(stat -c %U "$KAFKA_FOLDER"); run this as that user"
    exec 9>"$KAFKA_FOLDER/lock"
    flock -w 300 9 || fail "another start-kafka.sh has been at work for five minutes"
    choose_port
    if docker_answers && ! native_pid >/dev/null; then
        container_runs || require_free_port "$PORT" Kafka KAFKA_PORT
        say "starting Kafka with Docker Compose"
        export KAFKA_PORT="$PORT"
        compose up --detach --wait --wait-timeout 180 kafka
        compose run --rm --no-deps kafka-topics
        # Nothing waits for the UI: it is a convenience.
        compose up --detach --no-deps kafka-ui
        say "$PORT" >"$KAFKA_PORT_FILE"
        say "Kafka runs on 127.0.0.1:$PORT (container analytics-kafka); its UI is http://127.0.0.1:${KAFKA_UI_PORT:-8090}"
    else
        native_start "$PORT" "$CONTROLLER_PORT"
        ensure_topics
    fi
}

start_broker() {
    mkdir -p "$KAFKA_FOLDER"
    exec 9>"$KAFKA_FOLDER/lock"
    flock -w 300 9 || fail "another start-kafka.sh has been at work for five minutes"
    choose_port
    native_start "$PORT" "$CONTROLLER_PORT"
}

stop() {
    if ! native_pid >/dev/null && docker_answers && container_runs; then
        # The named volume, and with it the data, stays.
        compose down
        rm -f "$KAFKA_PORT_FILE"
        say "Kafka stopped"
    else
        native_stop
    fi
}

status() {
    local pid
    choose_port
    if pid="$(native_pid)"; then
        say "Kafka runs natively on 127.0.0.1:$PORT (pid $pid), data in $KAFKA_FOLDER/data"
    elif docker_answers && container_runs; then
        say "Kafka runs in container analytics-kafka on $(docker port analytics-kafka 9092/tcp | head -n 1)"
    else
        say "Kafka does not run"
        return 1
    fi
}

case "${1:-}" in
    "") start ;;
    --no-topics) start_broker ;;
    --stop) stop ;;
    --status) status ;;
    -h | --help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
