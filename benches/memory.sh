#!/bin/sh
# Peak memory of a clip of 100 frames and of one of 2,000, on the small random model of the tests: it must not grow with
# the length of the clip. Linux only. FRAMES=N measures another length than 2,000.
set -eu
cd "$(dirname "$0")/.."
program=${CARGO_TARGET_DIR:-target}/release/dreamtuner
[ -x "$program" ] || cargo build --release
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# Peak resident memory in KiB of a render: $1 the dance, which lasts two seconds, $2 the number of frames.
peak() {
    "$program" animate --reference examples/hero.png --reference-pose examples/hero.pose.json --pose "$1" \
        --fps $(($2 / 2)) --end 2 --model tests/fixtures/sd1 --size 32x32 --steps 1 \
        -o "$folder/$2.mp4" --compare --sheet --overwrite 2>"$folder/messages" &
    child=$!
    most=0
    while kill -0 "$child" 2>/dev/null; do
        now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$child/status" 2>/dev/null || true)
        [ -z "$now" ] || most=$now
        sleep 0.02
    done
    wait "$child" || { cat "$folder/messages" >&2; exit 1; }
    echo "$most"
}

for dance in poses/wave.json poses/wave.mp4; do
    short=$(peak "$dance" 100)
    long=$(peak "$dance" "${FRAMES:-2000}")
    ratio=$(awk "BEGIN { printf \"%.3f\", $long / $short }")
    echo "$dance: 100 frames $((short / 1024)) MiB, ${FRAMES:-2000} frames $((long / 1024)) MiB, ratio $ratio (allowed: 1.1)"
    awk "BEGIN { exit !($ratio <= 1.1) }" || failed=1
done
exit "${failed:-0}"
