#!/bin/sh
# What subject encoder, self-subject-attention and fine-tuning each add to likeness: the table of docs/subjects.md.
#
#   models/mini/subjects.sh FOLDER [PUPPETS] [PROCESSES]
#
# Needs `dreamtuner` in the PATH, or DREAMTUNER. What is finished is kept in FOLDER: the script goes on where it was stopped.
set -eu
folder=$1
puppets=${2:-8}
processes=${3:-2}
program=${DREAMTUNER:-dreamtuner}
first=1000000
export folder program

tune() {
    seed=$1
    name="$folder/references/$seed"
    caption=$("$program" puppet image --seed "$seed" --size 128 --overwrite -o "$name.png" --mask "$name.mask.png" --poses "$name.json")
    [ -f "$folder/subjects/$seed.subject" ] || "$program" tune --threads 1 --reference "$name.png" --mask "$name.mask.png" \
        --reference-pose "$name.json" --class "${caption%%,*}" --word "<puppet$seed>" --template "{}, smile, white background" \
        --steps 1200 --save-at 0 --save-at 300 --save-at 600 --save-at 900 -o "$folder/subjects/$seed.subject"
    for steps in 0 300 600 900; do
        mkdir -p "$folder/subjects-$steps"
        ln -sf "../subjects/$seed.subject.tune/000$(printf %03d $steps).subject" "$folder/subjects-$steps/$seed.subject"
    done
}

if [ "${3:-}" = one ]; then
    tune "$2"
    exit
fi

mkdir -p "$folder/references" "$folder/subjects"
seq "$first" $((first + puppets - 1)) | xargs -P "$processes" -I SEED sh "$0" "$folder" SEED one
mkdir -p "$folder/subjects-1200"
for seed in $(seq "$first" $((first + puppets - 1))); do
    ln -sf "../subjects/$seed.subject" "$folder/subjects-1200/$seed.subject"
done

row() {
    name=$1
    shift
    "$program" eval puppets -o "$folder/results" --identities "$puppets" --name "$name" "$@"
}
row neither --beta 0 --reference-weight 0 --previous-weight 0
row subject-encoder --beta 1 --reference-weight 0 --previous-weight 0
row s-s-a --beta 0
row both
for steps in 0 300 600 900 1200; do
    row "tuned-$steps" --subjects "$folder/subjects-$steps" --against both
done
