#!/bin/sh
# Installs what building and testing need and this machine lacks: FFmpeg 5 or newer (commands and development files),
# clang with libclang, pkg-config and a C compiler. Does nothing when all is there. Knows apt, dnf, pacman and brew;
# asks no questions, and uses sudo only when it is not run by root. Rust itself it does not install.
#
# With a folder as argument it also puts ONNX Runtime there, by pip, as $1/libonnxruntime.so (or .dylib): the tests of
# networks in ONNX files run it. ORT_DYLIB_PATH names another one. With apt, and as root, it then installs Slurm, too, which one test runs.
set -eu
ONNX_RUNTIME=1.32.0
runtime_folder=${1:-}

# The libraries as pkg-config knows them, each with its version in FFmpeg 5.0.
LIBRARIES='libavutil 57
libavcodec 59
libavformat 59
libavfilter 8
libswscale 6
libswresample 4'
MIN_RUST=$(sed -n 's/^rust-version = "1\.\([0-9]*\)"$/\1/p' "$(dirname "$0")/../Cargo.toml")

say() { printf 'install-needs: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

have_pip() { python3 -m pip --version >/dev/null 2>&1; }

# The places where bindgen looks for libclang.
have_libclang() {
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    for file in /usr/lib/llvm*/lib/libclang*.so* /usr/lib/llvm/*/lib*/libclang*.so* /usr/lib*/libclang*.so* \
        /usr/lib/*/libclang*.so* /usr/local/lib*/libclang*.so* /usr/local/llvm*/lib*/libclang*.so* \
        /opt/homebrew/opt/llvm*/lib/libclang.dylib /usr/local/opt/llvm*/lib/libclang.dylib \
        /Library/Developer/CommandLineTools/usr/lib/libclang.dylib \
        /Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib/libclang.dylib; do
        case $file in *libclang-cpp*) continue ;; esac
        [ ! -e "$file" ] || return 0
    done
    return 1
}

# Prints one line for each thing that is missing.
missing() {
    have cc || have gcc || have clang || echo 'a C compiler'
    have clang || echo 'clang'
    have_libclang || echo 'libclang'
    have ffmpeg || echo 'the command ffmpeg'
    have ffprobe || echo 'the command ffprobe'
    [ -z "$runtime_folder" ] || have_pip || echo 'Python 3 with pip'
    if ! have pkg-config; then
        echo 'pkg-config'
        echo 'the development files of FFmpeg'
    elif [ -z "${FFMPEG_DIR:-}" ]; then
        echo "$LIBRARIES" | while read -r library version; do
            pkg-config --atleast-version="$version" "$library" && continue
            found=$(pkg-config --modversion "$library" 2>/dev/null) || found='none'
            echo "the development files of $library, version $version or newer (found: $found)"
        done
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail "must be run by root, or with sudo installed, to run: $*"
    fi
}

install_packages() {
    if have apt-get; then
        as_root apt-get -q -o Acquire::Retries=3 update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 --no-install-recommends install \
            ffmpeg libavcodec-dev libavformat-dev libavutil-dev libavfilter-dev libswscale-dev libswresample-dev \
            clang libclang-dev pkg-config gcc libc6-dev ${runtime_folder:+python3-pip}
    elif have dnf; then
        # Fedora's own FFmpeg, unless the fuller one of RPM Fusion is set up.
        flavour='-free'
        ! dnf -q info ffmpeg-devel >/dev/null 2>&1 || flavour=''
        as_root dnf -q -y install "ffmpeg$flavour" "ffmpeg$flavour-devel" clang clang-devel pkgconf-pkg-config gcc \
            ${runtime_folder:+python3-pip}
    elif have pacman; then
        # A fresh machine has no package lists yet.
        as_root pacman -S --needed --noconfirm ffmpeg clang pkgconf gcc ${runtime_folder:+python-pip} ||
            as_root pacman -Sy --needed --noconfirm ffmpeg clang pkgconf gcc ${runtime_folder:+python-pip}
    elif have brew; then
        have cc || fail 'the C compiler is missing; run: xcode-select --install'
        brew install --quiet ffmpeg pkgconf llvm ${runtime_folder:+python3}
    else
        fail 'knows no package manager here (apt-get, dnf, pacman, brew); please install what is missing by hand'
    fi
}

check_rust() {
    hint='install or update Rust as https://rustup.rs says, then run this again'
    have cargo || fail "Rust is missing (no command cargo); $hint"
    version=$(cargo --version | cut -d ' ' -f 2)
    minor=$(echo "$version" | cut -d . -f 2)
    case $minor in
        '' | *[!0-9]*) fail "the command cargo does not work (cargo --version says nothing usable); $hint" ;;
    esac
    cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy >&2 ||
        fail 'cargo fmt and cargo clippy are missing; run: rustup component add rustfmt clippy'
    [ "$minor" -ge "$MIN_RUST" ] || fail "Rust 1.$MIN_RUST or newer is needed, this is $version; $hint"
}

# The wheel is of some Python's; the library in it is not.
get_onnx_runtime() {
    [ -z "${ORT_DYLIB_PATH:-}" ] || return 0
    ! ls "$1"/libonnxruntime.* >/dev/null 2>&1 || return 0
    mkdir -p "$1"
    fresh=$(mktemp -d "$1/fresh.XXXXXX")
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 -d "$fresh" \
        "onnxruntime==$ONNX_RUNTIME" >&2 && python3 -m zipfile -e "$fresh"/onnxruntime-*.whl "$fresh" ||
        fail 'ONNX Runtime could not be had; install it, and name its library by ORT_DYLIB_PATH'
    for suffix in so dylib; do
        for library in "$fresh"/onnxruntime/capi/libonnxruntime."$suffix"* \
            "$fresh"/onnxruntime/capi/libonnxruntime.[0-9]*."$suffix"; do
            [ ! -e "$library" ] || mv "$library" "$1/libonnxruntime.$suffix"
        done
    done
    rm -r "$fresh"
}

# One test starts a Slurm of its own, as root; without it the test says that it is skipped.
get_slurm() {
    ! have slurmctld && have apt-get && [ "$(id -u)" -eq 0 ] || return 0
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install slurm-wlm >&2 ||
        { apt-get -q update && apt-get -q -y --no-install-recommends install slurm-wlm; } >&2 ||
        say 'Slurm could not be installed; its test is skipped'
}

lacking=$(missing)
if [ -n "$lacking" ]; then
    say 'missing here:'
    echo "$lacking" | sed 's/^/  /' >&2
    install_packages >&2 || fail 'the package manager failed; its message is above'
    lacking=$(missing)
    if [ -n "$lacking" ]; then
        say 'the packages are installed, but this is still missing:'
        echo "$lacking" | sed 's/^/  /' >&2
        fail 'please install it by hand (FFmpeg 5 or newer: Debian 12, Ubuntu 24.04, Fedora 36 or later have it)'
    fi
fi
check_rust
[ -z "$runtime_folder" ] || get_onnx_runtime "$runtime_folder"
[ -z "$runtime_folder" ] || get_slurm
