//! Files that were there before: none of them is lost unasked, and none that is an input at all.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::support::{Files, Run, dance, files, program, repository, run};

/// A render of two frames.
const RENDER: &str = "animate {small} --reference hero.png --reference-pose none --pose dance.json -o o.mp4";

/// The number of the call that the log tells with this end.
fn number(calls: &[String], end: &str) -> usize {
    calls.iter().position(|call| call.ends_with(end)).unwrap() + 1
}

/// A folder with a dance and a reference of the user's own.
struct Desk {
    folder: TempDir,
    model: String,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        dance(folder.path(), 2);
        std::fs::copy(repository("examples/hero.png"), folder.path().join("hero.png")).unwrap();
        Self { folder, model: repository("tests/fixtures/sd1") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "mine").unwrap();
    }

    fn files(&self) -> Files {
        files(self.folder.path())
    }

    /// Runs a command line in the folder; `{small}` stands for a small model and one step.
    fn run(&self, line: &str) -> Run {
        run(&mut self.command(line))
    }

    fn command(&self, line: &str) -> Command {
        let small = format!("--model {} --steps 1 --size 16x16", self.model);
        let mut command = program();
        let line = line.replace("{small}", &small);
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    /// Runs a command line to its end; the calls that it makes to change the disk.
    fn calls(&self, line: &str) -> Vec<String> {
        let log = self.path("log");
        run(self.command(line).env("DREAMTUNER_DISK_LOG", &log)).succeeded();
        let calls = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    /// Runs a command line that is killed at a call.
    fn killed(&self, line: &str, call: usize) {
        let run = run(self.command(line).env("DREAMTUNER_DISK_FAULT", format!("{call}:kill")));
        assert!(run.signal.is_some(), "{run:?}");
    }

    fn animate(&self, arguments: &str) -> Run {
        self.run(&format!(
            "animate {{small}} --reference hero.png --reference-pose none --pose dance.json {arguments}"
        ))
    }

    fn tune(&self, arguments: &str) -> Run {
        self.run(&format!(
            "tune --reference hero.png --reference-pose none --class puppet --steps 1 --regular 0 {arguments}"
        ))
    }

    /// Asserts that a command was refused and has changed nothing.
    #[track_caller]
    fn refused(&self, before: &Files, run: Run, code: i32, pieces: &[&str]) {
        run.failed(code, pieces);
        assert_eq!(&self.files(), before, "something has changed");
    }
}

#[test]
fn own_pictures_where_frames_go() {
    for first in ["000000.png", "000003.png"] {
        let desk = Desk::new();
        desk.write(&format!("o.mp4.frames/{first}"));
        desk.write("o.mp4.frames/notes.txt");
        let before = desk.files();
        for overwrite in ["", "--overwrite"] {
            let run = desk.animate(&format!("-o o.mp4 {overwrite}"));
            desk.refused(&before, run, 6, &[first, "is no frame of this program"]);
        }
    }
}

#[test]
fn own_pictures_where_frames_go_by_a_link() {
    let desk = Desk::new();
    desk.write("album/000001.png");
    symlink("album", desk.path("o.mp4.frames")).unwrap();
    let before = desk.files();
    desk.refused(&before, desk.animate("-o o.mp4"), 6, &["000001.png", "is no frame of this program"]);
    // An empty folder may be lent, and stays.
    std::fs::remove_file(desk.path("album/000001.png")).unwrap();
    desk.animate("-o o.mp4").succeeded();
    assert!(desk.path("o.mp4.frames").symlink_metadata().unwrap().is_symlink());
    assert_eq!(desk.path("album").read_dir().unwrap().count(), 0);
}

#[test]
fn files_called_as_a_journals() {
    for name in ["plan.json", "poses.safetensors", "000009.latent", "000009.trajectory"] {
        let desk = Desk::new();
        desk.write(&format!("o.mp4.frames/{name}"));
        let before = desk.files();
        desk.refused(&before, desk.animate("-o o.mp4"), 6, &[name, "move it away"]);
    }
}

#[test]
fn frames_folders_that_are_none() {
    let desk = Desk::new();
    desk.write("o.mp4.frames");
    symlink("nowhere", desk.path("p.mp4.frames")).unwrap();
    let before = desk.files();
    desk.refused(&before, desk.animate("-o o.mp4"), 6, &["o.mp4.frames", "is no folder"]);
    desk.refused(&before, desk.animate("-o p.mp4"), 6, &["p.mp4.frames", "is a link to nothing"]);
}

#[test]
fn own_pictures_in_an_output_folder() {
    let desk = Desk::new();
    desk.write("film/000001.png");
    desk.write("film/000007.png");
    let before = desk.files();
    desk.refused(&before, desk.animate("-o film/"), 6, &["film/00000", "is there already; --overwrite"]);
    // Asked to, the program replaces what it needs the name of, and nothing else.
    desk.animate("-o film/ --overwrite").succeeded().failed_not("000001");
    assert_eq!(std::fs::read(desk.path("film/000007.png")).unwrap(), b"mine");
    assert!(image::open(desk.path("film/000001.png")).is_ok());
    // A longer sequence of its own is replaced as a whole.
    desk.run("pose draw dance.json --size 32x32 -o drawn/").succeeded();
    std::fs::copy(desk.path("drawn/000001.png"), desk.path("drawn/000002.png")).unwrap();
    desk.write("drawn/000003.png");
    desk.run("pose draw dance.json --size 32x32 -o drawn/ --overwrite").succeeded();
    assert!(!desk.path("drawn/000002.png").exists() && desk.path("drawn/000003.png").exists());
}

impl Run {
    #[track_caller]
    fn failed_not(&self, piece: &str) {
        assert!(!self.stderr.contains(piece), "{}", self.stderr);
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let desk = Desk::new();
    std::fs::write(desk.path("long.json"), {
        let pose: serde_json::Value =
            serde_json::from_slice(&std::fs::read(desk.path("dance.json")).unwrap()).unwrap();
        serde_json::to_vec(&vec![pose[0].clone(); 600]).unwrap()
    })
    .unwrap();
    let mut command = program();
    command.current_dir(desk.folder.path()).args(["pose", "draw", "long.json", "-o", "out.mp4"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !desk.path(".dreamtuner-out.mp4.part").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    desk.write("out.mp4");
    let output = child.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(6) && words.contains("is there already"), "{words}");
    assert_eq!(std::fs::read(desk.path("out.mp4")).unwrap(), b"mine");
}

#[test]
fn inputs_are_no_outputs() {
    let desk = Desk::new();
    std::fs::hard_link(desk.path("hero.png"), desk.path("twin.png")).unwrap();
    symlink("hero.png", desk.path("link.png")).unwrap();
    symlink("dance.json", desk.path("dance.mp4")).unwrap();
    let before = desk.files();
    let image = "image {small} --reference hero.png --overwrite -o";
    for output in ["hero.png", "twin.png", "link.png", "./hero.png"] {
        desk.refused(
            &before,
            desk.run(&format!("{image} {output}")),
            6,
            &["would replace an input, hero.png"],
        );
    }
    let image = "image {small} --reference link.png --overwrite -o";
    desk.refused(&before, desk.run(&format!("{image} link.png")), 6, &["would replace an input"]);
    for line in [
        "pose convert dance.json -o dance.json --overwrite",
        "pose smooth dance.json -o dance.json --overwrite",
        "pose retarget dance.json --to hero.png -o dance.json --overwrite",
        "pose draw dance.json -o dance.mp4 --overwrite",
        "attention {small} --reference hero.png -o hero.png --overwrite",
        "attention {small} --reference hero.png -o a.png --plot hero.png --overwrite",
        "tune --reference hero.png --class puppet -o hero.png --overwrite",
    ] {
        desk.refused(&before, desk.run(line), 6, &["would replace an input"]);
    }
}

#[test]
fn a_saved_configuration_replaces_nothing() {
    let desk = Desk::new();
    desk.write("precious.txt");
    let before = desk.files();
    for (name, problem) in [
        ("precious.txt", "is there already"),
        ("dance.json", "would replace an input"),
        ("hero.png", "would replace an input"),
        ("o.mp4", "is named for two outputs"),
    ] {
        let run = desk.animate(&format!("-o o.mp4 --save-config {name}"));
        desk.refused(&before, run, 6, &[name, problem]);
    }
    // Nor is it written where the render is refused for another reason.
    desk.refused(&before, desk.animate("-o o.mp4 --save-config c.toml --steps 0"), 2, &["--steps"]);
    desk.animate("-o o.mp4 --save-config c.toml").succeeded();
    assert!(desk.path("c.toml").is_file());
}

#[test]
fn folders_with_the_names_of_files() {
    let desk = Desk::new();
    desk.write("x.mp4/a");
    desk.write("x.png/a");
    let before = desk.files();
    for overwrite in ["", "--overwrite"] {
        desk.refused(&before, desk.animate(&format!("-o x.mp4 {overwrite}")), 6, &["x.mp4", "is a folder"]);
        let image = format!("image {{small}} --reference hero.png -o x.png {overwrite}");
        desk.refused(&before, desk.run(&image), 6, &["x.png", "is a folder"]);
    }
}

#[test]
fn links_are_replaced_and_what_they_lead_to_stays() {
    let desk = Desk::new();
    desk.write("target.mp4");
    symlink("target.mp4", desk.path("o.mp4")).unwrap();
    symlink("nowhere.mp4", desk.path("p.mp4")).unwrap();
    let before = desk.files();
    desk.refused(&before, desk.animate("-o o.mp4"), 6, &["is there already"]);
    desk.refused(&before, desk.animate("-o p.mp4"), 6, &["is there already"]);
    desk.animate("-o o.mp4 --overwrite").succeeded();
    assert_eq!(std::fs::read(desk.path("target.mp4")).unwrap(), b"mine");
    assert!(desk.path("o.mp4").symlink_metadata().unwrap().is_file());
}

#[test]
fn what_a_tuning_finds() {
    let desk = Desk::new();
    desk.write("t.subject");
    desk.write("u.subject.tune/000001.png");
    desk.write("lora/lora_kohya.safetensors");
    let before = desk.files();
    desk.refused(&before, desk.tune("-o t.subject"), 6, &["t.subject", "is there already; --overwrite"]);
    desk.refused(&before, desk.tune("-o hero.png"), 6, &["would replace an input"]);
    desk.refused(&before, desk.tune("-o u.subject"), 6, &["u.subject.tune", "not of this program"]);
    let run = desk.tune("-o v.subject --export lora");
    desk.refused(&before, run, 6, &["lora_kohya.safetensors", "is there already"]);
}

#[test]
fn folders_that_are_worked_in() {
    let desk = Desk::new();
    desk.write("data/metadata.jsonl");
    desk.write("results/report.md");
    desk.write("encoder/config.json");
    let before = desk.files();
    let dataset = "puppet dataset --identities 3 --variants 2 --size 32 -o";
    desk.refused(&before, desk.run(&format!("{dataset} data")), 6, &["data", "is there already"]);
    let benchmark = "eval puppets --model {model} --steps 1 --size 32 --identities 1 --frames 1 -o results";
    let benchmark = benchmark.replace("{model}", &desk.model);
    desk.refused(&before, desk.run(&benchmark), 6, &["results", "not of this program"]);
    desk.run(&format!("{dataset} puppets")).succeeded();
    let before = desk.files();
    let train = "train subject-encoder --data puppets --size 32 --held-out 1 --batch 1 --steps 1 -o encoder";
    desk.refused(&before, desk.run(train), 6, &["encoder", "not of this program"]);
    desk.run(&format!("{benchmark} --overwrite")).succeeded();
}

#[test]
fn files_with_names_that_were_once_the_programs() {
    let desk = Desk::new();
    desk.write(".z.mp4.part");
    desk.run("pose draw dance.json --size 32x32 -o z.mp4").succeeded();
    assert_eq!(std::fs::read(desk.path(".z.mp4.part")).unwrap(), b"mine");
}

#[test]
fn a_render_with_other_settings_is_begun_anew_if_asked_to() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("o.mp4.frames")).unwrap();
    desk.killed(&format!("{RENDER} --seed 1"), 40);
    assert!(desk.path("o.mp4.frames/000000.png").exists(), "{:?}", desk.files());
    desk.animate("-o o.mp4 --seed 2").failed(7, &["other settings", "settings.seed: 1 → 2"]);
    desk.animate("-o o.mp4 --seed 2 --overwrite").succeeded();
    assert!(!desk.path("o.mp4.frames").exists());
}

/// A render that was interrupted has left a part of the clip, which is its own to replace, and no other's.
#[test]
fn an_interrupted_render_is_not_lost_to_another() {
    let desk = Desk::new();
    let poses: serde_json::Value =
        serde_json::from_slice(&std::fs::read(desk.path("dance.json")).unwrap()).unwrap();
    std::fs::write(desk.path("dance.json"), serde_json::to_vec(&vec![poses[0].clone(); 200]).unwrap())
        .unwrap();
    let mut command = program();
    command.current_dir(desk.folder.path()).args([
        "animate",
        "--model",
        &desk.model,
        "--steps",
        "1",
        "--size",
        "16x16",
    ]);
    command.args("--reference hero.png --reference-pose none --pose dance.json -o o.mkv".split(' '));
    let child = command.spawn().unwrap();
    while !desk.path("o.mkv.frames/000002.png").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let stop = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(stop.success() && child.wait_with_output().unwrap().status.code() == Some(130));
    assert!(desk.path("o.mkv").exists());
    let before = desk.files();
    let run = desk.animate("-o o.mkv --seed 3");
    desk.refused(&before, run, 7, &["settings.seed: 0 → 3"]);
    desk.animate("-o o.mkv").succeeded();
    let before = desk.files();
    desk.refused(&before, desk.animate("-o o.mkv"), 6, &["is there already"]);
}

/// A clip that is whole is not refused because its render was cut off while it tidied up.
#[test]
fn tidying_up_is_finished_by_the_same_command() {
    let desk = Desk::new();
    let calls = desk.calls(RENDER);
    let last = calls.len();
    let (first_frame, published) =
        (number(&calls, "Rename o.mp4.frames/000000.png"), number(&calls, "Rename o.mp4"));
    let clip = std::fs::read(desk.path("o.mp4")).unwrap();
    for call in published + 4..=last {
        std::fs::remove_file(desk.path("o.mp4")).unwrap();
        desk.killed(RENDER, call);
        assert!(std::fs::read(desk.path("o.mp4")).unwrap() == clip);
        let end = desk.animate("-o o.mp4 --json").succeeded();
        assert!(!end.stderr.contains("frame 1/2"), "rendered again: {}", end.stderr);
        let left: Vec<PathBuf> =
            desk.files().into_keys().filter(|name| name.starts_with(".dreamtuner-")).collect();
        assert!(left.is_empty() && !desk.path("o.mp4.frames").exists(), "{left:?}");
    }
    assert!(last > published + 8);
    // Where the clip is removed meanwhile, it is rendered again, and its new frames are not tidied up.
    std::fs::remove_file(desk.path("o.mp4")).unwrap();
    desk.killed(RENDER, last);
    std::fs::remove_file(desk.path("o.mp4")).unwrap();
    desk.killed(RENDER, first_frame + 6);
    assert!(desk.path("o.mp4.frames/000000.png").exists(), "{:?}", desk.files());
    let end = desk.animate("-o o.mp4 --json").succeeded();
    assert_eq!(end.errors(), 0, "{}", end.stderr);
    assert!(std::fs::read(desk.path("o.mp4")).unwrap() == clip);
}

/// Inputs within folders, and inputs that only one option names.
#[test]
fn inputs_in_folders_are_no_outputs() {
    let desk = Desk::new();
    let hero = std::fs::read(desk.path("hero.png")).unwrap();
    for name in ["film/000000.png", "film/000009.png", "pictures/000001.png"] {
        desk.write(name);
        std::fs::write(desk.path(name), &hero).unwrap();
    }
    desk.run("pose convert dance.json -o poses/").succeeded();
    std::fs::write(desk.path("steps.txt"), "tempo 100\nlength 2\nbeat 0\n").unwrap();
    desk.write("options.toml");
    std::fs::write(desk.path("options.toml"), "steps = 1\n").unwrap();
    let first = desk.path("poses").read_dir().unwrap().next().unwrap().unwrap().file_name();
    let before = desk.files();
    let onto_pose = format!("pose convert poses/ -o poses/{} --overwrite", first.to_str().unwrap());
    for line in [
        "animate {small} --reference film/000000.png --pose dance.json -o film/ --overwrite",
        "animate {small} --reference film/000009.png --pose dance.json -o film/%06d.png --overwrite",
        "animate {small} --reference film/000009.png --pose dance.json -o film --overwrite",
        &onto_pose,
        "pose extract pictures/ -o p.json --overlay pictures/%06d.png --overwrite",
        "puppet clip --dance steps.txt -o c.mp4 --poses steps.txt --overwrite",
        "animate {small} --reference hero.png --pose dance.json -o o.mp4 --config options.toml \
         --save-config options.toml --overwrite",
    ] {
        desk.refused(&before, desk.run(line), 6, &["would replace an input"]);
    }
}

/// A sequence of pictures has one name, however it is written.
#[test]
fn one_folder_of_pictures_named_in_two_ways() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("film")).unwrap();
    let before = desk.files();
    let run = desk.animate("-o film/ --compare=film/%06d.png --overwrite");
    desk.refused(&before, run, 6, &["is named for two outputs"]);
    std::fs::write(desk.path("taken"), "mine").unwrap();
    let before = desk.files();
    desk.refused(&before, desk.animate("-o taken/"), 6, &["is no folder"]);
}

#[test]
fn a_percent_sign_is_no_number() {
    let desk = Desk::new();
    desk.run("pose draw dance.json --size 32x32 -o 100%d.mp4").succeeded();
    assert!(desk.path("100%d.mp4").is_file());
    desk.run("pose draw dance.json --size 32x32 -o 100%.png").failed(6, &["100%.png", "with one number"]);
}

/// The program works in the folder where it stands.
#[test]
fn the_folder_itself_as_output() {
    let desk = Desk::new();
    let line = "eval puppets --model {model} --steps 1 --size 32 --identities 1 --frames 1 -o .";
    let folder = TempDir::new().unwrap();
    let mut command = program();
    command.current_dir(folder.path());
    run(command.args(line.replace("{model}", &desk.model).split_whitespace())).succeeded();
    let folder = TempDir::new().unwrap();
    std::fs::copy(desk.path("dance.json"), folder.path().join("dance.json")).unwrap();
    let mut command = program();
    run(command.current_dir(folder.path()).args("pose draw dance.json --size 32x32 -o ./".split(' ')))
        .succeeded();
    assert_eq!(files(folder.path()).len(), 3);
}

/// A hidden folder of the program's that leads elsewhere.
#[test]
fn a_link_where_a_folder_grows() {
    let desk = Desk::new();
    desk.write("photos/one.png");
    symlink("photos", desk.path(".dreamtuner-poses.part")).unwrap();
    let before = desk.files();
    desk.refused(&before, desk.run("pose convert dance.json -o poses/"), 6, &["is in the way"]);
}

/// Pictures that were edited after a command was cut off are not its own any more.
#[test]
fn pictures_edited_before_the_command_goes_on() {
    let desk = Desk::new();
    let line = "pose draw dance.json --size 32x32 -o film/";
    let last = number(&desk.calls(line), "Rename film/000001.png");
    std::fs::remove_dir_all(desk.path("film")).unwrap();
    desk.killed(line, last);
    let picture = desk.path("film/000000.png");
    let mut edited = std::fs::read(&picture).unwrap();
    edited.extend(b"edited");
    std::fs::write(&picture, &edited).unwrap();
    desk.run(line).failed(6, &["film/000000.png", "is there already"]);
    assert_eq!(std::fs::read(&picture).unwrap(), edited);
}

/// Frames of a render are kept from another one also where the first is gone.
#[test]
fn a_render_without_its_first_frame() {
    let desk = Desk::new();
    let last = number(&desk.calls(RENDER), "Rename o.mp4.frames/000001.png");
    std::fs::remove_file(desk.path("o.mp4")).unwrap();
    desk.killed(RENDER, last + 1);
    assert!(desk.path("o.mp4.frames/000001.png").exists(), "{:?}", desk.files());
    std::fs::remove_file(desk.path("o.mp4.frames/000000.png")).unwrap();
    desk.animate("-o o.mp4 --seed 2").failed(7, &["other settings", "settings.seed: 0 → 2"]);
    assert!(desk.path("o.mp4.frames/000001.png").exists());
}

/// Stills made from a picture that has changed meanwhile are not mixed with those before.
#[test]
fn several_images_of_a_changed_reference() {
    let desk = Desk::new();
    let line = "image {small} --reference hero.png --reference-pose none -n 3 -o i.png";
    let second = number(&desk.calls(line), "Rename i-2.png");
    for name in ["i.png", "i-1.png", "i-2.png", "i-3.png"] {
        std::fs::remove_file(desk.path(name)).unwrap();
    }
    desk.killed(line, second);
    std::fs::copy(repository("examples/hero.png"), desk.path("hero.png")).unwrap();
    desk.run(line).failed(6, &["i-1.png", "is there already"]);
    desk.run(&format!("{line} --overwrite")).succeeded();
}
