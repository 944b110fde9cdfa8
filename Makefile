# `make help` lists what there is. The work is done by the scripts under tests/, which also say how.

# The Postgres to build for, and to install into: the newest complete one of Debian unless this names another.
export PG_CONFIG

# One thing at a time in one clone, and one run of the tests beside it; servers that are started hold no lock.
LOCKED = mkdir -p .local && flock --close .local/lock
TESTING = mkdir -p .local && flock --close .local/test.lock

.PHONY: build run stop reset psql install test soak bench bench-retrieval bench-extraction bench-paraphrases clean help

build: ## build the extension and the model pack
	@$(LOCKED) tests/run.sh build

run: ## start a private Postgres and the HTTP stack, with a small sample
	@$(LOCKED) tests/run.sh up

stop: ## end what `make run` started; the data stays
	@$(LOCKED) tests/run.sh down

reset: ## end it and forget its data
	@$(LOCKED) tests/run.sh reset

psql: ## open a prompt on the database of `make run`
	@tests/run.sh psql

install: ## install into the Postgres of PG_CONFIG
	@$(LOCKED) tests/run.sh install

test: ## run every test, from nothing
	@$(TESTING) tests/check.sh

soak: ## run the tests that take long
	@$(TESTING) tests/check.sh soak

bench: ## print the benchmarks
	@$(TESTING) benches/run.sh

bench-retrieval: ## measure what search finds in FILE, conversations of the LoCoMo data set
	@$(TESTING) benches/retrieval/run.sh "$(FILE)"

bench-extraction: ## measure extraction on conversations: FILE=conversations.jsonl [OPTIONS='--sample 200 --misses']
	@benches/example.sh extraction $(FILE) $(OPTIONS)

bench-paraphrases: ## measure which statements are taken for one: MODEL=model.mpm
	@benches/example.sh paraphrases $(MODEL)

clean: reset ## remove everything that was built
	rm -rf target .local

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 26
