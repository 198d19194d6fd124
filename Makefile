# Every command that people and CI use. Alone, make prints this list.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/bin/tools:$(CURDIR)/.tools/node_modules/.bin:$(PATH)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PLUGS := webchat simnet mqtt
TOOLS := google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc \
	connectrpc.com/connect/cmd/protoc-gen-connect-go honnef.co/go/tools/cmd/staticcheck
# The tools are pinned in .tools, apart from go.mod, so that they don't enter
# the module graph of those who write plugs.
TOOLDEPS := .tools/node_modules/.installed

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9_-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: $(TOOLDEPS) /usr/bin/chromium /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf /usr/sbin/mosquitto /usr/bin/mosquitto_pub ## install what build and tests need (Debian, npm); idempotent, quiet
	@go mod download

# Versions are exact in package.json; a lock file would name the binaries of one
# platform only, and npm refuses it on the others.
$(TOOLDEPS): .tools/package.json
	@npm --prefix .tools install --no-package-lock --silent --no-audit --no-fund >/dev/null
	@touch $@

/usr/bin/chromium /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf &:
	@.ci/debian chromium fonts-noto-color-emoji

/usr/sbin/mosquitto /usr/bin/mosquitto_pub &:
	@.ci/debian mosquitto mosquitto-clients

bin/tools/.built: .tools/go.mod .tools/go.sum
	@mkdir -p bin/tools
	@go build -modfile=.tools/go.mod -o bin/tools/ $(TOOLS)
	@touch $@

build: ## build the host to bin/ and the plugs to bin/plugs/
	@mkdir -p bin/plugs
	@go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/ ./host/cmd/plughost ./plugins/simnet/simnetd
	@go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/plugs/ $(PLUGS:%=./plugins/%)
	@go build -trimpath -o bin/plugs/simnet-plugscope ./plugins/simnet/plugscope

run: build ## run two webchats bridged, to try it out
	@bin/plughost demo

test: deps build ## run all tests: with the race detector, and in a real browser
	@go test -race -timeout 20m ./...
	@$(MAKE) --no-print-directory e2e

lint: deps bin/tools/.built ## gofmt, vet, staticcheck, buf lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt these files:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	@go vet ./...
	@staticcheck ./...
	@buf lint

generate: deps bin/tools/.built ## generate Go from proto
	@buf generate

checkgenerate: generate ## fail if the generated code is not what the proto files say
	@git diff --exit-code --stat -- proto || { echo "run make generate and commit"; exit 1; }

e2e: deps build ## all of it, in a real browser and with mosquitto, plugs and host killed
	@go test -count=1 -tags e2e -timeout 15m ./host/e2e/...

bench: build ## measure; prints the figures and writes bin/bench.json
	@go run ./host/bench -out bin/bench.json

soak: build ## carry MESSAGES (10000000): memory and disk must stay bounded
	@go run ./host/bench -soak $${MESSAGES:-10000000} -out bin/soak.json

chaos: deps build ## kill and cut everything for TIME (2m), then compare the ledgers; SEED repeats a run
	@go run ./host/chaos -time $${TIME:-2m} -seed $${SEED:-0} $${FLAGS:-}

mutants: ## break the real code on purpose; the property test must notice
	@go run ./host/mutants

fuzz: ## run every fuzz target for FUZZTIME (20s) each
	@for p in $$(grep -rl --include='*_test.go' 'func Fuzz' host sdk plugins | xargs -n1 dirname | sort -u); do \
		for f in $$(grep -hoE 'func Fuzz[A-Za-z0-9_]+' $$p/*_test.go | cut -c6-); do \
			echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-20s} ./$$p; done; done

.PHONY: help deps build run test lint generate checkgenerate e2e bench soak chaos mutants fuzz
