# Antesala. `make sandbox` shows it, `make test` proves it; both set up what they need first.

PYTHON := .venv/bin/python
.DEFAULT_GOAL := help

.PHONY: help setup sandbox visit chaos bench performance test check format translations conformance keys func clean-sandbox pins audit sbom

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## install everything into this checkout (done by the other targets too)
	@python3 scripts/setup.py

.PHONY: setup-run
setup-run:
	@python3 scripts/setup.py python node

.PHONY: setup-check
setup-check:
	@python3 scripts/setup.py python

sandbox: setup-run ## start everything; Ctrl-C ends it, a second start keeps the data
	@$(PYTHON) -m sandbox

visit: setup-run ## play one visit for each hospital without a browser
	@$(PYTHON) -m sandbox.visit

chaos: setup-run ## 300 visits while EHRs fail and processes die: is every record the truth? (ARGS="--seed 7")
	@$(PYTHON) -m sandbox.chaos $(ARGS)

bench: setup-run ## measure latency, cold start, throughput and growth beside floors and peers (ONLY=smart, ARGS="--compare FILE")
	@$(PYTHON) -m bench $(ONLY) $(ARGS)

performance: setup-check ## put the figures of the last `make bench` into docs/performance.md
	@$(PYTHON) -m bench.document

test: setup ## run every test
	@$(PYTHON) -m pytest $(ARGS)

check: setup-check ## lint, format, types and the templates
	@$(PYTHON) scripts/check.py

format: setup-check ## put the code into its form
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format --quiet .

translations: setup-check ## bring the catalogs of the languages up to date
	@$(PYTHON) scripts/translations.py

conformance: setup-check ## write docs/smart-conformance.md from the table and the tests' marks
	@$(PYTHON) scripts/conformance.py

keys: setup-check ## make keys into DIR (default ./keys, git-ignored) for a vault; TENANT=<ID>: that organization's only; ROTATE=<secret> STEP=<step>: renew one (docs/keys.md)
ifdef ROTATE
	@$(PYTHON) -m sandbox.rotation $(ROTATE) $(or $(STEP),add) $(or $(DIR),keys) $(if $(ANYWAY),--anyway)
	@echo "$(or $(DIR),keys)/$(ROTATE) is the next version. Put it into the vault, then delete the folder."
else
	@$(PYTHON) -m sandbox.keys $(or $(DIR),keys) $(TENANT)
	@echo "Keys are in $(or $(DIR),keys). Put them into the vault, then delete the folder."
endif

func: setup-run ## the same app under Azure Functions Core Tools, where they are installed
	@$(PYTHON) -m sandbox.run --core-tools

clean-sandbox: ## forget everything the sandbox has stored
	@rm -rf .sandbox
	@echo "The sandbox has forgotten everything."

audit: setup-check ## ask for known vulnerabilities of what is deployed, where pip-audit and its database are
	@$(PYTHON) scripts/audit.py

sbom: setup-check ## write sbom.cdx.json, the bill of materials of what is deployed
	@$(PYTHON) scripts/sbom.py

pins: setup-check ## pin the requirements anew, with hashes
	@$(PYTHON) scripts/pins.py
