# make check is the whole gate; .ci/run calls it. The longer suites have targets of their own.

GO ?= go
# Packages whose code starts goroutines.
RACE = . ./layers ./internal/engine ./datasets/imdb ./cmd/unroll

.PHONY: check format vet static test race purego paths static-binary generate fuzz drawn kill

check: format vet static test purego paths race static-binary

format:
	@out="$$(gofmt -l .)"; if [ -n "$$out" ]; then echo "gofmt: these files are not formatted:"; echo "$$out"; exit 1; fi

vet:
	GOARCH=amd64 $(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	$(GO) vet -tags purego ./...

static:
	$(GO) tool staticcheck ./...

test:
	$(GO) test ./...

# The same answers without assembly.
purego:
	$(GO) test -tags purego ./internal/... ./layers .

# The same tests with each lower instruction set forced; the test cache does not see the variable.
paths:
	UNROLL_CPU=avx2 $(GO) test -count=1 -short ./internal/kernel ./internal/engine ./layers .
	UNROLL_CPU=generic $(GO) test -count=1 -short ./internal/kernel ./internal/engine ./layers .

race:
	$(GO) test -race -short $(RACE)

# One static file, below 30 MB.
static-binary:
	@d="$$(mktemp -d)"; trap 'rm -rf "$$d"' EXIT; \
	CGO_ENABLED=0 $(GO) build -trimpath -o "$$d/unroll" ./cmd/unroll && \
	size=$$(wc -c < "$$d/unroll") && echo "unroll: $$size bytes, static" && [ $$size -lt 30000000 ]

# Assembly again from its generator, after a change of the generator, of the cells or of the planner.
generate:
	cd internal/kernel && $(GO) generate

# Not part of the gate: every fuzzer for a minute.
fuzz:
	@for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime 60s -fuzzminimizetime 1x $$p || exit 1; \
		done; \
	done

# Not part of the gate: a process that writes a file is killed 500 times at chosen bytes and 500 times at random moments, and a training with a
# backup 500 times.
kill:
	UNROLL_KILLS=500 $(GO) test -count=1 -v -timeout 60m -run '^TestKilled' ./internal/durable
	UNROLL_KILLS=500 $(GO) test -count=1 -v -timeout 60m -run '^TestKilled$$' ./callbacks

# Models that Keras draws at random, compared with it: several hundred; and Keras loads what is saved here. Makes its own Python environment; takes half an hour.
drawn: DRAWN ?= $(CURDIR)/oracle/.drawn
drawn: oracle/.venv/ready
	oracle/.venv/bin/python oracle/drawn.py $(DRAWN)
	UNROLL_DRAWN=$(DRAWN) UNROLL_ORACLE_PYTHON=$(CURDIR)/oracle/.venv/bin/python $(GO) test -count=1 -timeout 2h -run TestDrawn -v .

oracle/.venv/ready: oracle/requirements.txt
	python3 -m venv oracle/.venv
	oracle/.venv/bin/pip install -q -r oracle/requirements.txt
	touch $@
