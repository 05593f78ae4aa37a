#!/usr/bin/env bash
# Makes the Python environment of test:harness below runs/: lm-evaluation-harness from PyPI with what IFEval imports. Tests use it,
# nothing that ships does. Makes the environment again if requirements.txt has changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=runs/harness/venv
requirements=tests/harness/requirements.txt

cannot() { echo "Cannot make the harness's environment: $1" >&2; exit 69; }
cmp -s "$requirements" "$environment/requirements.txt" && exit 0

command -v python3 >/dev/null || cannot "python3 is not installed (apt-get install python3-venv)"
python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' ||
  cannot "langdetect and lm-eval are pinned for Python 3.11 or 3.12, got $(python3 --version)"
echo "Making $environment from PyPI: about a minute and 600 MB" >&2
mkdir -p runs/harness
rm -rf "$environment"
python3 -m venv "$environment" >runs/harness/venv.log 2>&1 ||
  cannot "python3 has no venv: $(tail -n 1 runs/harness/venv.log) (apt-get install python3-venv)"
"$environment/bin/python" -m pip install --quiet --requirement "$requirements" >runs/harness/venv.log 2>&1 ||
  cannot "pip failed: $(tail -n 1 runs/harness/venv.log)"
# Punkt's English parameters from two packages that do not depend on each other: this one without what it requires.
"$environment/bin/python" -m pip install --quiet --no-deps llama-index-core==0.14.25 >runs/harness/venv.log 2>&1 ||
  cannot "pip failed: $(tail -n 1 runs/harness/venv.log)"
cp "$requirements" "$environment/requirements.txt"
