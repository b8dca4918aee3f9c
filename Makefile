# Everything that is built, tested or tried here. `make help` lists it. Tools go to .tools/bin, binaries to bin/.

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -X main.version=$(VERSION)
FUZZTIME ?= 20s
SEED     ?= 0
SECONDS  ?= 600
SEEDS    ?= 5000

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build bin/colsum, which needs no C library
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/colsum ./cmd/colsum

demo: build ## a cluster, S3, two big files, a killed leader, and the proof that the sums are right
	scripts/demo

test: s3-server ## all tests, against a real S3 server too
	go test -timeout 9m ./...
	cd test/e2e && go test -timeout 5m ./chaos

race: s3-server ## all tests under the race detector (needs a C compiler), the long ones left out
	scripts/install-cc
	CGO_ENABLED=1 go test -timeout 20m -race -short ./...

purego: ## the engine's tests without assembly
	go test -timeout 9m -tags purego ./decimal/... ./csvsum/...

corpus: ## every file of the CSV corpus at every split size
	COLSUM_CORPUS=full go test -count=1 -run Corpus ./csvsum/...

fuzz: ## every fuzz target for FUZZTIME (20s)
	FUZZTIME=$(FUZZTIME) scripts/fuzz

bench: ## all benchmarks, once
	go test -run '^$$' -bench . -benchmem ./...

bench-peers: build ## colsum beside DuckDB, Polars and ClickHouse; needs npm (BENCH="-only decimals -rounds 3")
	mkdir -p bench/peers && cp scripts/bench-peers/peers/* bench/peers/
	npm install --prefix bench/peers --no-audit --no-fund
	CGO_ENABLED=0 go build -trimpath -tags purego -o bench/colsum-purego ./cmd/colsum
	go run ./scripts/bench-peers $(BENCH)

bench-cluster: build ## latency, rates, memory and scale of three nodes on this machine (BENCH="-only works")
	go run ./scripts/bench-cluster $(BENCH)

e2e: s3-server ## storage that fails, under readers and under clusters of real processes (a few minutes)
	cd test/e2e && go test -count=1 -timeout 15m -skip Conformance ./storage ./cluster

s3-conformance: ## the storage suite against three S3 servers, plain and TLS (rclone may take minutes on a busy machine)
	scripts/install-tools
	cd test/e2e && go test -count=1 -timeout 40m -run Conformance ./storage

storage-faults: s3-server ## every fault of an S3 server, as a table
	scripts/storage-faults

browser: build ## the web page in headless Chromium, against a real cluster (needs node 20 and npm)
	scripts/browser-tests

screenshots: build ## every view of the page, to bench/screenshots
	scripts/screenshots

openapi-client-test: build ## a client generated from /openapi.json runs a work; needs npm
	scripts/openapi-client-test

check-deploy: build ## check what is in deploy/ with the tools at hand; needs npm and Python
	scripts/check-deploy

lint: ## gofmt, vet, staticcheck and a few more
	scripts/install-golangci-lint
	.tools/bin/golangci-lint run ./...

chaos: build s3-server ## break a cluster in every way it promises to survive (SEED=n SECONDS=600 CHAOS="-only split")
	cd test/e2e && go build -o ../../bin/chaos ./chaos
	bin/chaos -bin bin/colsum -versitygw .tools/bin/versitygw -seed $(SEED) -seconds $(SECONDS) $(CHAOS)

sim: ## scheduler and replicated state with a clock of their own, thousands of seeds a minute (SEEDS=5000 SEED=0)
	COLSUM_SEEDS=$(SEEDS) COLSUM_SEED=$(SEED) go test -count=1 -v -timeout 60m -run '^TestReplicatedSimulation$$' ./coordinator/scheduler

cluster-up: build ## start 3 nodes and 2 workers (UP="--nodes 5 --port-base 6000" and the like)
	scripts/cluster up $(UP)

cluster-down: ## stop them
	scripts/cluster down

clean: ## remove what was built
	rm -rf bin *.test *.prof *.out

s3-server:
	@scripts/install-versitygw

.PHONY: openapi-client-test check-deploy help build demo browser screenshots test race purego corpus fuzz bench bench-peers bench-cluster e2e s3-conformance storage-faults lint chaos sim cluster-up cluster-down clean s3-server
