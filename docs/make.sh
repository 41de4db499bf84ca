#!/bin/sh
# Makes the pictures of these pages anew, but for tuned.png (models/mini/subjects.sh) and dreambooth.png (models/mini/dreambooth.sh):
#
#   docs/make.sh [PICTURE...]
#
# Needs `dreamtuner` in the PATH, or DREAMTUNER, and ffmpeg, which makes the pictures small.
set -eu
cd "$(dirname "$0")/.."
program=${DREAMTUNER:-dreamtuner}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hero="--reference examples/hero.png --reference-pose examples/hero.pose.json"
STRANGERS="examples/police.png examples/groom.png tests/drawings/oc_ragazza_rossa.png tests/drawings/woman_nurse_gerald_g._01.png
    tests/drawings/fluent_woman_standing.png tests/drawings/anime_eileen.png tests/drawings/kid_01.png tests/drawings/peep_hat.png"
hero2="--reference examples/hero2.png --reference-pose examples/hero2.pose.json"

# still NAME OPTIONS...: a still or a grid
still() {
    name=$1
    shift
    "$program" image $hero --pose examples/hero2.pose.json "$@" -o "$work/$name.png" --overwrite
    small "$name"
}

# small NAME: a picture with as few colours as can be told apart
small() {
    ffmpeg -v error -y -i "$work/$1.png" -vf "split[a][b];[a]palettegen=max_colors=128[p];[b][p]paletteuse=dither=none" "docs/$1.png"
}

# moving NAME WIDTH: a GIF of a clip
moving() {
    ffmpeg -v error -y -i "$work/$1.mp4" \
        -vf "scale=$2:-1:flags=area,split[a][b];[a]palettegen=max_colors=64[p];[b][p]paletteuse=dither=none" "docs/$1.gif"
}

# The first picture of the README: a drawing, a video, and two drawings in the place of the man in it
drafts() {
    for drawing in examples/police.png tests/drawings/fluent_woman_standing.png; do
        "$program" draft --reference "$drawing" --pose tests/footage/balance.mp4 --fps 15 --background dance \
            -o "$work/$(basename "$drawing" .png)/"
    done
    ffmpeg -v error -y -i tests/footage/balance.mp4 -framerate 15 -i "$work/police/%06d.png" -framerate 15 -i "$work/fluent_woman_standing/%06d.png" \
        -loop 1 -i examples/police.png -frames:v 25 -filter_complex "
            [0:v]fps=15,scale=-2:400,setsar=1[video];
            [3:v]format=rgba,scale=-2:320[drawing];
            color=white:s=180x400:r=15[paper];
            [paper][drawing]overlay=(W-w)/2:(H-h)/2:format=rgb,setsar=1[picture];
            [1:v]scale=-2:400,setsar=1[first]; [2:v]scale=-2:400,setsar=1[second];
            [picture][video][first][second]hstack=inputs=4:shortest=1,split[a][b];
            [a]palettegen=max_colors=128[p]; [b][p]paletteuse=dither=none:diff_mode=rectangle" examples/draft.gif
}

# Drawings of strangers, each in three moments of a video and of two dances
strangers() {
    number=0
    for drawing in $STRANGERS; do
        for dance in tests/footage/balance.mp4 poses/disco.json poses/kick.json; do
            rm -rf "$work/frames"
            "$program" draft --reference "$drawing" --pose "$dance" --size 110x110 -o "$work/frames/" --overwrite
            count=$(ls "$work/frames" | wc -l)
            for share in 20 50 80; do
                cp "$work/frames/$(printf %06d $((count * share / 100))).png" "$work/$(printf %04d "$number").png"
                number=$((number + 1))
            done
        done
    done
    ffmpeg -v error -y -i "$work/%04d.png" -vf "tile=9x$(echo $STRANGERS | wc -w)" -frames:v 1 "$work/strangers.png"
    small strangers
}

make() {
    case $1 in
    strangers) strangers ;;
    draft) drafts ;;
    rig) "$program" rig tests/drawings/oc_ragazza_rossa.png -o "$work/rig.json" --sheet=docs/rig.png --overwrite ;;
    stills) still stills --grid reference-weight=0,1,3,10 --grid "prompt=smile, beach|angry, night|laughing, snow" ;;
    ablation) still ablation --prompt "smile, forest" --grid beta=0,0.2,0.6,1 --grid reference-weight=0,3,10 ;;
    guidance) still guidance --prompt "smile, forest" --grid reference-scale=1,1.5,2,3 --grid reference-probability=0,0.5,0.9,1 ;;
    less-noise) still less-noise --prompt "smile, forest" --grid less-noise=0,50,100,200,400,600 ;;
    attention)
        "$program" attention $hero --pose examples/hero2.pose.json --prompt "smile, beach" --at 64,60 --at 64,30 --at 55,105 \
            --layer decoder4 --layer decoder5 --step 3 -o "$work/attention.png"
        small attention
        ;;
    queries)
        "$program" attention $hero --pose examples/hero2.pose.json --prompt "smile, beach" --layer decoder5 --step 3 --over queries \
            -o "$work/queries.mp4"
        moving queries 448
        ;;
    frames)
        "$program" attention $hero --dance poses/wave.json --fps 12 --end 2 --prompt "smile, beach" --layer decoder5 --step 3 --at 64,60 \
            --plot "$work/shares.png" --overwrite -o "$work/frames.mp4"
        moving frames 560
        small shares
        ;;
    animation)
        "$program" animate $hero2 --pose poses/disco.json --fps 12 --end 2 --prompt "smile, beach" -o "$work/clip.mp4" \
            --compare="$work/animation.mp4" --sheet="$work/sheet.png"
        moving animation 480
        small sheet
        ;;
    *)
        echo "no picture called $1" >&2
        exit 2
        ;;
    esac
}

for picture in "${@:-draft rig strangers stills ablation guidance less-noise attention queries frames animation}"; do
    for name in $picture; do make "$name"; done
done
