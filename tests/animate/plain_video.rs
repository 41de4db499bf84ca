//! Ordinary videos of somebody dancing, here puppets.

use super::support::{Run, Stage, ffmpeg, run};

/// The seeds of puppets that are found well.
const DANCER: &str = "1000001";
const HERO: &str = "1000016";

/// A stage with `video.mp4`, a puppet that dances for `frames` frames, and `puppet.png`, another one.
fn stage(frames: usize) -> Stage {
    let stage = Stage::new(1);
    let puppet = |arguments: String| {
        let mut command = stage.program();
        command.arg("puppet").args(arguments.split_whitespace());
        run(command).succeeded()
    };
    puppet(format!("clip --seed {DANCER} --dance wave --size 256 --fps 12 --frames {frames} -o video.mp4"));
    puppet(format!("image --seed {HERO} --size 256 -o puppet.png"));
    stage
}

fn animate(stage: &Stage, arguments: &str) -> Run {
    stage.animate(&format!("--reference puppet.png --reference-pose auto --pose video.mp4 {arguments}"))
}

fn seconds(frames: usize) -> f64 {
    frames as f64 / 12.0
}

#[test]
fn a_video_of_a_dancer_becomes_a_clip() {
    let stage = stage(8);
    let done = animate(&stage, "-o out.mp4 --compare --json").succeeded();
    assert_eq!(stage.frames("out.mp4").len(), 8);
    assert_eq!(stage.frames("out.compare.mp4").len(), 8);
    let events = done.events();
    assert_eq!(events.iter().filter(|event| event["event"] == "search").count(), 8);
    let notes: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    assert!(notes.iter().any(|note| note.contains("poses are estimated")), "{notes:?}");
}

#[test]
fn the_poses_are_those_that_extract_finds() {
    let stage = stage(8);
    let mut extract = stage.program();
    extract.args(["pose", "extract", "video.mp4", "-o", "found.json", "--overlay", "over.mp4"]);
    run(extract).succeeded().says(&["8 frames, 1 people", "wrote found.json", "wrote over.mp4"]);
    assert_eq!(stage.frames("over.mp4").len(), 8);
    animate(&stage, "-o a.mkv --keep-frames").succeeded();
    animate(&stage, "--pose found.json -o b.mkv --keep-frames").succeeded();
    assert_eq!(stage.kept("a.mkv"), stage.kept("b.mkv"));
}

#[test]
fn sound_and_frame_rate_are_kept() {
    let stage = stage(8);
    ffmpeg(&stage, "-i video.mp4 -f lavfi -i sine=duration=0.6 -c:v copy -c:a aac -shortest sound.mp4");
    animate(&stage, "--pose sound.mp4 -o out.mp4").succeeded();
    let reader = dreamtuner::video::VideoReader::open(stage.path("out.mp4"), &Default::default()).unwrap();
    use dreamtuner::video::FrameReader;
    assert!(reader.has_audio());
    assert_eq!(reader.frame_rate(), (12, 1));
}

/// Nobody for a second, then a dancer; a dancer who is gone for a while; a phone's video that lies on its side.
#[test]
fn difficult_videos() {
    let stage = stage(12);
    let empty = "-f lavfi -i color=white:size=256x256:rate=12:duration=1";
    let join = "-filter_complex [0:v][1:v]concat=n=2 -r 12";
    ffmpeg(&stage, &format!("{empty} -i video.mp4 {join} late.mp4"));
    let late = animate(&stage, "--pose late.mp4 -o late.mkv").succeeded();
    assert_eq!(stage.frames("late.mkv").len(), 24);
    late.says(&["of 24 frames had no pose"]);
    ffmpeg(&stage, "-i video.mp4 -vf transpose=1 turned.mp4");
    ffmpeg(&stage, "-i turned.mp4 -c copy -metadata:s:v rotate=90 phone.mp4");
    animate(&stage, "--pose phone.mp4 -o phone.mkv").succeeded();
    assert_eq!(stage.frames("phone.mkv").len(), 12);
}

/// The frame after a cut does not look back: it is the same as where the clip begins with it.
#[test]
fn a_cut_begins_anew() {
    let stage = stage(12);
    ffmpeg(&stage, "-i video.mp4 -vf negate -r 12 dark.mp4");
    ffmpeg(&stage, "-i video.mp4 -i dark.mp4 -filter_complex [0:v][1:v]concat=n=2 -r 12 cut.mp4");
    let done = animate(&stage, "--pose cut.mp4 -o cut.mkv").succeeded();
    done.says(&[&format!("another scene begins at {:.2} s", seconds(12))]);
}
