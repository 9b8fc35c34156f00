# LoRA adapters as code. `make` alone prints what there is; every verb sets up what it needs.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.11
VENV := .venv
PY := $(VENV)/bin/python
LIGHT := $(VENV)/light.stamp
FULL := $(VENV)/full.stamp
EMBEDDED := outputs/smollm2-135m-instruct/base/base.json
TORCH := torch==2.13.0

# What a user types reaches the scripts through the environment, letter by letter: $(value …) keeps Make from
# expanding it, and no recipe line contains it, so that no shell ever reads it.
NAMES := ADAPTER STACK PROFILE SUITE FORCE PROCESSES MACHINES MACHINE MAIN FROM IN OUT DB FORMAT AGAINST \
	SUBJECT HOST PORT API_KEY API_KEY_FILE COMPARE SUBJECT_FIELD SALT PART ROWS PUSH DRY BASE CHECK CONTEXT ENGINE BACKEND LIMITS PRINT SLOTS THREADS
$(foreach name,$(NAMES),$(eval override $(name) := $$(value $(name))))
export $(NAMES)

export AXOLOTL_DO_NOT_TRACK := 1
export DO_NOT_TRACK := 1
export PYTHONUNBUFFERED := 1

##@ The main job
train: $(FULL) $(EMBEDDED) ## train ADAPTER (PROFILE=cpu|gpu|…, FORCE=1): check, data, Axolotl, before and after
	@$(PY) -m scripts.train

eval: $(FULL) $(EMBEDDED) ## ask base and ADAPTER the held-out rows; exit 1 where a gate fails (SUITE=, ROWS=, DB=)
	@$(PY) -m scripts.evaluate

predict: $(FULL) $(EMBEDDED) ## answer the conversations of IN into OUT with ADAPTER (or base)
	@$(PY) -m scripts.predict

chat: $(FULL) $(EMBEDDED) ## talk to ADAPTER in the terminal
	@$(PY) -m scripts.chat

new: $(LIGHT) ## make the files of a new ADAPTER FROM an existing one
	@$(PY) -m scripts.new

##@ Data and review
check: $(LIGHT) ## every mistake in configs and rows, with file:line:col (ADAPTER=, FORMAT=text|github|json)
	@$(PY) -m scripts.check

plan: $(LIGHT) ## what training ADAPTER would do: steps, memory, hours, changes (PROFILE=, PROCESSES=, AGAINST=main, FORMAT=markdown)
	@$(PY) -m scripts.plan

dataset: $(LIGHT) ## build train.jsonl and eval.jsonl of ADAPTER from its recipe (DB= for another database)
	@$(PY) -m scripts.dataset

import: $(LIGHT) ## bring the conversations of IN into ADAPTER's data (FORMAT=sharegpt|openai|csv)
	@$(PY) -m scripts.import_rows

anonymise: $(LIGHT) ## the conversations of IN without their people, into OUT, with a report
	@$(PY) -m scripts.anonymise

forget: $(LIGHT) ## erase SUBJECT's rows and list what must be made again
	@$(PY) -m scripts.forget

data-card: $(LIGHT) ## write the data card of ADAPTER, or of all
	@$(PY) -m scripts.data_card

schemas: $(FULL) ## regenerate schemas/ from the pinned Axolotl
	@$(PY) -m scripts.schemas

##@ Adapters together
stack: $(FULL) $(EMBEDDED) ## sum the adapters of STACK into one (COMPARE=1 shows every method's error)
	@$(PY) -m scripts.stack

tune-stack: $(FULL) $(EMBEDDED) ## search STACK's weights and method for the best worst case; writes its file (ROWS=, DB=)
	@$(PY) -m scripts.tune_stack

matrix: $(FULL) $(EMBEDDED) ## every suite of base, adapters, stacks, merged models and a router (ROWS=, DB=)
	@$(PY) -m scripts.matrix

merge: $(FULL) $(EMBEDDED) ## fold ADAPTER or STACK into a copy of its base: a full model
	@$(PY) -m scripts.merge

##@ Speed, provenance, publishing
bench: $(FULL) $(EMBEDDED) ## measure this machine: PART=train|eval|serve|check|gpu (default: all that fits it), into outputs/bench/
	@$(PY) -m scripts.bench

train-all: $(FULL) $(EMBEDDED) ## train every adapter that is not up to date; two at once on Ray where it is installed
	@$(PY) -m scripts.train_all

verify: $(LIGHT) ## recompute every hash of ADAPTER's run, or of all runs; exit 1 where one differs
	@$(PY) -m scripts.verify

card: $(LIGHT) ## write ADAPTER's model card (PUSH=owner/name: what would be published; DRY=0: publish)
	@$(PY) -m scripts.publish

##@ Serving
serve: $(FULL) $(EMBEDDED) ## one base, all adapters, per request: an OpenAI-compatible server (HOST=, PORT=, API_KEY=)
	@$(PY) -m scripts.serve

compare: $(FULL) $(EMBEDDED) ## a web page that asks base, adapters and stacks side by side
	@$(PY) -m scripts.compare

export: $(FULL) $(EMBEDDED) ## write ADAPTER for another engine (FORMAT=gguf|ollama|vllm|merged-gguf)
	@$(PY) -m scripts.export

##@ Set-up and tests
setup: $(FULL) $(EMBEDDED) ## environment and embedded base, as every verb does by itself

base: $(FULL) ## make the embedded base where it is not there
	@$(PY) -m scripts.base

test: $(FULL) $(EMBEDDED) ## all tests but the slow ones
	@$(PY) -m pytest -q -m "not slow"

test-full: $(FULL) $(EMBEDDED) ## the slow ones too: full figures, minutes each
	@$(PY) -m pytest -q

lint: $(FULL) ## ruff over scripts and tests
	@$(PY) -m ruff check scripts tests

help: ## print this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\nexample: make train ADAPTER=unimed && make eval ADAPTER=unimed\n'

# A stamp is written last, so a set-up that was cut off is taken up again. pip's pages of output go to a log.
$(LIGHT): requirements/light.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not here; install Python 3.11, or say PYTHON=/path/to/python3.11"; exit 1; }
	@echo "set-up: environment for checks ($(VENV))"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(PYTHON) is not Python 3.11"; exit 1; }
	@test -x $(PY) && $(PY) -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	@$(call pip,install --no-deps -r requirements/light.txt)
	@touch $@

$(FULL): $(LIGHT) requirements/full.txt
	@echo "set-up: torch, Axolotl and what they pin (4 GB, about 4 minutes)"
	@$(call pip,install $(TORCH))
	@$(call pip,install --no-deps -r requirements/full.txt)
	@touch $@

$(EMBEDDED): | $(FULL)
	@$(PY) -m scripts.base

pip = $(PY) -m pip --disable-pip-version-check $(1) > $(VENV)/pip.log 2>&1 || \
	{ grep -E "^ERROR|[Nn]o space" $(VENV)/pip.log | head -3; echo "set-up failed; log: $(VENV)/pip.log; next: mend that, then the same make again"; exit 1; }

.PHONY: train eval predict chat new check plan dataset import anonymise forget data-card schemas stack tune-stack matrix merge bench train-all verify card serve compare export setup base test test-full lint help
