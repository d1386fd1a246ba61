# Sourced by the scripts beside it: where things are kept, how the compiler is called, how packages are installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CACHE="${CACHE:-$HOME/.cache/brim}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target}"
mkdir -p "$CACHE"

# A toolchain installed by rustup a moment ago is not in this shell's PATH yet.
if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
    export PATH="$HOME/.cargo/bin:$PATH"
fi
if command -v ccache >/dev/null; then
    export CC="${CC:-ccache cc}" CXX="${CXX:-ccache c++}"
fi

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Installs the named Debian packages that are missing; says what to do where it cannot.
install_packages() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail "these packages are missing and need root or sudo: ${missing[*]}"
        root=(sudo)
    fi
    say "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
        || fail "could not install ${missing[*]}"
}

is_debian() { has apt-get && has dpkg-query; }

# Makes the Python environment in $CACHE/$1 hold exactly the requirements file $2; nothing happens when it does.
install_python() {
    local home="$CACHE/$1" requirements="$2"
    cmp -s "$requirements" "$home/installed.txt" && return 0
    if is_debian && ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        install_packages python3 python3-venv
    fi
    has python3 || fail "python3 (with venv) is missing: install it and try again"
    say "Installing Python packages from $requirements"
    python3 -m venv --clear "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$home/installed.txt"
}
