# shellcheck shell=bash
# Sourced by start-kafka.sh and scripts/kafka/tool.sh, after processes.sh and prerequisites.sh: one Apache Kafka node in
# KRaft mode without Docker. Its jars, settings, data, logs and pid lie in .local/kafka.

# The newest version of which the Maven repository holds every jar.
KAFKA_VERSION=4.3.1

KAFKA_FOLDER="$LOCAL/kafka"
# One download serves every set of services.
KAFKA_LIBS="$PROJECT/.local/kafka/libs-$KAFKA_VERSION"
KAFKA_PID="$KAFKA_FOLDER/kafka.pid"
# In the broker's command line, and in no other process's.
KAFKA_MARK="-Dkafka.logs.dir=$KAFKA_FOLDER/logs"
# Its presence says that start-kafka.sh started a broker; it holds that broker's port.
KAFKA_PORT_FILE="$KAFKA_FOLDER/port"

native_pid() { recorded_pid "$KAFKA_PID" "$KAFKA_MARK"; }

native_fetch() {
    [[ ! -e "$KAFKA_LIBS" ]] || return 0
    require_maven
    say "fetching Apache Kafka $KAFKA_VERSION with Maven (about 45 MB, once)"
    rm -rf "$KAFKA_LIBS.part"
    # Maven would take the first java it finds, which may be older.
    JAVA_HOME="$(dirname "$(dirname "$(readlink -f "$JAVA")")")" \
        mvn -B -q -f "$PROJECT/scripts/kafka/pom.xml" -Dkafka.version="$KAFKA_VERSION" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$KAFKA_LIBS.part" >"$KAFKA_FOLDER/maven.log" 2>&1 || {
        grep -m 5 ERROR "$KAFKA_FOLDER/maven.log" >&2 || tail -n 5 "$KAFKA_FOLDER/maven.log" >&2
        fail "Maven could not fetch Kafka; its output is in $KAFKA_FOLDER/maven.log"
    }
    mv "$KAFKA_LIBS.part" "$KAFKA_LIBS"
}

# native_settings PORT CONTROLLER_PORT
# KAFKA_EXTRA_LISTENERS holds further listeners, each as NAME:PORT:ADVERTISED_PORT, separated by spaces. A client that
# comes in by one of them is told its advertised port, so a proxy can stand between the broker and that client.
# KAFKA_EXTRA_SETTINGS holds further lines for the broker's settings.
native_settings() {
    local extra name port advertised listeners="" advertisements="" protocols=""
    for extra in ${KAFKA_EXTRA_LISTENERS:-}; do
        IFS=: read -r name port advertised <<<"$extra"
        listeners+=",$name://127.0.0.1:$port"
        advertisements+=",$name://127.0.0.1:$advertised"
        protocols+=",$name:PLAINTEXT"
    done
    cat >"$KAFKA_FOLDER/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2$listeners
advertised.listeners=PLAINTEXT://127.0.0.1:$1$advertisements
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT$protocols
controller.listener.names=CONTROLLER
log.dirs=$KAFKA_FOLDER/data
log.retention.hours=168
log.retention.bytes=1073741824
log.segment.bytes=268435456
auto.create.topics.enable=false
num.partitions=3
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
${KAFKA_EXTRA_SETTINGS:-}
CONF
}

# Start-up time is what matters for the tools: no optimising compiler, the simplest collector.
TOOL_OPTIONS=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$KAFKA_LIBS/*"
    "-Dlog4j2.configurationFile=$PROJECT/scripts/kafka/tools-log4j2.properties")

native_format() {
    [[ ! -e "$KAFKA_FOLDER/data/meta.properties" ]] || return 0
    local id
    # Kafka wants 16 bytes in the URL's base64, without padding.
    id="$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')"
    # A leading dash would be read as an option.
    "$JAVA" "${TOOL_OPTIONS[@]}" kafka.tools.StorageTool format --config "$KAFKA_FOLDER/server.properties" \
        --cluster-id "A${id:1}" >"$KAFKA_FOLDER/format.log" 2>&1 || {
        tail -n 5 "$KAFKA_FOLDER/format.log" >&2
        fail "the data folder $KAFKA_FOLDER/data could not be made"
    }
    rm -f "$KAFKA_FOLDER/format.log"
}

# native_launch PORT: starts the broker in a session of its own, so that a Ctrl-C meant for a script does not reach it.
# The heap is small for a developer's machine; the page cache does the work. KAFKA_JVM_OPTIONS replaces the options that
# make a broker fast once it has run for a while, for a broker that is started often.
native_launch() {
    mkdir -p "$KAFKA_FOLDER/logs"
    local options
    read -ra options <<<"${KAFKA_JVM_OPTIONS:--XX:+UseG1GC -XX:MaxGCPauseMillis=20}"
    setsid "$JAVA" -Xms128m -Xmx384m "${options[@]}" "$KAFKA_MARK" \
        -Dlog4j2.configurationFile="$PROJECT/scripts/kafka/log4j2.properties" -Djava.net.preferIPv4Stack=true \
        -cp "$KAFKA_LIBS/*" kafka.Kafka "$KAFKA_FOLDER/server.properties" \
        </dev/null >"$KAFKA_FOLDER/logs/console.log" 2>&1 9>&- &
    record_process "$!" "$KAFKA_PID" "$KAFKA_MARK"
    say "$1" >"$KAFKA_PORT_FILE"
}

# native_ready PORT: listens, or has died (the caller tells the two apart).
native_ready() { port_taken "$1" || ! native_pid >/dev/null; }

native_start() {
    local port="$1" controller_port="$2" pid
    mkdir -p "$KAFKA_FOLDER"
    require_java
    if pid="$(native_pid)"; then
        say "Kafka already runs on 127.0.0.1:$port (pid $pid)"
        return
    fi
    require_free_port "$port" Kafka KAFKA_PORT
    require_free_port "$controller_port" "Kafka's controller" KAFKA_CONTROLLER_PORT
    native_fetch
    native_settings "$port" "$controller_port"
    native_format
    native_launch "$port"
    wait_for 60 native_ready "$port" || fail "Kafka did not listen within 60 s; its log is $KAFKA_FOLDER/logs/kafka.log"
    pid="$(native_pid)" || {
        tail -n 5 "$KAFKA_FOLDER/logs/console.log" >&2
        grep -m 5 -E ' (ERROR|FATAL) ' "$KAFKA_FOLDER/logs/kafka.log" >&2 || true
        fail "Kafka ended right after its start; its log is $KAFKA_FOLDER/logs/kafka.log"
    }
    say "Apache Kafka $KAFKA_VERSION runs on 127.0.0.1:$port (pid $pid)"
}

native_stop() {
    local pid
    if pid="$(native_pid)"; then
        kill -0 "$pid" 2>/dev/null || fail "pid $pid, this project's Kafka, cannot be stopped by $(id -un)"
        # Closing the logs takes a moment; killing the broker early costs a recovery at the next start.
        stop_recorded "$KAFKA_PID" "$KAFKA_MARK" 45
        say "Kafka stopped"
    else
        say "Kafka does not run"
    fi
    rm -f "$KAFKA_PID" "$KAFKA_PORT_FILE"
}
