# Every check that CI runs can be run here; `make ci` runs them all.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS   := linux/386 linux/amd64 linux/arm linux/arm64 windows/386 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64
FUZZTIME    ?= 30s
CHROMIUM    ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.PHONY: demo test test-report generate check bench fuzz record ci

demo: ## upload a picture to a fake Zoom, then fail to
	@$(GO) build -o bin/zoompic ./cmd/zoompic
	@bin/zoompic upload --fake ada@example.com examples/ada.jpg
	@echo
	@echo 'The same for somebody the fake does not know:'
	@code=0; bin/zoompic upload --fake nobody@example.com examples/ada.jpg || code=$$?; \
	  echo "zoompic ended with exit code $$code"; [ $$code = 1 ]

test:
	$(GO) test -race ./...

test-report: ## open an HTML report in headless Chromium; SCREENSHOTS=FOLDER leaves pictures of it there
	@if [ -z "$(CHROMIUM)" ]; then echo 'test-report: NOT RUN, there is no Chromium here (on Debian: apt-get install chromium)'; \
	else CHROMIUM="$(CHROMIUM)" $(GO) test -tags chromium -count=1 -v -run '^TestChromium' $(if $(SCREENSHOTS),,-skip Photographs) ./internal/report; fi

generate: ## make api/ from openapi.yaml
	$(GO) generate ./...

check:
	@echo 'format';    files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "not formatted, run gofmt -w: $$files"; exit 1; }
	@echo 'modules';   $(GO) mod tidy -diff || { echo 'go.mod is not tidy: run go mod tidy'; exit 1; }
	@echo 'generated'; .ci/generated
	@echo 'contract';  $(GO) run github.com/getkin/kin-openapi/cmd/validate --examples openapi.yaml
	@echo 'vet';       $(GO) vet -tags chromium ./... ./zoomclient/testdata/recorded
	@echo 'staticcheck'; $(GO) run $(STATICCHECK) -tags chromium ./... ./zoomclient/testdata/recorded
	@echo 'bench';     cd bench && $(GO) mod tidy -diff && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...
	@for p in $(PLATFORMS); do echo "build $$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o /dev/null ./cmd/zoompic || exit 1; done

bench: ## measure against the wire, against other clients and against the goals: docs/performance.md
	@CGO_ENABLED=0 $(GO) build -o bin/zoompic ./cmd/zoompic
	@cd bench && $(GO) run . $(BENCHFLAGS)

fuzz: ## each target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; done; done

record: ## replace the recorded replies by live ones; needs a real account
	$(GO) run ./internal/record

ci: check test test-report
