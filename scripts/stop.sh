#!/usr/bin/env bash
# usage: scripts/stop.sh
#
# Stops everything that this project's scripts have started: server, consumer, Kafka, PostgreSQL. The data stays.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/processes.sh"
# shellcheck source=scripts/programs.sh
source "$PROJECT/scripts/programs.sh"

case "${1:-}" in
    "") ;;
    *)
        sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
        exit 2
        ;;
esac

# `make run` in another terminal stops its programs by itself, in their order.
if [[ -s "$RUN_PID" ]]; then
    stop_recorded "$RUN_PID" scripts/run.sh 70
fi
stop_recorded "$SERVER_PID" /server 30
stop_recorded "$CONSUMER_PID" /consumer 30
say "server and consumer stopped"
"$PROJECT/start-kafka.sh" --stop
"$PROJECT/scripts/postgres.sh" stop
