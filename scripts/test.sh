#!/usr/bin/env bash
# usage: scripts/test.sh [argument of cargo test...]      (default: --workspace)
#
# Runs the tests against real services: installs what is missing, starts the private PostgreSQL unless DATABASE_URL is
# set, and Kafka unless KAFKA_BROKERS is set. Tests make databases and topics of their own there and remove them.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/programs.sh
source "$PROJECT/scripts/programs.sh"

require_build_tools
provide_database
provide_kafka
cd "$PROJECT"
(($# > 0)) || set -- --workspace
exec cargo test "$@"
