//! Input that is huge, endless or lies about itself: one clear error, soon and in little memory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::support::{Run, dance, program, repository, run};

/// Longest time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most memory, in KiB, that the program may ask the system for.
const MEMORY: u64 = 3 << 20;

/// A command line with the little memory it has to do with.
fn limited(folder: &Path, line: &str) -> Run {
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", "ulimit -v \"$0\"; exec \"$@\""]).arg(MEMORY.to_string());
    command.arg(program().get_program()).args(line.split_whitespace());
    let started = Instant::now();
    let end = run(command.env_remove("RUST_BACKTRACE").stdin(std::process::Stdio::null()));
    assert!(started.elapsed() < PATIENCE, "{line} took {:?}", started.elapsed());
    assert!(!end.stderr.contains("panicked"), "{line}: {}", end.stderr);
    end
}

/// What every command begins with that takes a reference, and a dance.
fn render(reference: &str, dance: &str) -> String {
    let model = repository("tests/fixtures/sd1");
    format!(
        "animate --model {model} --steps 1 --size 16x16 --reference-pose none --reference {reference} --pose {dance} -o o.mp4"
    )
}

#[test]
fn devices_are_not_read() {
    let folder = TempDir::new().unwrap();
    let poses = dance(folder.path(), 1);
    let hero = repository("examples/hero.png");
    for device in ["/dev/zero", "/dev/urandom"] {
        for line in [
            render(device, &poses),
            render(&hero, device),
            format!("{} --mask {device}", render(&hero, &poses)),
            format!("{} --noise {device}", render(&hero, &poses)),
            format!("{} --config {device}", render(&hero, &poses)),
            format!("{} --lora {device}", render(&hero, &poses)),
            format!("pose info {device}"),
            format!("pose extract {device} -o p.json"),
            format!("models inspect {device}"),
            format!("image --reference {hero} --steps 1 --init {device} --strength 0.5 -o i.png"),
            format!("image --from {device} -o i.png"),
        ] {
            let end = limited(folder.path(), &line);
            assert!(matches!(end.code, Some(3 | 4)), "{line}: {end:?}");
            end.failed(end_code(&line), &[device]);
        }
    }
}

/// Weights have an exit code of their own.
fn end_code(line: &str) -> i32 {
    if line.contains("--lora") || line.starts_with("models") { 4 } else { 3 }
}

#[test]
fn pipes_that_end_are_read_and_others_are_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let poses = dance(folder.path(), 2);
    let pipe = folder.path().join("pipe.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    limited(folder.path(), "pose info pipe.json").failed(3, &["pipe.json", "nobody has written to"]);
    let script = format!("cat {poses} > pipe.json & exec \"$0\" pose info pipe.json");
    let mut command = Command::new("sh");
    command.current_dir(folder.path()).arg("-c").arg(script).arg(program().get_program());
    run(&mut command).succeeded();
    // What is read more than once cannot be a pipe.
    let render = render(&repository("examples/hero.png"), "pipe.json");
    limited(folder.path(), &render).failed(3, &["pipe.json", "save it as a file"]);
}

/// A file of the given text, with a part repeated.
fn repeated(path: PathBuf, before: &str, part: &str, times: usize, after: &str) {
    let mut text = String::with_capacity(part.len() * times + 100);
    text.push_str(before);
    for index in 0..times {
        if index > 0 {
            text.push(',');
        }
        text.push_str(part);
    }
    text.push_str(after);
    std::fs::write(path, text).unwrap();
}

#[test]
fn pose_files_with_too_many_of_anything() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let canvas = r#""canvas_width":64,"canvas_height":64"#;
    let person = format!(r#"{{"pose_keypoints_2d":[{}]}}"#, ["1,2,1"; 18].join(","));
    let frame = format!("{{{canvas},\"people\":[{person}]}}");
    repeated(at("empty.json"), &format!("[{{{canvas},\"people\":["), "{}", 10_000_000, "]}]");
    repeated(at("crowd.json"), &format!("[{{{canvas},\"people\":["), &person, 2_000, "]}]");
    repeated(at("frames.json"), "[", &frame, 100_001, "]");
    repeated(at("nothing.json"), "[", "null", 20_000_000, "]");
    repeated(at("deep.json"), &"[".repeat(1_000_000), "", 1, "");
    repeated(at("keys.json"), "{", r#""a":1"#, 3_000_000, "}");
    let numbered = frame.replace(r#"{"pose"#, r#"{"person_id":[255],"pose"#);
    repeated(at("numbers.json"), "[", &numbered, 20_000, "]");
    for (name, pieces) in [
        ("empty.json", &["[0]", "in one entry"][..]),
        ("crowd.json", &["2000 people", "at most 1000"]),
        ("frames.json", &["100001 frames", "at most 100000"]),
        ("nothing.json", &["more than 500000 entries"]),
        ("deep.json", &["not valid JSON"]),
        ("keys.json", &["more than 1000 keys"]),
        ("numbers.json", &["places"]),
    ] {
        limited(folder.path(), &format!("pose info {name}")).failed(3, &[&[name], pieces].concat());
    }
    limited(folder.path(), &render(&repository("examples/hero.png"), "empty.json"))
        .failed(3, &["empty.json"]);
}

/// The frames of a dance at a rate that nobody could have meant.
#[test]
fn dances_that_last_for_months() {
    let folder = TempDir::new().unwrap();
    let pose =
        r#"{"canvas_width":64,"canvas_height":64,"fps":0.01,"people":[{"pose_keypoints_2d":[PLACES]}]}"#;
    let pose = pose.replace("PLACES", &["1,2,1"; 18].join(","));
    repeated(folder.path().join("slow.json"), "[", &pose, 1000, "]");
    let line = format!("{} --fps 1000", render(&repository("examples/hero.png"), "slow.json"));
    limited(folder.path(), &line).failed(2, &["--fps", "at most 1000000"]);
}

#[test]
fn decoders_that_panic_are_errors_of_their_file() {
    let folder = TempDir::new().unwrap();
    let poses = dance(folder.path(), 1);
    let corpus = |name: &str| repository(&format!("fuzz/corpus/{name}"));
    let picture = corpus("picture/palette-cut-off.png");
    limited(folder.path(), &render(&picture, &poses)).failed(3, &["palette-cut-off.png"]);
    let film = folder.path().join("film.mp4");
    let look = format!("puppet clip --size 64 --frames 2 --fps 8 -o {}", film.display());
    run(program().args(look.split(' '))).succeeded();
    for name in ["network-damaged-1.onnx", "network-damaged-2.onnx"] {
        let line =
            format!("pose extract film.mp4 --pose-model {} -o p.json", corpus(&format!("onnx/{name}")));
        limited(folder.path(), &line).failed(4, &[name]);
    }
}

#[test]
fn values_out_of_range_are_blamed_on_their_option() {
    let folder = TempDir::new().unwrap();
    let model = repository("tests/fixtures/sd1");
    let hero = repository("examples/hero.png");
    let line = |more: &str| {
        format!("image --model {model} --steps 1 --size 16x16 --reference {hero} -o i.png {more}")
    };
    for (more, piece) in [
        ("--feature-memory 18446744073709551615", "--feature-memory"),
        ("--vae-tile 18446744073709551615", "--vae-tile"),
        ("--clip-skip 18446744073709551615", "--clip-skip"),
        ("--controlnet model,strength=nan", "--controlnet"),
        ("--controlnet model,start=1,end=0", "--controlnet"),
    ] {
        let end = limited(folder.path(), &line(more));
        assert_eq!(end.code, Some(2), "{more}: {}", end.stderr);
        assert!(end.stderr.contains(piece) && !end.stderr.contains("--grid"), "{more}: {}", end.stderr);
    }
}

/// What is odd about a file is said once, however often it is read.
#[test]
fn warnings_are_not_repeated() {
    let folder = TempDir::new().unwrap();
    let film = folder.path().join("film.mp4");
    let made = Command::new("ffmpeg")
        .args("-v error -f lavfi -i testsrc=s=64x64:r=8:d=0.5 -c:v libx265 -pix_fmt yuv420p10le".split(' '))
        .args(
            "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -x265-params log-level=error"
                .split(' '),
        )
        .arg(&film)
        .status();
    assert!(made.unwrap().success());
    let line = format!("{} --pose-kind control", render(&repository("examples/hero.png"), "film.mp4"));
    let end = limited(folder.path(), &line).succeeded();
    assert_eq!(end.stderr.matches("high dynamic range").count(), 1, "{}", end.stderr);
}
