# Leasehold. `make lab` shows it, `make test` proves it, `make e2e` with the real programs; CONTRIBUTING.md says the rest.

NODE := node_modules/node/bin/node
TESTS ?= tests/**/*.test.ts
# Two at once: the tests wait for servers and kernels more than they compute.
TEST_JOBS ?= 2

.PHONY: build lab test unit lint types format bench clean

build: node_modules/.built dist/app/leasehold.mjs
	@$(MAKE) --no-print-directory -s -C relay

# The program as one file, which is what is installed; a checkout runs src/.
dist/app/leasehold.mjs: node_modules/.built $(shell find src scripts/program -name '*.ts')
	@$(NODE) scripts/program/main.ts dist/app

# npm ci takes exactly what the lock file says, by hash, and runs no script of a package (.npmrc). Node 26 itself is one
# of the packages.
node_modules/.built: package.json package-lock.json .npmrc scripts/link-node.sh
	npm ci --no-audit --no-fund --loglevel=error
	@sh scripts/link-node.sh
	@touch $@

lab: build
	@bin/leasehold lab $(LAB_ARGS)

# All of it: format, lint, types, layers, unit tests, and the tests in network namespaces with real servers.
test: build
	@sh scripts/test.sh

# One file or some: make tests TESTS=tests/wire/bpf.test.ts
.PHONY: tests
tests: build
	@UV_THREADPOOL_SIZE=9 $(NODE) --test --test-concurrency=$(TEST_JOBS) '$(TESTS)'

# What servers and other clients do, observed and written into docs/interop.md; make test compares.
.PHONY: interop
interop: build
	@INTEROP_WRITE=1 UV_THREADPOOL_SIZE=9 $(NODE) --test --test-concurrency=1 'tests/interop/*.test.ts'

# What needs neither root nor a server.
unit: build
	@$(NODE) --test --test-concurrency=$(TEST_JOBS) 'tests/base/**/*.test.ts' 'tests/wire/**/*.test.ts' 'tests/protocol/**/*.test.ts' \
	  'tests/lease/**/*.test.ts' 'tests/cni/**/*.test.ts' 'tests/api/**/*.test.ts' 'tests/kube/**/*.test.ts'

lint: build
	@$(NODE) node_modules/oxfmt/bin/oxfmt --check .
	@$(NODE) node_modules/oxlint/bin/oxlint --type-aware --deny-warnings
	@$(MAKE) --no-print-directory types

types: build
	@node_modules/.bin/tsc --noEmit

format: build
	@$(NODE) node_modules/oxfmt/bin/oxfmt .

bench: build
	@sh scripts/bench.sh $(BENCH_ARGS)

# Whole sandboxes of a containerd, which scripts/e2e-programs.sh builds; its section of docs/benchmarks.md.
.PHONY: bench-cri
bench-cri: build
	@sh scripts/bench.sh --cri $(BENCH_ARGS)

# The lock file holds the hashes; who signed them, only a registry that publishes its keys can say.
.PHONY: audit
audit: build
	npm audit signatures
	npm audit --omit=dev

# A tarball with its own Node, for hosts that have none.
.PHONY: dist
dist: build
	@sh scripts/dist.sh

# An OCI image archive for amd64 and arm64, for nodes of a cluster.
.PHONY: image
image: build
	@sh scripts/image.sh

# The tests with real container runtimes and a real Kubernetes: make e2e TESTS=e2e/cluster.test.ts for one file.
.PHONY: e2e
e2e: TESTS = e2e/*.test.ts
e2e: build
	@sh scripts/e2e.sh '$(TESTS)'

# The schemas of the code, and deploy/install*.yaml by Helm (HELM=PROGRAM).
.PHONY: deploy
deploy: build
	@$(NODE) scripts/generate-schema.ts
	@$(NODE) scripts/deploy.ts

# docs/rfc.md from the tables of tests/rfc/clauses; `make test` holds that its tests ran.
.PHONY: rfc
rfc: build
	@LEASEHOLD_UPDATE_DOCS=1 $(NODE) --test tests/rfc/rfc.test.ts

# The tests that the page names, and nothing else; then whether each of them ran and passed.
.PHONY: rfc-tests
rfc-tests: build
	@UV_THREADPOOL_SIZE=9 $(NODE) --test --test-concurrency=$(TEST_JOBS) \
	  --test-reporter=spec --test-reporter-destination=stdout \
	  --test-reporter=./tests/rfc/reporter.ts --test-reporter-destination=dist/tests-ran \
	  $$($(NODE) tests/rfc/named-files.ts)
	@$(NODE) tests/rfc/check-ran.ts dist/tests-ran

clean:
	rm -rf dist node_modules
