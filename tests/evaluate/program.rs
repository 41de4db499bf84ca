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
