//! `dreamtuner eval puppets`.

use assert_cmd::Command;
use tempfile::TempDir;

fn program(folder: &TempDir, more: &[&str]) -> Command {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut command = Command::cargo_bin("dreamtuner").unwrap();
    command
        .args(["eval", "puppets", "--device", "cpu", "--steps", "1", "--size", "32", "-o"])
        .arg(folder.path());
    command
        .args(["--model", &format!("{root}/tests/fixtures/sd1"), "--identities", "1", "--frames", "2"])
        .args(more);
    command
}

#[test]
fn a_row_is_measured_and_reported() {
    let folder = TempDir::new().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let output = program(&folder, &["--name", "mine", "--clip", &format!("{root}/tests/fixtures/clip")])
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for word in ["truth through the VAE", "mine", "CLIP-I", "PCK@0.1", "±"] {
        assert!(words.contains(word), "{word} is missing in {words}");
    }
    assert!(folder.path().join("sheet-mine.png").is_file());
    // One of the standard rows, without CLIP: the weights are others, so the folder's VAE row is not taken over.
    program(&folder, &["--ablations", "--row", "text"]).assert().code(7);
    let folder = TempDir::new().unwrap();
    let output = program(&folder, &["--ablations", "--row", "text"]).output().unwrap();
    let (words, notes) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(words.contains("text only") && !words.contains("CLIP-I"), "{words}");
    assert!(notes.contains("CLIP-I and CLIP-T are left out"), "{notes}");
}

/// Where nothing is shown to ControlNets, a model need not have one.
#[test]
fn subjects_are_drawn_by_a_model_without_controlnet() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let sd1 = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sd1");
    for part in ["unet", "vae", "text_encoder", "tokenizer", "scheduler"] {
        std::fs::create_dir_all(at("model").join(part)).unwrap();
        for file in std::fs::read_dir(sd1.join(part)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), at("model").join(part).join(file.file_name())).unwrap();
        }
    }
    std::fs::copy(sd1.join("model_index.json"), at("model/model_index.json")).unwrap();
    std::fs::create_dir_all(at("data/red")).unwrap();
    image::RgbImage::from_pixel(32, 32, image::Rgb([200, 30, 30])).save(at("data/red/0.png")).unwrap();
    let index = "subject_name,class\nred,square\nPrompts\n'a {0} {1} in the snow'.format(unique_token, class_token)\n";
    std::fs::write(at("data/prompts_and_classes.txt"), index).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::cargo_bin("dreamtuner").unwrap();
        command.args(["eval", "dreambooth", "--device", "cpu", "--steps", "1", "--size", "32x32", "-n", "1"]);
        command
            .args(["--mask", "none", "--model"])
            .arg(at("model"))
            .arg(at("data"))
            .arg("-o")
            .arg(at("results"));
        command.args(more).output().unwrap()
    };
    let made = run(&[]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(at("results/red/00-0.png").is_file());
    let refused = run(&["--refine"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("--controlnet PATH"), "{words}");
}

/// Two clips are compared by the same measures as pictures; what differs in length or size is refused.
#[test]
fn clips_are_compared() {
    let folder = TempDir::new().unwrap();
    let frame = |shade: u8| image::RgbImage::from_fn(16, 12, |x, y| image::Rgb([shade, (x * y) as u8, 90]));
    let clip = |name: &str, frames: &[image::RgbImage]| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        for (place, frame) in frames.iter().enumerate() {
            frame.save(path.join(format!("{place}.png"))).unwrap();
        }
        path
    };
    let (a, b) = (clip("a", &[frame(10), frame(40)]), clip("b", &[frame(10), frame(10)]));
    let compare = |a: &std::path::Path, b: &std::path::Path, more: &[&str]| {
        let mut command = Command::cargo_bin("dreamtuner").unwrap();
        command.args(["eval", "clip"]).arg(a).arg(b).args(more).output().unwrap()
    };
    let output = compare(&a, &b, &["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let score = |name: &str| found["scores"][name].as_f64().unwrap();
    assert_eq!(found["frames"], 2);
    // One channel of three differs by 30 in one frame of two, and the change is that frame's.
    assert!((score("l1") - 5.0).abs() < 1e-9 && (score("flicker") - 10.0).abs() < 1e-9, "{found}");
    let second = 10.0 * (255.0f64.powi(2) / 300.0).log10();
    assert!((score("psnr") - (100.0 + second) / 2.0).abs() < 1e-9, "{found}");
    assert!(score("ssim") < 1.0 && score("clip-i") < 1.0, "{found}");
    let words = String::from_utf8(compare(&a, &a, &["--clip", "none"]).stdout).unwrap();
    assert!(words.contains("2 frames") && words.contains("100.00") && !words.contains("CLIP"), "{words}");
    let refused = |other: &std::path::Path, code: i32, expected: &str| {
        let output = compare(&a, other, &["--clip", "none"]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && words.contains(expected), "{words}");
    };
    refused(&clip("short", &[frame(1)]), 3, "ends after 1 frames");
    refused(&clip("small", &[image::RgbImage::new(8, 8), image::RgbImage::new(8, 8)]), 3, "8×8");
    refused(&folder.path().join("none-such"), 5, "none-such");
}

#[test]
fn what_cannot_be_measured_is_refused_before_weights_are_read() {
    let folder = TempDir::new().unwrap();
    for (options, words) in [
        (["--dance", "minuet"], "minuet"),
        (["--frames", "0"], "frames"),
        (["--name", "a/b"], "a/b"),
        (["--reference-weight", "-1"], "--reference-weight"),
        (["--controlnet", "model,video=dance.mp4"], "controlnet"),
    ] {
        let output = program(&folder, &options).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && error.contains(words), "{options:?}: {error}");
    }
    program(&folder, &["--ablations", "--row", "none-such"]).assert().code(2);
}

/// Stills of the built-in model follow the text, and the character stays: 32 puppets that it was not trained on, each in another scene
/// and with another expression than its reference.
#[test]
fn stills_follow_the_text_and_keep_the_character() {
    let folder = TempDir::new().unwrap();
    for (name, caption) in [("told", "scene"), ("untold", "none")] {
        let mut command = Command::cargo_bin("dreamtuner").unwrap();
        command.args(["eval", "puppets", "--device", "cpu", "--scene", "various", "--expression", "various"]);
        command.args(["--frames", "1", "--previous-weight", "0", "--name", name, "--caption", caption, "-o"]);
        command.arg(folder.path()).assert().success();
    }
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let mean = |name: &str, metric: &str| -> f64 {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(row["clips"], 32);
        row["scores"][metric]["mean"].as_f64().unwrap()
    };
    let colour = mean("told", "colour");
    assert!(colour >= 0.85, "colour likeness {colour:.3}");
    for (metric, more) in [("clip-t", 0.3), ("expression", 0.15)] {
        let (told, untold) = (mean("told", metric), mean("untold", metric));
        assert!(told > untold + more, "{metric} {told:.3}, {untold:.3} without text");
    }
}
