//! `dreamtuner train subject-encoder`, from a folder of pictures to an encoder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{kill_at, program, saves, words};

/// A few puppets, 32 pixels wide.
fn puppets(folder: &Path, identities: u32) -> PathBuf {
    let path = folder.join("puppets");
    let identities = identities.to_string();
    let arguments =
        ["puppet", "dataset", "--identities", &identities, "--variants", "3", "--size", "32", "-o"];
    let output = program().args(arguments).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    path
}

fn training(data: &Path, output: &Path, steps: u32) -> Command {
    let mut command = program();
    command.args(["train", "subject-encoder", "--data"]).arg(data).arg("-o").arg(output);
    command.args(["--size", "32", "--batch", "3", "--at-once", "2", "--held-out", "2", "--res-blocks", "1"]);
    command.args([
        "--learning-rate",
        "1e-3",
        "--check-every",
        "2",
        "--save-every",
        "1",
        "--sample-every",
        "0",
    ]);
    command.args(["--caption-column", "scene_caption", "--steps", &steps.to_string()]);
    command
}

fn encoder(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("diffusion_pytorch_model.safetensors")).unwrap()
}

/// Killed again and again, a training comes to the same weights, to the bit.
#[test]
fn a_killed_training_goes_on_as_if_it_had_not_been() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 6);
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let saved = saves(training(&data, &whole, 5), "state.safetensors");
    // After a state is saved, and in the middle of what comes next.
    kill_at(training(&data, &killed, 5), saved[1] + 1);
    kill_at(training(&data, &killed, 5), saved[1]);
    let output = training(&data, &killed, 5).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    assert!(encoder(&whole) == encoder(&killed), "the weights differ");
    let curve = |folder: &Path| fs::read_to_string(folder.join("training/loss.csv")).unwrap();
    assert_eq!(curve(&whole), curve(&killed));
    assert_eq!(curve(&whole).lines().count(), 2 + 5, "{}", curve(&whole));
    assert!(whole.join("training/loss.png").is_file());
}

/// A full disk stops a training with the name of the file. What was saved stays, nothing half-written is left, and the training goes
/// on once there is room.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_was_saved() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 4);
    let (whole, full) = (folder.path().join("whole"), folder.path().join("full"));
    let saved = saves(training(&data, &whole, 4), "state.safetensors");
    kill_at(training(&data, &full, 4), saved[0] + 1);
    let state = full.join("training/state.safetensors");
    let saved = (encoder(&full), fs::read(&state).unwrap());
    // The kill may have come in the middle of a file.
    for place in [&full, &full.join("training")] {
        fs::write(place.join(".dreamtuner-half.part"), "half a file").unwrap();
    }
    // No file may grow beyond 512 KiB: the system refuses as it does on a full disk.
    let training_here = training(&data, &full, 4);
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\""]);
    limited.arg(training_here.get_program()).args(training_here.get_args());
    let output = limited.output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", words(&output));
    assert!(words(&output).contains(".safetensors"), "{}", words(&output));
    assert!(saved == (encoder(&full), fs::read(&state).unwrap()));
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    };
    let left: Vec<String> = [names(&full), names(&full.join("training"))].concat();
    assert!(left.iter().all(|name| !name.ends_with(".part")), "{left:?}");
    assert!(training(&data, &full, 4).output().unwrap().status.success());
    assert!(encoder(&whole) == encoder(&full), "the weights differ");
}

/// With S-S-A in the training the encoder becomes another one; it too goes on exactly.
#[test]
fn references_take_part_in_training() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 4);
    let trained = |name: &str, options: &[&str]| {
        let output = folder.path().join(name);
        let result = training(&data, &output, 3).args(options).output().unwrap();
        assert!(result.status.success(), "{}", words(&result));
        encoder(&output)
    };
    let (plain, looking) = (trained("plain", &[]), trained("looking", &["--with-references", "0.5"]));
    assert!(plain != looking);
    assert!(looking == trained("again", &["--with-references", "0.5", "--save-every", "3"]));
    let output = folder.path().join("refused");
    let result = training(&data, &output, 3).args(["--with-references", "2"]).output().unwrap();
    assert_eq!(result.status.code(), Some(2), "{}", words(&result));
    assert!(words(&result).contains("--with-references"), "{}", words(&result));
}

/// Another training does not go on from a folder that holds this one.
#[test]
fn another_training_is_refused() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 4);
    let output = folder.path().join("encoder");
    assert!(training(&data, &output, 1).output().unwrap().status.success());
    let other = training(&data, &output, 1).args(["--seed", "1"]).output().unwrap();
    assert_eq!(other.status.code(), Some(7), "{}", words(&other));
    assert!(words(&other).contains("seed: 0 → 1"), "{}", words(&other));
}

/// A trained encoder renders, and changes the picture; β 0 renders as without it.
#[test]
fn an_encoder_renders() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 4);
    let encoder = folder.path().join("encoder");
    assert!(training(&data, &encoder, 3).output().unwrap().status.success());
    let render = |name: &str, options: &[&str]| -> Vec<u8> {
        let clip = folder.path().join(name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = program()
            .args(["animate", "--size", "64x64", "--steps", "2", "--end", "0.05", "--pose"])
            .arg(root.join("poses/wave.json"))
            .arg("--reference")
            .arg(root.join("examples/hero.png"))
            .arg("--reference-pose")
            .arg(root.join("examples/hero.pose.json"))
            .args(["--keep-frames", "-o"])
            .arg(&clip)
            .args(options)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", words(&output));
        fs::read(folder.path().join(format!("{name}.frames/000000.png"))).unwrap()
    };
    let encoder = encoder.to_str().unwrap();
    let plain = render("plain.mp4", &["--beta", "0"]);
    assert!(plain == render("zero.mp4", &["--subject-encoder", encoder, "--beta", "0"]));
    assert!(plain != render("one.mp4", &["--subject-encoder", encoder, "--beta", "1"]));
}

/// What is wrong with a folder is said before long work starts.
#[test]
fn bad_folders_are_refused() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 8);
    let output = folder.path().join("encoder");
    let refused = |expected: &[&str]| {
        let result = training(&data, &output, 1).output().unwrap();
        assert!(!result.status.success());
        let words = words(&result);
        expected.iter().for_each(|part| assert!(words.contains(part), "{part} not in {words}"));
    };
    // One broken picture of 24 is left out; two are too many.
    fs::write(data.join("images/000000_01.png"), b"no picture").unwrap();
    let result = training(&data, &output, 1).output().unwrap();
    assert!(result.status.success(), "{}", words(&result));
    assert!(
        words(&result).contains("left out") && words(&result).contains("000000_01.png"),
        "{}",
        words(&result)
    );
    fs::remove_file(data.join("masks/000001_02.png")).unwrap();
    refused(&["2 of 24 pictures are broken"]);

    let metadata = data.join("metadata.jsonl");
    let lines = fs::read_to_string(&metadata).unwrap();
    fs::write(&metadata, lines.replacen("mask_file_name", "other", 1)).unwrap();
    refused(&["metadata.jsonl", "line 1", "mask_file_name"]);
    fs::write(&metadata, lines.replacen('{', "[", 1)).unwrap();
    refused(&["line 1", "not JSON"]);
    fs::write(&metadata, "\n").unwrap();
    refused(&["lists no pictures"]);
    fs::remove_file(&metadata).unwrap();
    refused(&["metadata.jsonl"]);
}

/// Pictures that turn out to be broken only when they are decoded are left out, up to one in twenty.
#[test]
fn pictures_that_cannot_be_decoded_are_left_out() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 8);
    let cut = |name: &str| {
        let path = data.join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    };
    cut("images/000003_01.png");
    let output = training(&data, &folder.path().join("one"), 6).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("000003_01.png"), "{}", words(&output));
    ["images/000003_02.png", "images/000002_01.png", "images/000001_01.png"].into_iter().for_each(cut);
    let output = training(&data, &folder.path().join("four"), 30).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert!(words(&output).contains("of 24 pictures are broken"), "{}", words(&output));
}

/// A loss that is not finite ends the training, and leaves the last good state.
#[test]
fn a_loss_that_is_not_finite_stops() {
    let folder = TempDir::new().unwrap();
    let data = puppets(folder.path(), 4);
    let output = folder.path().join("encoder");
    let result = training(&data, &output, 40).args(["--learning-rate", "1e30"]).output().unwrap();
    assert_eq!(result.status.code(), Some(2), "{}", words(&result));
    assert!(
        words(&result).contains("--learning-rate") && words(&result).contains("saved"),
        "{}",
        words(&result)
    );
    let state = output.join("training/state.safetensors");
    let state = candle_core::safetensors::load(state, &candle_core::Device::Cpu).unwrap();
    for (name, tensor) in state {
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        assert!(values.iter().all(|value| value.is_finite()), "{name}");
    }
}
