//! `dreamtuner pose` and `dreamtuner models`.

use serde_json::{Value, json};

use super::single_files::single_file;
use super::support::{Run, Stage, figure, frame, model, names, repository, run, text};

fn command(stage: &Stage, arguments: &str) -> Run {
    let mut command = stage.program();
    command.args(arguments.split_whitespace());
    run(command)
}

#[test]
fn help_and_version() {
    let stage = Stage::new(1);
    for arguments in ["--help", "-h", "animate --help", "animate -h", "pose draw --help", "models inspect -h"]
    {
        let run = command(&stage, arguments).succeeded();
        assert!(run.stdout.contains("Usage: dreamtuner"), "{arguments}");
        assert_eq!(run.stderr, "");
    }
    let help = command(&stage, "--help").succeeded().stdout;
    for code in ["Exit codes", "130"] {
        assert!(help.contains(code), "{code}");
    }
    let version = command(&stage, "--version").succeeded().stdout;
    assert_eq!(version.trim(), format!("dreamtuner {}", env!("CARGO_PKG_VERSION")));
    for arguments in ["", "dance", "pose", "animate --frobnicate"] {
        assert_eq!(command(&stage, arguments).code, Some(2), "{arguments}");
    }
}

/// The options of `animate` that have a default say it.
#[test]
fn help_shows_defaults() {
    let stage = Stage::new(1);
    let help = command(&stage, "animate --help").succeeded().stdout;
    let defaults = help.matches("[default: ").count();
    let absent = help.matches("where absent").count();
    assert!(defaults >= 20, "{defaults}");
    assert!(absent >= 5, "{absent}");
}

#[test]
fn poses_are_drawn() {
    let stage = Stage::new(3);
    command(&stage, "pose draw dance.json -o drawn.mkv").succeeded();
    let frames = stage.frames("drawn.mkv");
    assert_eq!((frames.len(), frames[0].dimensions()), (3, (64, 64)));
    assert!(frames[0].pixels().any(|pixel| pixel.0[0] > 200 && pixel.0[2] < 50));
    command(&stage, "pose draw dance.json -o drawn/ --size 32x48 --stick fixed").succeeded();
    assert_eq!(names(&stage.path("drawn")).len(), 3);
    assert_eq!(image::open(stage.path("drawn/000000.png")).unwrap().width(), 32);
    // What was drawn is a dance again.
    stage.animate("--pose drawn.mkv").succeeded();
    command(&stage, "pose draw absent.json -o x.mkv").failed(5, &["absent.json"]);
    command(&stage, "pose draw dance.json -o x.txt").failed(6, &["x.txt"]);
    command(&stage, "pose draw dance.json -o x.mkv --fps 0").failed(2, &["--fps", "0"]);
    command(&stage, "pose draw dance.json -o x.mkv --fps NaN").failed(2, &["--fps", "NaN"]);
    command(&stage, "pose draw dance.json -o x.mkv --size 0x10").failed(2, &["--size"]);
    command(&stage, "pose draw dance.json -o x.mkv --person 4").failed(2, &["--person", "4"]);
    command(&stage, "pose draw dance.json -o x.mkv --canvas 0x4").failed(2, &["--canvas"]);
    assert!(!stage.path("x.mkv").exists());
}

#[test]
fn poses_are_converted() {
    let stage = Stage::new(3);
    command(&stage, "pose convert dance.json -o folder/").succeeded();
    assert_eq!(names(&stage.path("folder")).len(), 3);
    command(&stage, "pose convert folder -o again.json").succeeded();
    let read =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(stage.path(name)).unwrap()).unwrap() };
    let points = |poses: &Value| -> Vec<f32> {
        serde_json::from_value(poses[2]["people"][0]["pose_keypoints_2d"].clone()).unwrap()
    };
    assert_eq!(points(&read("again.json")), points(&read("dance.json")));
    let gap = json!([frame(&[figure(0.0, 20.0)]), frame(&[]), frame(&[figure(0.0, 30.0)])]);
    stage.write("gap.json", gap.to_string());
    let run = command(&stage, "pose convert gap.json -o filled.json --fill").succeeded();
    run.says(&["filled 1 of 3 frames"]);
    let neck = &read("filled.json")[1]["people"][0]["pose_keypoints_2d"][3];
    assert_eq!(neck.as_f64(), Some(25.0));
}

#[test]
fn poses_are_described() {
    let stage = Stage::new(3);
    let text = command(&stage, "pose info dance.json").succeeded().stdout;
    assert!(text.contains('3') && text.contains("64"), "{text}");
    let told: Value =
        serde_json::from_str(&command(&stage, "pose info dance.json --json").succeeded().stdout).unwrap();
    assert!(told.is_object());
    stage.write("bad.json", "{");
    command(&stage, "pose info bad.json").failed(3, &["bad.json", "not valid JSON"]);
}

#[test]
fn weights_are_inspected() {
    let stage = Stage::new(1);
    let fixture = |name: &str| text(&repository("tests/fixtures/sd1").join(name));
    for (path, word) in [
        (model(), "U-Net"),
        (text(&single_file(&repository("tests/fixtures"), "model")), "U-Net"),
        (text(&single_file(&repository("tests/fixtures"), "vae")), "VAE"),
        (fixture("lora/kohya.safetensors"), "LoRA"),
        (fixture("textual_inversion/a1111.safetensors"), "extual inversion"),
        (fixture("controlnet"), "ControlNet"),
    ] {
        let told = command(&stage, &format!("models inspect {path}")).succeeded().stdout;
        assert!(told.contains(word), "{word} is not in {told}");
        let json = command(&stage, &format!("models inspect {path} --json")).succeeded().stdout;
        serde_json::from_str::<Value>(&json).unwrap();
    }
    command(&stage, "models inspect absent").failed(5, &["absent"]);
    stage.write("bad.safetensors", "bad");
    command(&stage, "models inspect bad.safetensors").failed(4, &["bad.safetensors"]);
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    let stage = Stage::new(1);
    for shell in ["bash", "fish", "zsh"] {
        let script = command(&stage, &format!("completions {shell}")).succeeded().stdout;
        assert!(script.contains("reference-weight") && script.contains("subject-encoder"), "{shell}");
    }
    command(&stage, "completions dos").failed(2, &["dos", "bash"]);
    command(&stage, "man pages").succeeded();
    for (page, option) in [
        ("dreamtuner.1", "animate"),
        ("dreamtuner-animate.1", "pose"),
        ("dreamtuner-pose-extract.1", "overlay"),
    ] {
        let page = std::fs::read_to_string(stage.path("pages").join(page)).unwrap();
        assert!(page.starts_with(".ie") && page.contains(option), "{option}");
    }
    command(&stage, "man pages").failed(6, &["dreamtuner", "--overwrite"]);
    command(&stage, "man pages --overwrite").succeeded();
}
