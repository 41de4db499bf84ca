//! Many clips, rendered as one job.

use std::fs;

use super::split::{program, stage};
use super::support::{Run, Stage, model};

const SHARED: &str = "size = \"32x32\"\nsteps = 2\nreference-pose = \"none\"\n";

fn write(stage: &Stage, name: &str, text: &str) {
    fs::write(stage.path(name), text).unwrap();
}

/// A table of which every combination is a clip.
fn table(stage: &Stage) {
    let each =
        "[each]\nreference = [\"puppet.png\"]\npose = [\"scenes.mp4\", \"./video.mp4\"]\nseed = [1, 2]\n";
    let text = format!("output = \"out/{{reference}}-{{pose}}-{{seed}}.mp4\"\nmodel = {:?}\n", model());
    write(stage, "clips.toml", &format!("{text}{SHARED}{each}"));
    fs::create_dir_all(stage.path("out")).unwrap();
}

fn batch(stage: &Stage, table: &str, folder: &str) -> Run {
    program(stage, &format!("batch {table} -o {folder}"))
}

#[test]
fn every_combination_is_a_clip_with_shots_of_one_job() {
    let stage = stage();
    table(&stage);
    let told = batch(&stage, "clips.toml", "all.batch").succeeded();
    told.says(&["shots 0 to 4: ", "out/puppet-scenes-1.mp4", "shots 10 to 10: ", "out/puppet-video-1.mp4"]);
    let status = program(&stage, "farm status all.batch").succeeded().stdout;
    assert!(status.contains("00002-puppet-video-1.split\n10     0 to 3         none\n"), "{status}");
    assert!(status.ends_with("0 of 12 shots, 0 of 48 frames\n"), "{status}");
    let script = program(&stage, "farm slurm all.batch").succeeded().stdout;
    assert!(
        script.contains("--array=0-11 ") && script.contains("merge ") && !script.contains(" -o "),
        "{script}"
    );
    program(&stage, "farm slurm all.batch -o out.mp4").failed(2, &["--output", "each clip of a batch"]);
    program(&stage, "farm openjd all.batch -o bundle").succeeded();
    let template = fs::read_to_string(stage.path("bundle/template.json")).unwrap();
    assert!(template.contains("\"0-11\"") && !template.contains("Clip"), "{template}");
    for shot in (0..12).rev() {
        program(&stage, &format!("animate --split all.batch --shot {shot}")).succeeded();
    }
    program(&stage, "animate --split all.batch --shot 12")
        .failed(2, &["--shot: 12; there are shots 0 to 11"]);
    program(&stage, "merge all.batch -o out.mp4").failed(2, &["--output", "each clip of a batch"]);
    program(&stage, "merge all.batch").succeeded();
    let options =
        format!("--reference puppet.png --reference-pose none --size 32x32 --steps 2 --model {}", model());
    for (pose, seed) in [("scenes", 2), ("video", 1)] {
        let straight = format!("animate {options} --pose {pose}.mp4 --seed {seed} -o straight-{pose}.mp4");
        program(&stage, &straight).succeeded();
        let bytes = |name: String| fs::read(stage.path(&name)).unwrap();
        let (own, merged) = (format!("straight-{pose}.mp4"), format!("out/puppet-{pose}-{seed}.mp4"));
        assert!(bytes(own) == bytes(merged), "{pose}, {seed}: the bytes differ");
    }
}

#[test]
fn lines_of_a_csv_are_clips_and_what_was_cut_off_goes_on() {
    let stage = stage();
    write(&stage, "shared.toml", &format!("model = {:?}\n{SHARED}", model()));
    write(
        &stage,
        "clips.csv",
        "reference, pose, seed, output\npuppet.png, video.mp4, 3, a.mp4\npuppet.png, scenes.mp4, , b.mp4\n",
    );
    let split = || program(&stage, "batch clips.csv --config shared.toml -o all.batch --extra-split 2");
    split().succeeded().says(&["shots 0 to 1: ", "a.mp4", "shots 2 to 11: ", "b.mp4"]);
    split().failed(6, &["all.batch", "already holds clips"]);
    // As if it had been cut off before the end.
    let name = stage.path("all.batch/batch.json");
    let whole = fs::read(&name).unwrap();
    fs::remove_file(&name).unwrap();
    fs::remove_dir_all(stage.path("all.batch/00001-b.split")).unwrap();
    program(&stage, "animate --split all.batch/00000-a.split --shot 1").succeeded();
    split().succeeded();
    assert_eq!(fs::read(&name).unwrap(), whole);
    let status = program(&stage, "farm status all.batch --json").succeeded().stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (&status["shots"][1]["is_complete"], &status["shots"][2]["clip"]),
        (&true.into(), &"00001-b.split".into())
    );
    program(&stage, "merge all.batch").failed(3, &["1 of 2 shots are not finished: 0"]);
}

#[test]
fn tables_that_cannot_be_used_are_refused_before_anything_is_read() {
    let stage = stage();
    let clip = "reference = \"puppet.png\"\npose = \"video.mp4\"\n";
    let cases: [(&str, String, &[&str]); 9] = [
        ("a.toml", clip.into(), &["a.toml", "holds neither [each] nor [[clips]]"]),
        ("a.toml", format!("{clip}[each]\nseed = [1]\n"), &["a.toml", "output: each clip needs one"]),
        (
            "a.toml",
            format!("{clip}output = \"a.mp4\"\n[each]\nseed = [1, 2]\n"),
            &["output a.mp4: of two clips"],
        ),
        (
            "a.toml",
            format!("{clip}output = \"{{sed}}.mp4\"\n[each]\nseed = [1]\n"),
            &["{sed} is not given", "pose, reference, seed"],
        ),
        ("a.toml", format!("{clip}output = \"{{seed\"\n[each]\nseed = [1]\n"), &["a { without its }"]),
        ("a.toml", format!("{clip}output = \"a.mp4\"\n[each]\nseed = []\n"), &["a.toml", "holds no clip"]),
        (
            "a.toml",
            format!("{clip}output = \"{{seed}}.mp4\"\n[each]\nseed = [1, -2]\n"),
            &["a.toml", "clip 2", "seed"],
        ),
        (
            "a.toml",
            format!("{clip}output = \"a.mp4\"\n[[clips]]\nspeed = 3\n"),
            &["a.toml", "clip 1", "--speed"],
        ),
        ("a.csv", "reference,pose,output\npuppet.png,video.mp4\n".into(), &["a.csv", "line: 2"]),
    ];
    for (name, text, words) in cases {
        write(&stage, name, &text);
        batch(&stage, name, "all.batch").failed(3, words);
    }
    write(&stage, "a.toml", &format!("{clip}output = \"away/{{seed}}.mp4\"\n[each]\nseed = [1]\n"));
    batch(&stage, "a.toml", "all.batch").failed(6, &["away", "does not exist"]);
    write(&stage, "1.mp4", "mine");
    write(&stage, "a.toml", &format!("{clip}output = \"{{seed}}.mp4\"\n[each]\nseed = [1]\n"));
    batch(&stage, "a.toml", "all.batch").failed(6, &["1.mp4"]);
    write(
        &stage,
        "a.toml",
        &format!("{clip}output = \"other-{{seed}}.mp4\"\nsteps = 0\n[each]\nseed = [1]\n"),
    );
    assert_eq!(batch(&stage, "a.toml", "all.batch").code, Some(2));
    assert!(!stage.path("all.batch").exists());
    fs::create_dir(stage.path("all.batch")).unwrap();
    write(&stage, "all.batch/batch.json", "{\"clips\": []}");
    program(&stage, "farm status all.batch").failed(3, &["batch.json", "holds no clip"]);
}
