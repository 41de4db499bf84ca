//! A folder with a small dance and a reference, and the program to run in it.

use std::borrow::BorrowMut;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use dreamtuner::outputs::HIDDEN_PREFIX;
use dreamtuner::video::{DecodeSettings, open_frames};
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Far more than any of these runs takes; one that takes longer hangs, or did long work before it looked at its input.
const LONGEST: Duration = Duration::from_secs(60);

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The small random model.
pub fn model() -> String {
    text(&repository("tests/fixtures/sd1"))
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// What a run left behind.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts that the program said each of the pieces on its standard error.
    #[track_caller]
    pub fn says(self, pieces: &[&str]) -> Self {
        for piece in pieces {
            assert!(self.stderr.contains(piece), "{piece:?} is missing in: {}", self.stderr);
        }
        self
    }

    /// Asserts that the program ended with one clear error.
    #[track_caller]
    pub fn failed(self, code: i32, pieces: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "one error is expected: {}", self.stderr);
        self.says(pieces)
    }

    /// The event with which rendering begins, of a run with `--json`.
    pub fn begin(&self) -> Value {
        self.events().into_iter().find(|event| event["event"] == "begin").expect("rendering begins")
    }

    /// The events of a run with `--json`; the standard output must hold nothing else.
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// A temporary folder with `hero.png`, `hero.json` and `dance.json`.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// A stage whose dance has this many frames.
    pub fn new(frames: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        hero().save(folder.path().join("hero.png")).unwrap();
        let stage = Self { folder };
        stage.write("hero.json", json!([frame(&[figure(0.0, 32.0)])]).to_string());
        stage.write("dance.json", dance(frames).to_string());
        stage
    }

    /// One whose reference is the figure alone, transparent around.
    pub fn of_figure(frames: usize) -> Self {
        let (stage, picture) = (Self::new(frames), hero());
        let alone = RgbaImage::from_fn(64, 64, |x, y| {
            let [red, green, blue] = picture.get_pixel(x, y).0;
            let is_figure = (16..48).contains(&x) && (4..62).contains(&y);
            Rgba([red, green, blue, if is_figure { 255 } else { 0 }])
        });
        alone.save(stage.path("hero.png")).unwrap();
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The names in the folder.
    pub fn names(&self) -> BTreeSet<String> {
        names(self.folder.path())
    }

    /// The program, to be run in the folder.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dreamtuner"));
        command.current_dir(self.folder.path()).env_remove("RUST_LOG");
        command
    }

    /// `animate` with the small model, two steps and 32 × 32 pixels; `arguments` are split at blanks and win.
    pub fn animate_command(&self, arguments: &str) -> Command {
        let mut command = self.program();
        command.args(["animate", "--model", &model(), "--size", "32x32", "--steps", "2"]);
        command.args(["--reference", "hero.png", "--reference-pose", "hero.json", "--pose", "dance.json"]);
        command.args(["-o", "out.mkv"]).args(arguments.split_whitespace());
        command
    }

    pub fn animate(&self, arguments: &str) -> Run {
        run(self.animate_command(arguments))
    }

    /// Asserts that `animate` refuses these arguments and leaves nothing behind.
    #[track_caller]
    pub fn refuses(&self, arguments: &str, code: i32, pieces: &[&str]) {
        self.refuses_command(self.animate_command(arguments), code, pieces);
    }

    #[track_caller]
    pub fn refuses_command(&self, command: impl BorrowMut<Command>, code: i32, pieces: &[&str]) {
        let before = self.names();
        run(command).failed(code, pieces);
        let after = self.names();
        let visible = |names: &BTreeSet<String>| -> BTreeSet<String> {
            names.iter().filter(|name| !name.starts_with(HIDDEN_PREFIX)).cloned().collect()
        };
        assert_eq!(visible(&after), visible(&before), "something was left behind, or lost");
        // What a killed run has left may be tidied up.
        assert!(after.is_subset(&before), "something was left behind: {after:?}");
    }

    /// The hashes of the frames that `--keep-frames` left.
    pub fn kept(&self, output: &str) -> Vec<String> {
        let folder = self.path(&format!("{output}.frames"));
        let hash = |name: &String| {
            assert!(name.ends_with(".png"), "{name} was left among the frames");
            blake3::hash(&std::fs::read(folder.join(name)).unwrap()).to_hex().to_string()
        };
        names(&folder).iter().map(hash).collect()
    }

    /// The frames of a clip.
    pub fn frames(&self, clip: &str) -> Vec<RgbImage> {
        let reader = open_frames(self.path(clip), &DecodeSettings::default()).unwrap();
        reader.map(|frame| frame.unwrap().image).collect()
    }
}

/// The hashes of the frames of a render.
pub fn kept(stage: &Stage, arguments: &str, output: &str) -> Vec<String> {
    stage.animate(&format!("--keep-frames -o {output} {arguments}")).succeeded();
    stage.kept(output)
}

pub fn run(mut command: impl BorrowMut<Command>) -> Run {
    let started = Instant::now();
    let run = Run::new(command.borrow_mut().output().unwrap());
    assert!(started.elapsed() < LONGEST, "took {:?}", started.elapsed());
    run
}

pub fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A picture of 64 × 64 pixels: an orange figure, brighter below, on green.
pub fn hero() -> RgbImage {
    RgbImage::from_fn(64, 64, |x, y| match (x, y) {
        (24..40, 8..60) => Rgb([250, 140, (y * 3) as u8]),
        _ => Rgb([30, 120, 60]),
    })
}

/// OpenPose points of a figure on a canvas of 64 × 64, `swing` pixels moved at the hands, its middle at `x`.
pub fn figure(swing: f64, x: f64) -> Value {
    let points = [
        (0.0, 10.0),
        (0.0, 18.0),
        (-8.0, 18.0),
        (-12.0, 26.0),
        (-14.0 - swing, 34.0),
        (8.0, 18.0),
        (12.0, 26.0),
        (14.0 + swing, 34.0 - swing),
        (-5.0, 36.0),
        (-5.0, 46.0),
        (-5.0, 58.0),
        (5.0, 36.0),
        (5.0, 46.0),
        (5.0, 58.0),
        (-2.0, 8.0),
        (2.0, 8.0),
        (-4.0, 9.0),
        (4.0, 9.0),
    ];
    let flat: Vec<f64> = points.iter().flat_map(|(dx, y)| [x + dx, *y, 1.0]).collect();
    json!({"pose_keypoints_2d": flat})
}

pub fn frame(people: &[Value]) -> Value {
    json!({"canvas_width": 64, "canvas_height": 64, "people": people})
}

/// A dance of one figure.
pub fn dance(frames: usize) -> Value {
    let pose = |index: usize| frame(&[figure((index as f64 * 0.7).sin() * 8.0, 32.0)]);
    Value::Array((0..frames).map(pose).collect())
}

/// Mean difference of two pictures of one size, in steps of 256.
pub fn difference(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let pairs = one.as_raw().iter().zip(other.as_raw());
    pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / one.as_raw().len() as f64
}

/// Runs `ffmpeg` in the stage's folder; the arguments are split at blanks.
pub fn ffmpeg(stage: &Stage, arguments: &str) {
    let mut command = Command::new("ffmpeg");
    command.current_dir(stage.path("")).args(["-nostdin", "-v", "error", "-y"]);
    let done = command.args(arguments.split_whitespace()).output().expect("ffmpeg is installed");
    assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
}
