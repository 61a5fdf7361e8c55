#!/usr/bin/env bash
# Try the aarch64 wheel under qemu on an x86-64 Debian: bash native/emulate.sh dist/*manylinux*aarch64*.whl [ARGUMENT...]
# The arguments are for Python; without any, `validate` and the known answers run. It takes Debian's Python and NumPy's
# wheel into build/aarch64 and installs nothing.
set -euo pipefail
wheel=$(realpath "$1"); shift
tree=$(cd "$(dirname "$0")/.." && pwd)
place=$tree/build/aarch64
mkdir -p "$place"/{state/lists/partial,cache/archives/partial,debs,root,qemu} && cd "$place"
if [ ! -e root/usr/bin/python3.11 ]; then
  echo "deb http://deb.debian.org/debian bookworm main" > sources.list && touch status
  apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$place/state"
    -o Dir::State::status="$place/status" -o Dir::Cache="$place/cache" -o Dir::Etc::sourcelist="$place/sources.list"
    -o Dir::Etc::sourceparts=- -o APT::Sandbox::User="$(id -un)")
  "${apt[@]}" update
  (cd debs && "${apt[@]}" download libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libssl3 libffi8 libbz2-1.0 liblzma5 \
    libsqlite3-0 libuuid1 libtinfo6 libncursesw6 libreadline8 libcrypt1 python3.11-minimal libpython3.11-minimal \
    libpython3.11-stdlib && for file in *.deb; do dpkg -x "$file" ../root; done)
  (cd qemu && apt-get -qq download qemu-user-static && dpkg -x qemu-user-static*.deb .)
fi
python3 -m pip --disable-pip-version-check install --quiet --upgrade --target site --platform manylinux_2_28_aarch64 \
  --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
  --only-binary=:all: --python-version 3.11 numpy typer rich pytest hypothesis
rm -rf site/tinynet_fast* && python3 -m zipfile -e "$wheel" site
python() { PYTHONPATH=$place/site qemu/usr/bin/qemu-aarch64-static -L root root/usr/bin/python3.11 "$@"; }
if [ $# -gt 0 ]; then
  python "$@"
  exit
fi
python -m tinynet_fast validate
printf '[pytest]\nmarkers = any_cpu\n' > pytest.ini
cd "$tree/tests/kernels"
PYTHONPATH=$place/site:$tree/tests "$place/qemu/usr/bin/qemu-aarch64-static" -L "$place/root" \
  "$place/root/usr/bin/python3.11" -P -m pytest -q -p no:cacheprovider -c "$place/pytest.ini" --rootdir "$tree/tests" \
  test_known_answers.py
