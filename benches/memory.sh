#!/bin/sh
# Peak memory of a clip of 100 frames and of one of 2,000, on the small random model of the tests: it must not grow with
# the length of the clip. Linux only. FRAMES=N measures another length than 2,000.
set -eu
cd "$(dirname "$0")/.."
program=${CARGO_TARGET_DIR:-target}/release/dreamtuner
[ -x "$program" ] || cargo build --release
frames=${FRAMES:-2000}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# A dance of $1 frames or some more, the same 72 again and again, as pose JSON and as skeleton video.
make_dance() {
    {
        printf '['
        count=72
        while [ "$count" -lt "$1" ]; do
            sed 's/^\[//; s/\]$/,/' poses/wave.json
            count=$((count + 72))
        done
        sed 's/^\[//' poses/wave.json
    } >"$folder/dance-$1.json"
    "$program" pose draw "$folder/dance-$1.json" --size 128x128 -o "$folder/dance-$1.mp4"
}

# Peak resident memory in KiB of a render of $1 frames; $2 the dance's extension.
peak() {
    "$program" animate --reference examples/hero.png --reference-pose examples/hero.pose.json \
        --pose "$folder/dance-$1.$2" --end "$(awk "BEGIN { print ($1 - 0.5) / 24 }")" \
        --model tests/fixtures/sd1 --size 32x32 --steps 1 \
        -o "$folder/out.mp4" --compare --sheet --overwrite 2>"$folder/messages" &
    child=$!
    most=0
    while kill -0 "$child" 2>/dev/null; do
        now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$child/status" 2>/dev/null || true)
        [ -z "$now" ] || most=$now
        sleep 0.02
    done
    wait "$child" || { cat "$folder/messages" >&2; exit 1; }
    grep -q "^$1 frames" "$folder/messages" || { cat "$folder/messages" >&2; exit 1; }
    echo "$most"
}

make_dance 100
make_dance "$frames"
for kind in json mp4; do
    short=$(peak 100 $kind)
    long=$(peak "$frames" $kind)
    ratio=$(awk "BEGIN { printf \"%.3f\", $long / $short }")
    echo "$kind: 100 frames $short KiB, $frames frames $long KiB, ratio $ratio (allowed: 1.1)"
    awk "BEGIN { exit !($ratio <= 1.1) }" || failed=1
done
exit "${failed:-0}"
