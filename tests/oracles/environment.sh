#!/usr/bin/env bash
# Makes the Python environment of the oracles below runs/: verl and TRL from PyPI with everything that they import. Tests use them,
# nothing that ships does. Makes the environment again if requirements.txt has changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=runs/oracles/venv
requirements=tests/oracles/requirements.txt

cannot() { echo "Cannot make the oracles' environment: $1" >&2; exit 69; }
cmp -s "$requirements" "$environment/requirements.txt" && exit 0

command -v python3 >/dev/null || cannot "python3 is not installed (apt-get install python3-venv)"
python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' ||
  cannot "verl and TRL require Python 3.11 or 3.12, got $(python3 --version)"
echo "Making $environment from PyPI: 5 to 15 minutes and 6 GB" >&2
mkdir -p runs/oracles
rm -rf "$environment"
python3 -m venv "$environment" >runs/oracles/venv.log 2>&1 ||
  cannot "python3 has no venv: $(tail -n 1 runs/oracles/venv.log) (apt-get install python3-venv)"
"$environment/bin/python" -m pip install --quiet --requirement "$requirements" >runs/oracles/venv.log 2>&1 ||
  cannot "pip failed: $(tail -n 1 runs/oracles/venv.log)"
cp "$requirements" "$environment/requirements.txt"
