//! Clips that are split into shots, rendered one by one, and merged.

use std::fs;

use super::support::{Run, Stage, ffmpeg, model, repository, run, text};

/// Frames of each scene, and scenes.
const SCENE: usize = 4;
const SCENES: usize = 5;

/// A stage with `scenes.mp4`: a dancer in five scenes, with sound.
pub fn stage() -> Stage {
    let stage = super::plain_video::stage(SCENE);
    ffmpeg(&stage, "-i video.mp4 -vf negate -r 12 dark.mp4");
    let inputs = "-i video.mp4 -i dark.mp4 -i video.mp4 -i dark.mp4 -i video.mp4";
    let sound = "-f lavfi -i sine=duration=1.6";
    let joined = "-filter_complex [0:v][1:v][2:v][3:v][4:v]concat=n=5[v] -map [v] -map 5:a -c:a aac -r 12";
    ffmpeg(&stage, &format!("{inputs} {sound} {joined} scenes.mp4"));
    stage
}

/// What a clip is made of.
pub const CLIP: &str =
    "--reference puppet.png --reference-pose none --pose scenes.mp4 --size 32x32 --steps 2";

pub fn program(stage: &Stage, arguments: &str) -> Run {
    let mut command = stage.program();
    command.args(arguments.split_whitespace());
    run(command)
}

fn shot(stage: &Stage, folder: &str, number: usize) -> Run {
    program(stage, &format!("animate --split {folder} --shot {number}"))
}

/// The frames of a clip, and its sound, as they are encoded.
fn bytes(stage: &Stage, name: &str) -> Vec<u8> {
    fs::read(stage.path(name)).unwrap()
}

#[test]
fn shots_are_the_clip_byte_for_byte() {
    let stage = stage();
    // With a subject encoder and without; previous features kept and made anew; 32 bits and 16; with the first frame as a reference.
    // A file that is named as seen from where the clip was split, with a weight behind its name.
    let mini = text(&repository("models/mini"));
    fs::copy(repository("tests/fixtures/sd1/lora/diffusers.safetensors"), stage.path("own.safetensors"))
        .unwrap();
    let kinds = [
        format!("--model {mini}"),
        format!("--model {mini} --beta 0 --previous-features renoise --dtype f16 --seed 7"),
        format!("--model {} --first-weight 1 --lora own.safetensors:0.5", model()),
    ];
    for (number, kind) in kinds.iter().enumerate() {
        let options = format!("{CLIP} {kind}");
        program(&stage, &format!("animate {options} -o whole{number}.mp4")).succeeded();
        let folder = format!("job{number}.split");
        let told = program(&stage, &format!("split {options} -o {folder}")).succeeded();
        told.says(&["shot 0: frames 0 to 3", "shot 4: frames 16 to 19"]);
        // In another order, from another folder.
        for number in [3, 0, 4, 2, 1] {
            let mut command = stage.program();
            let folder = text(&stage.path(&folder));
            command.args(["animate", "--split", &folder, "--shot", &number.to_string()]);
            command.current_dir(stage.path("").parent().unwrap());
            run(command).succeeded();
        }
        program(&stage, &format!("merge {folder} -o merged{number}.mp4 --sheet")).succeeded();
        assert!(stage.path(&format!("merged{number}.sheet.png")).is_file());
        let (whole, merged) = (format!("whole{number}.mp4"), format!("merged{number}.mp4"));
        assert!(bytes(&stage, &whole) == bytes(&stage, &merged), "{kind}: the bytes differ");
    }
}

#[test]
fn pieces_of_a_shot_are_warmed_up() {
    let stage = stage();
    let options = format!("{CLIP} --model {} --extra-split 3 --warm-up 2 -o job.split", model());
    let told = program(&stage, &format!("split {options}")).succeeded();
    told.says(&["shot 0: frames 0 to 1\n", "shot 1: frames 2 to 3, 2 rendered before\n"]);
    for number in 0..2 * SCENES {
        shot(&stage, "job.split", number).succeeded();
    }
    program(&stage, "merge job.split -o out.mp4").succeeded();
    assert_eq!(stage.frames("out.mp4").len(), SCENES * SCENE);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let stage = stage();
    let split = |folder: &str, more: &str| {
        program(&stage, &format!("split {CLIP} --model {} {more} -o {folder}", model()))
    };
    split("job.split", "").succeeded();
    split("job.split", "").failed(6, &["job.split", "already holds files"]);
    split("other.split", "--seed 5").succeeded();
    split("new.split", "--sheet").failed(2, &["--sheet"]);
    assert_eq!(split("new.split", "--warm-up 2").code, Some(2));
    assert!(!stage.path("new.split").exists());
    program(&stage, "animate --split scenes.mp4 --shot 0").failed(5, &["scenes.mp4"]);
    shot(&stage, "job.split", 5).failed(2, &["--shot: 5; there are shots 0 to 4"]);
    program(&stage, "farm plan job.split").failed(2, &["--seconds-per-frame", "no shot is finished yet"]);
    shot(&stage, "job.split", 1).succeeded();
    shot(&stage, "job.split", 1).succeeded().says(&["shot 1 is finished already"]);
    let status = program(&stage, "farm status job.split").succeeded().stdout;
    assert!(status.contains("1      4 to 7         all, "), "{status}");
    assert!(status.contains("4      16 to 19       none\n1 of 5 shots, 4 of 20 frames; about "), "{status}");
    let status = program(&stage, "farm status job.split --json").succeeded().stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["shots"][1]["finished"], 4);
    assert_eq!(status["shots"][2]["is_complete"], false);
    // 4 shots of 4 frames are left: two for each of two machines.
    let plan = program(&stage, "farm plan job.split --machines 1,2,99 --seconds-per-frame 3 --start-up 1");
    let rows =
        ["1          00:00:52      0.01            0 %", "2          00:00:26      0.01            0 %"];
    let plan = plan.succeeded().stdout;
    for row in
        rows.into_iter().chain(["4 shots, 16 frames; 3.00 s a frame, 1.0 s before", "99         00:00:13"])
    {
        assert!(plan.contains(row), "{row} is missing in {plan}");
    }
    let plan = program(&stage, "farm plan job.split --machines 4 --json").succeeded().stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let seconds = plan["start_seconds"].as_f64().unwrap() + 4.0 * plan["seconds_per_frame"].as_f64().unwrap();
    assert!((plan["machines"][0]["seconds"].as_f64().unwrap() - seconds).abs() < 1e-6, "{plan}");
    program(&stage, "farm plan job.split --machines 0").failed(2, &["--machines", "1 to 100000"]);
    // Jobs for schedulers.
    let script =
        program(&stage, "farm slurm job.split -o out.mkv --at-once 2 -- -p gpu --gres gpu:1").succeeded();
    for piece in ["--array=0-4%2", "-p gpu --gres gpu:1 <<'SHOTS'", "afterok", "-p gpu <<'MERGE'", "merge "] {
        assert!(script.stdout.contains(piece), "{piece} is missing in {}", script.stdout);
    }
    program(&stage, "farm openjd job.split -o bundle --gpu").succeeded();
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(stage.path("bundle").join(name)).unwrap()).unwrap()
    };
    let shots = &json("template.json")["steps"][0]["parameterSpace"]["taskParameterDefinitions"][0];
    assert_eq!(shots["range"], "0-4");
    let values = &json("parameter_values.json")["parameterValues"];
    assert_eq!(values[1]["value"], text(&stage.path("job.mp4")));
    program(&stage, "farm openjd job.split -o bundle").failed(6, &["bundle", "already holds files"]);
    fs::rename(stage.path("puppet.png"), stage.path("away.png")).unwrap();
    program(&stage, "farm slurm job.split").failed(5, &["puppet.png"]);
    fs::rename(stage.path("away.png"), stage.path("puppet.png")).unwrap();
    let missing = ["job.split", "4 of 5 shots are not finished: 0, 2, 3, 4"];
    program(&stage, "merge job.split -o out.mkv").failed(3, &missing);
    for number in [0, 2, 3, 4] {
        shot(&stage, "job.split", number).succeeded();
    }
    // A shot of another clip.
    shot(&stage, "other.split", 2).succeeded();
    let record = stage.path("job.split/shots/00002.json");
    let own = fs::read(&record).unwrap();
    fs::copy(stage.path("other.split/shots/00002.json"), &record).unwrap();
    program(&stage, "merge job.split -o out.mkv").failed(7, &["00002.json", "settings.seed: 0 → 5"]);
    fs::write(&record, own).unwrap();
    // A picture that is missing, and one that is another.
    let picture = stage.path("job.split/shots/00003.json.frames/000002.png");
    let whole = fs::read(&picture).unwrap();
    fs::write(&picture, &whole[..whole.len() / 2]).unwrap();
    program(&stage, "merge job.split -o out.mkv").failed(3, &["000002.png", "is not the picture", "shot 3"]);
    fs::remove_file(&picture).unwrap();
    program(&stage, "merge job.split -o out.mkv").failed(3, &["000002.png", "is missing", "shot 3"]);
    fs::write(&picture, whole).unwrap();
    assert!(!stage.path("out.mkv").exists());
    program(&stage, "merge job.split -o out.mkv").succeeded();
    program(&stage, "merge job.split -o out.mkv").failed(6, &["out.mkv", "is there already"]);
    // Settings that have changed since.
    let options = stage.path("other.split/options.toml");
    let text = fs::read_to_string(&options).unwrap();
    fs::write(&options, text.replace("seed = \"5\"", "seed = \"6\"")).unwrap();
    shot(&stage, "other.split", 0).failed(7, &["other.split", "settings.seed: 5 → 6"]);
    // A dance that has changed since.
    fs::write(&options, text).unwrap();
    fs::copy(stage.path("dark.mp4"), stage.path("scenes.mp4")).unwrap();
    shot(&stage, "other.split", 0).failed(7, &["pose.file"]);
    program(&stage, "merge job.split -o again.mkv")
        .failed(3, &["scenes.mp4", "is not the dance that was split"]);
}

#[test]
fn weights_that_have_changed_since_are_refused() {
    let stage = stage();
    let lora = stage.path("own.safetensors");
    let fixture = |name: &str| repository("tests/fixtures/sd1/lora").join(name);
    fs::copy(fixture("diffusers.safetensors"), &lora).unwrap();
    let options = format!("{CLIP} --model {} --lora own.safetensors", model());
    program(&stage, &format!("split {options} -o job.split")).succeeded();
    shot(&stage, "job.split", 0).succeeded();
    let mut weights = fs::read(&lora).unwrap();
    let last = weights.len() - 1;
    weights[last] ^= 1;
    fs::write(&lora, weights).unwrap();
    shot(&stage, "job.split", 1).failed(7, &["job.split", "lora"]);
    fs::remove_file(&lora).unwrap();
    program(&stage, "farm slurm job.split").failed(5, &["own.safetensors"]);
    shot(&stage, "job.split", 1).failed(5, &["own.safetensors"]);
    // What is finished stays so.
    let status = program(&stage, "farm status job.split").succeeded().stdout;
    assert!(status.contains("1 of 5 shots, 4 of 20 frames"), "{status}");
}

#[test]
fn clocks_that_differ_change_nothing() {
    let stage = stage();
    program(&stage, &format!("split {CLIP} --model {} -o job.split", model())).succeeded();
    // Another machine's clock is a day ahead, or years behind.
    let touched = |name: &str, time: &str| {
        let mut command = std::process::Command::new("touch");
        assert!(command.args(["-d", time]).arg(stage.path(name)).status().unwrap().success());
    };
    for number in 0..SCENES {
        touched("job.split/split.json", if number % 2 == 0 { "tomorrow" } else { "1999-01-01" });
        touched("scenes.mp4", if number % 2 == 0 { "1999-01-01" } else { "tomorrow" });
        shot(&stage, "job.split", number).succeeded();
        touched(&format!("job.split/shots/{number:05}.json"), "tomorrow");
    }
    program(&stage, "merge job.split -o out.mp4").succeeded();
    assert_eq!(stage.frames("out.mp4").len(), SCENES * SCENE);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_long_work() {
    let stage = stage();
    program(&stage, &format!("split {CLIP} --model {} -o job.split", model())).succeeded();
    // As a folder that is read only, but for root, too.
    fs::write(stage.path("job.split/shots"), "").unwrap();
    let told = shot(&stage, "job.split", 0).failed(5, &["job.split/shots"]);
    assert!(!told.stderr.contains("frame 1"), "{}", told.stderr);
    fs::remove_file(stage.path("job.split/shots")).unwrap();
    shot(&stage, "job.split", 0).succeeded();
}

#[test]
fn engines_that_are_missing_are_told_and_large_arrays_are_divided() {
    let stage = stage();
    program(&stage, &format!("split {CLIP} --model {} -o job.split", model())).succeeded();
    // A cluster whose arrays may have two tasks.
    let bin = stage.path("bin");
    fs::create_dir(&bin).unwrap();
    let on_cluster = |arguments: &str| {
        let mut command = stage.program();
        command.env("PATH", &bin).args(arguments.split_whitespace());
        run(command)
    };
    on_cluster("farm slurm job.split --submit").failed(2, &["--submit", "sbatch is not installed here"]);
    on_cluster("farm openjd job.split -o bundle --submit")
        .failed(2, &["--submit", "deadline is not installed"]);
    let tell = bin.join("scontrol");
    fs::write(&tell, "#!/bin/sh\necho 'MaxArraySize            = 3'\n").unwrap();
    fs::set_permissions(&tell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = on_cluster("farm slurm job.split").succeeded().stdout;
    for piece in ["--array=0-1", "shot=$((SLURM_ARRAY_TASK_ID * 3))", "-le 5 ] || end=5"] {
        assert!(script.contains(piece), "{piece} is missing in {script}");
    }
}
