#!/bin/sh
# The built-in model on a data set of DreamBooth's layout, made of puppets that it was not trained on: the table of docs/benchmarks.md.
#
#   models/mini/dreambooth.sh FOLDER [PUPPETS]
#
# Needs `dreamtuner` in the PATH, or DREAMTUNER. What is finished is kept in FOLDER: the script goes on where it was stopped.
set -eu
folder=$1
puppets=${2:-8}
program=${DREAMTUNER:-dreamtuner}
here=$(dirname "$0")
index=$folder/data/prompts_and_classes.txt

mkdir -p "$folder/data"
printf 'Classes\n\nsubject_name,class\n' >"$index"
for number in $(seq "$puppets"); do
    seed=$((999999 + number))
    mkdir -p "$folder/data/puppet$seed"
    for scene in white meadow stage; do
        picture=$folder/data/puppet$seed/$scene.png
        caption=$("$program" puppet image --seed "$seed" --size 128 --scene "$scene" --overwrite -o "$picture")
    done
    # Natural order puts the reference first.
    mv "$folder/data/puppet$seed/white.png" "$folder/data/puppet$seed/0.png"
    printf 'puppet%s,%s\n' "$seed" "${caption%%,*}" >>"$index"
done
printf '\nPrompts\n\nprompt_list = [\n' >>"$index"
for prompt in "laughing, beach" "angry, night" "wink, snow" "surprised, forest" "sad, mountains"; do
    printf "'{0} {1}, %s background'.format(unique_token, class_token),\n" "$prompt" >>"$index"
done
echo ']' >>"$index"
"$program" eval dreambooth "$folder/data" -o "$folder/results" --pose "$here/../../examples/hero2.pose.json" \
    --reference-prompt "{1}, smile, white background"
