//! `dreamtuner rig`: what was found of a figure, to be looked at and edited.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Rgba, RgbaImage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{difference, done, program, refused, root, words};

/// A folder with the rig of the hero.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: TempDir::new().unwrap() };
        let pose = root().join("examples/hero.pose.json");
        done(stage.rig(&["--sheet", "--reference-pose", pose.to_str().unwrap()]));
        stage
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn rig(&self, options: &[&str]) -> Command {
        let mut command = program();
        command.arg("rig").arg(root().join("examples/hero.png"));
        command.arg("-o").arg(self.at("hero.rig.json")).args(options);
        command
    }

    fn draft(&self, output: &str, options: &[&str]) -> Command {
        let mut command = program();
        command.arg("draft").arg("--reference").arg(root().join("examples/hero.png"));
        command.arg("--pose").arg(root().join("poses/wave.json")).arg("-o").arg(self.at(output));
        command.args(["--end", "0.5", "--fps", "8", "--size", "360x520"]).args(options);
        command
    }

    fn draft_of_rig(&self, output: &str) -> Command {
        self.draft(output, &["--rig", self.at("hero.rig.json").to_str().unwrap()])
    }

    fn file(&self) -> Value {
        serde_json::from_slice(&fs::read(self.at("hero.rig.json")).unwrap()).unwrap()
    }

    fn write(&self, file: &Value) {
        fs::write(self.at("hero.rig.json"), file.to_string()).unwrap();
    }

    /// What is said of a rig that was edited so.
    fn refused(&self, edit: impl FnOnce(&mut Value)) -> String {
        let before = self.file();
        let mut file = before.clone();
        edit(&mut file);
        self.write(&file);
        let said = refused(self.draft_of_rig("refused.mp4"));
        self.write(&before);
        assert!(said.contains("hero.rig"), "{said}");
        said
    }
}

fn frame(folder: &Path) -> RgbaImage {
    image::open(folder.join("000003.png")).unwrap().into_rgba8()
}

#[test]
fn a_rig_gives_the_draft_that_it_was_found_for() {
    let stage = Stage::new();
    assert!(stage.at("hero.rig.sheet.png").is_file());
    let file = stage.file();
    assert_eq!(file["joints"].as_object().unwrap().len(), 18);
    assert_eq!(file["parts"], "hero.rig.png");
    let hero = image::open(root().join("examples/hero.png")).unwrap();
    assert_eq!(
        image::open(stage.at("hero.rig.png")).unwrap().into_rgba8().dimensions(),
        (hero.width(), hero.height())
    );

    let pose = root().join("examples/hero.pose.json");
    done(stage.draft("found/", &["--reference-pose", pose.to_str().unwrap()]));
    done(stage.draft_of_rig("read/"));
    // Joints are rounded in the file.
    let error = difference(&frame(&stage.at("found")), &frame(&stage.at("read")));
    assert!(error < 0.3, "{error}");
}

#[test]
fn joints_parts_and_order_are_what_the_file_says() {
    let stage = Stage::new();
    done(stage.draft_of_rig("before/"));
    let before = frame(&stage.at("before"));

    // The waving arm is said to be the trunk's: it hangs.
    let parts = stage.at("hero.rig.png");
    let kept = fs::read(&parts).unwrap();
    let mut edited = image::open(&parts).unwrap().into_rgba8();
    let arms = [[0, 200, 60], [230, 40, 230]];
    for pixel in edited.pixels_mut().filter(|pixel| arms.iter().any(|arm| pixel.0[..3] == *arm)) {
        *pixel = Rgba([40, 120, 255, pixel.0[3]]);
    }
    edited.save(&parts).unwrap();
    done(stage.draft_of_rig("armless/"));
    assert!(difference(&before, &frame(&stage.at("armless"))) > 2.0);
    fs::write(&parts, kept).unwrap();

    // Head and arms lie behind the trunk.
    let mut file = stage.file();
    file["order"] = json!(["right-arm", "left-arm", "head", "loose", "right-leg", "left-leg", "body"]);
    stage.write(&file);
    done(stage.draft_of_rig("behind/"));
    let error = difference(&before, &frame(&stage.at("behind")));
    assert!(error > 0.1, "{error}");
}

/// A pose file states its canvas; the picture may have been made smaller since.
#[test]
fn joints_of_a_larger_canvas_come_to_the_picture() {
    let folder = TempDir::new().unwrap();
    let (picture, rig) = (folder.path().join("small.png"), folder.path().join("small.rig.json"));
    let hero = image::open(root().join("examples/hero.png")).unwrap();
    hero.resize(128, 128, image::imageops::FilterType::Triangle).save(&picture).unwrap();
    let mut command = program();
    command.arg("rig").arg(&picture).arg("-o").arg(&rig);
    command.arg("--reference-pose").arg(root().join("examples/hero.pose.json"));
    done(command);
    let written: Value = serde_json::from_slice(&fs::read(&rig).unwrap()).unwrap();
    for (name, place) in written["joints"].as_object().unwrap() {
        let (x, y) = (place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap());
        assert!((0.0..128.0).contains(&x) && (0.0..128.0).contains(&y), "{name}: {x}, {y}");
    }
}

#[test]
fn a_joint_that_is_said_is_taken() {
    let stage = Stage::new();
    let rig = stage.at("hero.rig.json");
    let mut command = program();
    command.arg("rig").arg(root().join("examples/hero.png")).arg("--rig").arg(&rig);
    command.arg("-o").arg(stage.at("new.rig.json"));
    command.args(["--joint", "left-elbow=300,210.5", "--joint", "right-wrist=none"]);
    let said = words(&done(command));
    assert!(said.contains("right-wrist not found"), "{said}");
    let file: Value = serde_json::from_slice(&fs::read(stage.at("new.rig.json")).unwrap()).unwrap();
    assert_eq!(file["joints"]["left-elbow"], json!({"x": 300.0, "y": 210.5, "confidence": 1.0}));
    assert_eq!(file["joints"].get("right-wrist"), None);
    assert_eq!(file["joints"]["left-knee"], stage.file()["joints"]["left-knee"]);
}

#[test]
fn rigs_that_cannot_be_used_are_refused() {
    let stage = Stage::new();
    assert!(stage.refused(|file| file["picture"]["blake3"] = json!("0")).contains("another picture"));
    assert!(stage.refused(|file| file["version"] = json!(7)).contains("version 7"));
    assert!(stage.refused(|file| file["joints"]["knee"] = json!({"x": 1, "y": 2})).contains("left-knee"));
    assert!(stage.refused(|file| file["joints"]["nose"] = json!({"x": 1e9, "y": 2})).contains("far outside"));
    assert!(stage.refused(|file| file["joints"]["nose"] = json!({"x": "a", "y": 2})).contains("no rig"));
    assert!(stage.refused(|file| file["order"] = json!(["head", "head"])).contains("twice"));
    assert!(stage.refused(|file| file["order"] = json!(["wing"])).contains("left-arm"));
    assert!(stage.refused(|file| file["wings"] = json!(2)).contains("wings"));
    assert!(stage.refused(|file| *file = json!([])).contains("no rig"));
    RgbaImage::new(7, 7).save(stage.at("hero.rig.png")).unwrap();
    assert!(stage.refused(|_| ()).contains("7×7"));
    fs::remove_file(stage.at("hero.rig.png")).unwrap();
    stage.refused(|_| ());
    assert!(!stage.at("refused.mp4").exists());
}

#[test]
fn options_of_joints_are_checked() {
    let stage = Stage::new();
    for (joint, hint) in [
        ("elbow=3,4", "left-elbow"),
        ("left-elbow=3", "left-elbow=412,300"),
        ("left-elbow=NaN,4", "left-elbow=412,300"),
        ("left-elbow=99999,4", "far outside"),
    ] {
        let said = refused(stage.draft("a.mp4", &["--joint", joint]));
        assert!(said.contains(hint), "{joint}: {said}");
    }
    assert!(refused(stage.rig(&[])).contains("overwrite"));
    let mut command = program();
    command.arg("rig").arg(root().join("examples/hero.png")).arg("-o").arg(stage.at("hero.txt"));
    assert!(refused(command).contains(".json"));
}

#[test]
fn an_arm_that_would_come_off_is_told() {
    let folder = TempDir::new().unwrap();
    let mut command = program();
    command
        .arg("rig")
        .arg(root().join("tests/drawings/anime_lucy.png"))
        .arg("-o")
        .arg(folder.path().join("lucy.rig.json"));
    let told = words(&done(command));
    assert!(told.contains("the left arm would come off, and stays as it is drawn"), "{told}");
    assert!(told.contains("--joint left-elbow=X,Y"), "{told}");
    assert!(!told.contains("right arm"), "{told}");
}
