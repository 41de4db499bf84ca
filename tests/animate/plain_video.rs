//! Ordinary videos of somebody dancing, here puppets.

use dreamtuner::pose::{ReadSettings, read_poses};

use super::support::{Run, Stage, ffmpeg, repository, run, text};

/// The seeds of puppets that are found well.
const DANCER: &str = "1000001";
const HERO: &str = "1000016";
/// One that is half head.
const CHIBI: &str = "1000021";

/// A stage with `video.mp4`, a puppet that dances for `frames` frames, and `puppet.png`, another one.
pub fn stage(frames: usize) -> Stage {
    let stage = Stage::new(1);
    let clip =
        format!("clip --seed {DANCER} --dance wave --size 256 --fps 12 --frames {frames} -o video.mp4");
    puppet(&stage, &clip);
    puppet(&stage, &format!("image --seed {HERO} --size 256 -o puppet.png"));
    stage
}

fn puppet(stage: &Stage, arguments: &str) -> Run {
    let mut command = stage.program();
    command.arg("puppet").args(arguments.split_whitespace());
    run(command).succeeded()
}

/// What a render of the video is told.
pub const VIDEO: &str = "--reference puppet.png --reference-pose auto --pose video.mp4";

fn animate(stage: &Stage, arguments: &str) -> Run {
    stage.animate(&format!("{VIDEO} {arguments}"))
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

/// The dance stops for ten seconds: nobody is there.
#[test]
fn ten_seconds_without_anyone() {
    let stage = stage(12);
    let empty = "-f lavfi -i color=white:size=256x256:rate=12:duration=10";
    let join = "-filter_complex [0:v][1:v][2:v]concat=n=3 -r 12";
    ffmpeg(&stage, &format!("-i video.mp4 {empty} -i video.mp4 {join} gone.mp4"));
    let done = animate(&stage, "--pose gone.mp4 --fps 3 -o gone.mkv").succeeded();
    assert_eq!(stage.frames("gone.mkv").len(), 36);
    done.says(&["of 36 frames had no pose, 10.", "s at the longest"]);
}

/// Two puppets side by side, of which either can be the dancer.
#[test]
fn two_dancers() {
    let stage = stage(8);
    puppet(
        &stage,
        &format!("clip --seed {HERO} --dance jumping_jack --size 256 --fps 12 --frames 8 -o other.mp4"),
    );
    ffmpeg(&stage, "-i video.mp4 -i other.mp4 -filter_complex [0:v][1:v]hstack both.mp4");
    let dance = |who: &str, video: &str| {
        let mut extract = stage.program();
        extract.args(["pose", "extract", video, "-o", "found.json", "--person", who, "--overwrite"]);
        run(extract).succeeded();
        read_poses(&stage.path("found.json"), &ReadSettings::default()).unwrap()
    };
    for (who, alone, left) in [("left", "video.mp4", 0.0), ("right", "other.mp4", 256.0)] {
        let (found, truth) = (dance(who, "both.mp4"), dance("largest", alone));
        for (pose, truth) in found.poses.iter().zip(&truth.poses) {
            let moved = truth.people[0].transformed((1.0, 1.0), (left, 0.0));
            let apart = pose.people[0].distance(&moved);
            assert!(apart < 0.05, "{who}: {apart}");
        }
        animate(&stage, &format!("--pose both.mp4 --person {who} -o {who}.mkv --keep-frames")).succeeded();
    }
    assert_ne!(stage.kept("left.mkv"), stage.kept("right.mkv"));
}

/// A reference that ends at the hips, and a chibi.
#[test]
fn references_of_other_bodies() {
    let stage = stage(8);
    ffmpeg(&stage, "-i puppet.png -vf crop=256:150:0:0 half.png");
    puppet(&stage, &format!("image --seed {CHIBI} --size 256 -o chibi.png"));
    for reference in ["half", "chibi"] {
        let done =
            animate(&stage, &format!("--reference {reference}.png -o {reference}.mkv --compare")).succeeded();
        assert_eq!(stage.frames(&format!("{reference}.mkv")).len(), 8);
        assert!(!done.stderr.contains("pose is not known"), "{reference}: {}", done.stderr);
    }
}

/// A network of the user's, for the dance and for the reference.
#[test]
fn whole_body_poses() {
    let stage = stage(1);
    let networks = text(&repository("tests/fixtures/whole_body"));
    for name in ["0.png", "1.png"] {
        std::fs::create_dir_all(stage.path("people")).unwrap();
        std::fs::copy(repository("tests/fixtures/whole_body/figures.png"), stage.path("people").join(name))
            .unwrap();
    }
    let mut extract = stage.program();
    extract.args(["pose", "extract", "people", "--pose-model", &networks, "-o", "found.json"]);
    run(extract).succeeded().says(&["2 frames, 2 people"]);
    let found = read_poses(&stage.path("found.json"), &ReadSettings::default()).unwrap();
    for person in found.poses.iter().flat_map(|pose| &pose.people) {
        assert!(person.face.is_some() && person.left_hand.is_some() && person.right_hand.is_some());
    }
    let arguments = format!("--reference people/0.png --pose people --pose-model {networks} -o out.mkv");
    animate(&stage, &arguments).succeeded();
    assert_eq!(stage.frames("out.mkv").len(), 2);
    let problem = animate(&stage, "--pose-model nothing.onnx -o other.mkv");
    problem.failed(5, &["nothing.onnx"]);
    let typing_error = animate(&stage, "--pose-model thundr -o other.mkv");
    assert_eq!(typing_error.code, Some(2));
    typing_error.says(&["thundr", "none of: thunder, lightning"]);
}

/// Networks in ONNX files need a library that is not part of the program; the one that is named is taken, and no other.
#[test]
fn onnx_runtime_is_asked_for() {
    let stage = stage(1);
    let network = text(&repository("tests/fixtures/whole_body/dwpose.onnx"));
    for (library, problem) in [("nowhere/libonnxruntime.so", "nowhere"), ("Cargo.toml", "Cargo.toml")] {
        let mut extract = stage.program();
        extract.env("ORT_DYLIB_PATH", repository(library));
        extract.args(["pose", "extract", "hero.png", "--pose-model", &network, "-o", "found.json"]);
        run(extract).failed(4, &["dwpose.onnx", "pip install onnxruntime", "ORT_DYLIB_PATH", problem]);
    }
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
