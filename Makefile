# make check is the whole gate; .ci/run calls it. The longer suites have targets of their own.

GO ?= go
# Packages whose code starts goroutines.
RACE = . ./layers ./internal/engine ./cmd/unroll

.PHONY: check format vet static test race purego static-binary

check: format vet static test purego race static-binary

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

race:
	$(GO) test -race -short $(RACE)

# One static file, below 30 MB.
static-binary:
	@d="$$(mktemp -d)"; trap 'rm -rf "$$d"' EXIT; \
	CGO_ENABLED=0 $(GO) build -trimpath -o "$$d/unroll" ./cmd/unroll && \
	size=$$(wc -c < "$$d/unroll") && echo "unroll: $$size bytes, static" && [ $$size -lt 30000000 ]
