//! `dreamtuner tune`, from a picture to a word that prompts use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{done, kill_at, program, root, saves, words};

fn tuning(output: &Path, options: &[&str]) -> Command {
    let mut command = program();
    command.arg("tune").arg("--reference").arg(root().join("examples/hero.png"));
    command.arg("--reference-pose").arg(root().join("examples/hero.pose.json"));
    command.args([
        "--class",
        "sturdy",
        "--size",
        "32",
        "--regular",
        "2",
        "--rank",
        "2",
        "--template",
        "{}, white background",
    ]);
    command.arg("-o").arg(output).args(options);
    command
}

/// The first frame of a clip of 64×64.
fn frame(folder: &Path, name: &str, options: &[&str]) -> Vec<u8> {
    let clip = folder.join(format!("{name}.mp4"));
    let mut command = program();
    command.args(["animate", "--size", "64x64", "--steps", "2", "--end", "0.05", "--pose"]);
    command.arg(root().join("poses/wave.json")).arg("--reference").arg(root().join("examples/hero.png"));
    command.arg("--reference-pose").arg(root().join("examples/hero.pose.json"));
    command.args(["--prompt", "smile, white background", "--keep-frames", "-o"]).arg(&clip).args(options);
    done(command);
    fs::read(folder.join(format!("{name}.mp4.frames/000000.png"))).unwrap()
}

fn tensors(path: &Path) -> std::collections::HashMap<String, candle_core::Tensor> {
    candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap()
}

/// In benchmarks each puppet, and each subject of a data set, is drawn with the subject that was tuned on it.
#[test]
fn benchmarks_take_a_subject_for_each() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("subjects")).unwrap();
    for name in ["1000000", "hero"] {
        let subject = at(&format!("subjects/{name}.subject"));
        done(tuning(&subject, &["--steps", "20", "--learning-rate", "1e-2"]));
    }
    let subjects = at("subjects").display().to_string();
    let measured = |name: &str, options: &[&str]| {
        let mut command = program();
        command.args([
            "eval",
            "puppets",
            "--identities",
            "1",
            "--frames",
            "1",
            "--size",
            "64",
            "--name",
            name,
        ]);
        command.args(["--steps", "2", "-o"]).arg(at("puppets")).args(options);
        done(command);
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(at("puppets/report.json")).unwrap()).unwrap();
        let row = report["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
        row["scores"]["psnr"]["mean"].as_f64().unwrap()
    };
    let (plain, tuned) = (measured("plain", &[]), measured("tuned", &["--subjects", &subjects]));
    assert!(plain.is_finite() && tuned.is_finite() && plain != tuned, "{plain} {tuned}");

    fs::create_dir_all(at("data/hero")).unwrap();
    fs::copy(root().join("examples/hero.png"), at("data/hero/0.png")).unwrap();
    let index = "subject_name,class\nhero,sturdy\nPrompts\n'{1}, smile, night background'.format(unique_token, class_token)\n";
    fs::write(at("data/prompts_and_classes.txt"), index).unwrap();
    let drawn = |name: &str, options: &[&str]| {
        let mut command = program();
        command
            .args(["eval", "dreambooth"])
            .arg(at("data"))
            .args(["-n", "1", "--size", "64x64", "--steps", "2"]);
        let output = done({
            command.arg("-o").arg(at(name)).args(options);
            command
        });
        assert!(String::from_utf8_lossy(&output.stdout).contains("DreamTuner (published)"));
        fs::read(at(name).join("hero/00-0.png")).unwrap()
    };
    assert!(drawn("plain", &[]) != drawn("tuned", &["--subjects", &subjects]));
    // Nobody is drawn with another one's subject.
    fs::remove_file(at("subjects/hero.subject")).unwrap();
    let mut command = program();
    command
        .args(["eval", "dreambooth"])
        .arg(at("data"))
        .arg("-o")
        .arg(at("none"))
        .args(["--subjects", &subjects]);
    let output = command.output().unwrap();
    assert!(!output.status.success() && words(&output).contains("hero.subject"), "{}", words(&output));
}

/// Killed again and again, a tuning comes to the same file, to the byte; its first steps are saved on the way.
#[test]
fn a_killed_tuning_goes_on_as_if_it_had_not_been() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path.join("hero.subject")
    };
    let (whole, killed) = (at("whole"), at("killed"));
    let options = ["--steps", "56", "--save-at", "0", "--save-at", "53", "--with-references", "0.5"];
    let saved = saves(tuning(&whole, &options), "state.safetensors");
    // After step 50 is saved, and in the middle of what comes next.
    kill_at(tuning(&killed, &options), saved[1] + 1);
    kill_at(tuning(&killed, &options), saved[0]);
    // The kill may have come in the middle of a file.
    let half = folder.path().join("killed/hero.subject.tune/.dreamtuner-half.part");
    fs::write(&half, "half a file").unwrap();
    done(tuning(&killed, &options));
    assert!(!half.exists());
    assert!(fs::read(&whole).unwrap() == fs::read(&killed).unwrap(), "the files differ");
    for name in ["000000.png", "000053.png", "000056.png"] {
        let sheet = image::open(folder.path().join("whole/hero.subject.tune").join(name)).unwrap();
        assert!(sheet.width() >= sheet.height() && sheet.height() > 64, "{name}");
    }
    let early = tensors(&folder.path().join("whole/hero.subject.tune/000053.subject"));
    let (first, last) =
        (tensors(&folder.path().join("whole/hero.subject.tune/000000.subject")), tensors(&whole));
    assert_eq!(first.len(), last.len());
    for (name, tensor) in &last {
        let moved = |other: &candle_core::Tensor| {
            let difference = (tensor - other).unwrap().abs().unwrap().max_all().unwrap();
            difference.to_scalar::<f32>().unwrap()
        };
        assert!(moved(&first[name]) > 0.0 && moved(&early[name]) > 0.0, "{name} has not moved");
    }
}

/// The word changes pictures where it stands in the prompt, and comes first where it does not.
#[test]
fn a_subject_renders() {
    let folder = TempDir::new().unwrap();
    let subject = folder.path().join("hero.subject");
    done(tuning(&subject, &["--steps", "20", "--learning-rate", "1e-3"]));
    let subject = subject.to_str().unwrap();
    let plain = frame(folder.path(), "plain", &[]);
    let tuned = frame(folder.path(), "tuned", &["--subject", subject]);
    assert!(plain != tuned);
    let named = ["--subject", subject, "--prompt", "sturdy <hero>, smile, white background"];
    assert!(tuned == frame(folder.path(), "named", &named));
}

/// Whole weights render too, and cannot be exported as a LoRA.
#[test]
fn whole_weights_are_tuned() {
    let folder = TempDir::new().unwrap();
    let subject = folder.path().join("hero.subject");
    let export = folder.path().join("export");
    let options = ["--method", "full", "--steps", "3", "--learning-rate", "1e-4"];
    let exported = [&options[..], &["--export", export.to_str().unwrap()]].concat();
    let output = tuning(&subject, &exported).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert!(words(&output).contains("--method full") && !subject.exists(), "{}", words(&output));
    done(tuning(&subject, &options));
    let plain = frame(folder.path(), "plain", &[]);
    assert!(plain != frame(folder.path(), "tuned", &["--subject", subject.to_str().unwrap()]));
}

/// The exported LoRA and word give the same picture as the subject.
#[test]
fn exports_render_the_same() {
    let folder = TempDir::new().unwrap();
    let subject = folder.path().join("hero.subject");
    let export = folder.path().join("export");
    done(tuning(
        &subject,
        &["--steps", "20", "--learning-rate", "1e-3", "--export", export.to_str().unwrap()],
    ));
    // Without a subject encoder, whose ResBlocks no other program knows.
    let render = |name: &str, options: &[&str]| {
        let prompt = ["--beta", "0", "--prompt", "sturdy <hero>, smile, white background"];
        frame(folder.path(), name, &[&prompt, options].concat())
    };
    let own = render("own", &["--subject", subject.to_str().unwrap()]);
    let word = export.join("learned_embeds.safetensors");
    for name in ["lora_kohya.safetensors", "pytorch_lora_weights.safetensors"] {
        let lora = export.join(name);
        let options = ["--lora", lora.to_str().unwrap(), "--embedding", word.to_str().unwrap()];
        assert!(own == render(name, &options), "{name}");
    }
}

/// What cannot work is said at once.
#[test]
fn bad_input_is_refused() {
    let folder = TempDir::new().unwrap();
    let subject = folder.path().join("hero.subject");
    let refused = |options: &[&str], code: i32, expected: &[&str]| {
        let output = tuning(&subject, options).output().unwrap();
        let words = words(&output);
        assert_eq!(output.status.code(), Some(code), "{words}");
        expected.iter().for_each(|part| assert!(words.contains(part), "{part} not in {words}"));
        assert!(!subject.exists());
    };
    refused(&["--class", "unbelievable"], 2, &["--class", "unbelievable", "tokens"]);
    refused(&["--class", ""], 2, &["--class"]);
    refused(&["--word", "smile"], 2, &["smile", "already a word"]);
    refused(&["--word", "two words"], 2, &["--word", "two words"]);
    refused(&["--template", "nothing"], 2, &["--template", "{}"]);
    refused(&["--rank", "0"], 2, &["--rank", "0"]);
    refused(&["--steps", "0"], 2, &["--steps", "0"]);
    refused(&["--learning-rate", "-1"], 2, &["--learning-rate", "-1"]);
    refused(&["--flip", "1.5"], 2, &["--flip", "1.5"]);
    refused(&["--with-references", "-1"], 2, &["--with-references", "-1"]);
    refused(&["--size", "33"], 2, &["--size", "33", "multiples"]);
    let black = folder.path().join("black.png");
    let (width, height) = image::image_dimensions(root().join("examples/hero.png")).unwrap();
    image::GrayImage::new(width, height).save(&black).unwrap();
    refused(&["--mask", black.to_str().unwrap()], 3, &["black.png", "no subject"]);
    refused(&["--pose", root().join("Cargo.toml").to_str().unwrap()], 3, &["Cargo.toml"]);
    refused(&["--steps", "60", "--learning-rate", "1e30"], 2, &["--learning-rate", "last good state"]);
    let other = program()
        .args(["animate", "--subject"])
        .arg(root().join("models/mini/unet/diffusion_pytorch_model.safetensors"))
        .arg("--reference")
        .arg(root().join("examples/hero.png"))
        .arg("--pose")
        .arg(root().join("poses/wave.json"))
        .arg("-o")
        .arg(folder.path().join("out.mp4"))
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(4), "{}", words(&other));
    assert!(words(&other).contains("no tuned subject"), "{}", words(&other));
}

/// A captioner's words become the caption: the tuning is the one with those words.
#[test]
fn a_captioner_says_what_the_reference_shows() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let captioner = root().join("tests/fixtures/blip");
    let steps = ["--steps", "1"];
    let mut command = tuning(&at("auto.subject"), &steps);
    let output = done({
        command.args(["--word", "<hero>", "--caption", "auto", "--captioner"]).arg(&captioner);
        command
    });
    let said = words(&output);
    let caption = said.lines().find_map(|line| line.strip_prefix("caption: ")).expect("it is told");
    assert!(!caption.is_empty());
    let mut command = tuning(&at("told.subject"), &steps);
    command.args(["--word", "<hero>", "--caption", caption]);
    done(command);
    let drawn = |name: &str| -> Vec<String> {
        let entries =
            fs::read_dir(at(name)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.filter(|name| name.starts_with("regular-")).collect()
    };
    assert_eq!(drawn("auto.subject.tune"), drawn("told.subject.tune"), "other words, other regular pictures");
    assert_eq!(fs::read(at("auto.subject")).unwrap(), fs::read(at("told.subject")).unwrap());

    let refused = |options: &[&str]| words(&tuning(&at("no.subject"), options).output().unwrap());
    assert!(refused(&["--caption", "auto"]).contains("auto needs --captioner"));
    assert!(refused(&["--captioner", "blip"]).contains("is for --caption auto"));
}
