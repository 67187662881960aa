#!/usr/bin/env bash
# usage: scripts/kafka/tool.sh topics|consumer-groups|get-offsets|console-consumer|console-producer|configs [option...]
#
# Runs one of Kafka's own command-line tools against the project's broker, with the options that the tool itself takes.
# The broker is KAFKA_BROKERS (default: where start-kafka.sh has started it) and needs no --bootstrap-server.
# Example, replaying a topic after the consumer was stopped:
#   scripts/kafka/tool.sh consumer-groups --group analytics-event-processors --topic quiz-events \
#       --reset-offsets --to-earliest --execute
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/../processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/kafka/native.sh
source "$PROJECT/scripts/kafka/native.sh"

usage() { sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; }

case "${1:-}" in
    topics) class=org.apache.kafka.tools.TopicCommand ;;
    consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
    console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
    configs) class=kafka.admin.ConfigCommand ;;
    -h | --help)
        usage
        exit
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac
tool="$1"
shift

port="$(cat "$KAFKA_PORT_FILE" 2>/dev/null || say "${KAFKA_PORT:-9092}")"
brokers="${KAFKA_BROKERS:-127.0.0.1:$port}"
if [[ -d "$KAFKA_LIBS" ]]; then
    require_java
    exec "$JAVA" "${TOOL_OPTIONS[@]}" "$class" --bootstrap-server "$brokers" "$@"
fi
# In the container the broker's own address is the one that works.
docker inspect analytics-kafka >/dev/null 2>&1 || fail "Kafka has not been started here; run: ./start-kafka.sh"
exec docker exec -i analytics-kafka "/opt/kafka/bin/kafka-$tool.sh" --bootstrap-server kafka:29092 "$@"
