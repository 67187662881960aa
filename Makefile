# Everything that a person types in this project. Each command does its own set-up and can be run again.
# Variables: KAFKA_ENABLED, PORT, CONSUMER_PORT, PGPORT, KAFKA_PORT, DATABASE_URL, KAFKA_BROKERS, PROFILE, ARGS, TOPIC,
# TARGET, SECONDS.

SHELL := /bin/bash
.DEFAULT_GOAL := help
TOPIC ?= $(or $(KAFKA_TOPIC),quiz-events)
GROUP ?= analytics-event-processors

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Run the server; with KAFKA_ENABLED=true also Kafka and the consumer
	@scripts/run.sh

.PHONY: test
test: ## Run all tests against a real PostgreSQL and Kafka (ARGS: arguments of cargo test)
	@scripts/test.sh $(ARGS)

.PHONY: fuzz
fuzz: ## Feed damaged bytes to what reads bytes: TARGET=event_parser|batch_splitter|envelope|spool_reader SECONDS=600
	@FUZZ_SECONDS=$(or $(SECONDS),600) cargo test --test fuzz -- --nocapture $(TARGET)

.PHONY: bench
bench: ## Measure both write paths and print a table of ratios
	@scripts/bench.sh $(ARGS)

.PHONY: chaos
chaos: ## Break everything while clients write, then account for every event: SEED=1 RUNS=1 SECONDS=30
	@nice scripts/chaos.sh --seed $(or $(SEED),1) --runs $(or $(RUNS),1) --seconds $(or $(SECONDS),30) $(ARGS)

.PHONY: stop
stop: ## Stop everything started here; data stays
	@scripts/stop.sh

.PHONY: reset
reset: ## Empty the database and load the fixtures (asks)
	@./reset_database.sh

.PHONY: clean-data
clean-data: ## Stop everything and remove all local data (asks)
	@scripts/clean-data.sh

.PHONY: kafka-topics-list
kafka-topics-list: ## List the broker's topics
	@scripts/kafka/tool.sh topics --list

.PHONY: kafka-console-consumer
kafka-console-consumer: ## Print the records of a topic from its beginning, with keys and headers: TOPIC=quiz-events
	@scripts/kafka/tool.sh console-consumer --topic $(TOPIC) --from-beginning \
		--formatter-property print.partition=true --formatter-property print.offset=true \
		--formatter-property print.headers=true --formatter-property print.key=true

.PHONY: kafka-console-producer
kafka-console-producer: ## Write lines of "key<tab>value" from the keyboard to a topic: TOPIC=quiz-events
	@scripts/kafka/tool.sh console-producer --topic $(TOPIC) --reader-property parse.key=true

.PHONY: kafka-lag
kafka-lag: ## Show how far the consumer group is behind, per partition
	@scripts/kafka/tool.sh consumer-groups --describe --group $(GROUP)

.PHONY: fmt
fmt: ## Format the code
	@cargo fmt --all

.PHONY: lint
lint: ## Check format, lints and scripts
	@.ci/run format lint scripts layers

.PHONY: doc
doc: ## Build the documentation of the code
	@.ci/run doc

.PHONY: ci
ci: ## Run what the continuous integration runs
	@.ci/run
