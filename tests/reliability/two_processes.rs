//! Two processes that want one output: one writes it, the other is told.

use std::process::{Child, Stdio};

use dreamtuner::video::{DecodeSettings, open_frames};
use tempfile::TempDir;

use super::support::{dance, program, repository};

/// Starts a command line in a folder.
fn start(folder: &TempDir, line: &str) -> Child {
    let mut command = program();
    command.current_dir(folder.path()).args(line.split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs two command lines at once; for each whether it succeeded, and what it said.
fn both(folder: &TempDir, lines: [&str; 2]) -> [(bool, String); 2] {
    let children = lines.map(|line| start(folder, line));
    children.map(|child| {
        let output = child.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    })
}

fn frames(folder: &TempDir, name: &str) -> usize {
    let reader = open_frames(folder.path().join(name), &DecodeSettings::default()).unwrap();
    reader.collect::<dreamtuner::Result<Vec<_>>>().unwrap().len()
}

fn assert_told(ends: &[(bool, String); 2]) {
    assert!(ends.iter().any(|(succeeded, _)| *succeeded), "both have failed: {ends:?}");
    for (_, words) in ends.iter().filter(|(succeeded, _)| !succeeded) {
        let told = ["another run of this program is writing it", "is there already", "already holds files"];
        assert!(told.iter().any(|piece| words.contains(piece)), "{words}");
    }
}

#[test]
fn poses_drawn_twice() {
    for round in 0..6 {
        let folder = TempDir::new().unwrap();
        dance(folder.path(), 40);
        let line = "pose draw dance.json --size 128x128 -o d.mp4";
        let ends = both(&folder, [line; 2]);
        assert_told(&ends);
        assert!(ends.iter().any(|(succeeded, _)| !succeeded), "both say that they wrote it, round {round}");
        assert_eq!(frames(&folder, "d.mp4"), 40);
        assert_eq!(folder.path().read_dir().unwrap().count(), 2, "something is left");
    }
}

#[test]
fn poses_drawn_over_each_other() {
    for _ in 0..4 {
        let folder = TempDir::new().unwrap();
        dance(folder.path(), 40);
        let lines = ["--size 128x128", "--size 64x64"]
            .map(|size| format!("pose draw dance.json {size} -o d.mp4 --overwrite"));
        assert_told(&both(&folder, [&lines[0], &lines[1]]));
        assert_eq!(frames(&folder, "d.mp4"), 40);
        assert_eq!(folder.path().read_dir().unwrap().count(), 2, "something is left");
    }
}

#[test]
fn renders_with_one_comparison() {
    let folder = TempDir::new().unwrap();
    dance(folder.path(), 12);
    let line = |name: &str| {
        format!(
            "animate --model {} --reference {} --reference-pose none --pose dance.json --steps 2 --size 32x32 -o {name} \
             --compare=both.mp4 --sheet=both.png",
            repository("tests/fixtures/sd1"),
            repository("examples/hero.png")
        )
    };
    let ends = both(&folder, [&line("one.mp4"), &line("other.mp4")]);
    assert_told(&ends);
    let clips = ["one.mp4", "other.mp4"].into_iter().filter(|name| folder.path().join(name).exists());
    let clips: Vec<&str> = clips.collect();
    assert_eq!(clips.len(), ends.iter().filter(|(succeeded, _)| *succeeded).count());
    assert_eq!(frames(&folder, "both.mp4"), 12);
}

#[test]
fn images_datasets_and_folders() {
    let reference = format!(
        "--model {} --reference {} --reference-pose none --steps 1 --size 16x16",
        repository("tests/fixtures/sd1"),
        repository("examples/hero.png")
    );
    for line in [
        format!("image {reference} -n 3 -o i.png"),
        "puppet dataset --identities 6 --variants 2 --size 64 -o data".to_owned(),
        "puppet clip --size 64 --frames 12 -o c.mp4 --mask masks/".to_owned(),
        "pose convert dance.json -o poses/".to_owned(),
    ] {
        let folder = TempDir::new().unwrap();
        dance(folder.path(), 40);
        assert_told(&both(&folder, [&line; 2]));
        let names = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
        let hidden: Vec<_> =
            names.filter(|name| name.to_string_lossy().starts_with(".dreamtuner-")).collect();
        assert!(hidden.is_empty(), "{line} leaves {hidden:?}");
    }
}
