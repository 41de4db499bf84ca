//! Renders that take from drafts.

use std::path::Path;

use super::support::{Stage, difference, kept, repository, run, text};

/// All that frames can take from their drafts.
const ALL: &str = "--init draft --strength 0.5 --draft-weight 3 --keep sure";

#[test]
fn each_use_of_a_draft_changes_the_frames() {
    let stage = Stage::of_figure(2);
    let plain = kept(&stage, "--steps 4", "plain.mkv");
    assert_eq!(kept(&stage, "--steps 4 --draft none", "none.mkv"), plain);
    let uses = [
        "--init draft --strength 0.5",
        "--draft-weight 3",
        "--keep sure",
        "--controlnet model,source=draft",
        "--controlnet model,source=draft-inpaint",
        "--controlnet model --controlnet model,source=draft,strength=0.5",
    ];
    let mut seen = vec![plain];
    for (number, arguments) in uses.into_iter().enumerate() {
        let frames = kept(&stage, &format!("--steps 4 {arguments}"), &format!("{number}.mkv"));
        assert!(!seen.contains(&frames), "{arguments} changes nothing");
        seen.push(frames);
    }
}

#[test]
fn what_is_kept_is_the_draft() {
    let stage = Stage::of_figure(1);
    let reference = image::open(stage.path("hero.png")).unwrap().into_rgba8();
    let reference = dreamtuner::picture::on_colour(&reference, image::Rgb([255; 3]));
    let error = |arguments: &str, output: &str| {
        stage.animate(&format!("--size 64x64 --pose hero.json {arguments} -o {output}")).succeeded();
        difference(&stage.frames(output)[0], &reference)
    };
    // In its own pose the whole draft is sure, so that the model has nothing to do; without it the random model paints anything.
    let (kept, painted) = (error("--keep sure", "kept/"), error("", "painted/"));
    assert!(kept < 4.0 && painted > 20.0, "{kept}, {painted}");
}

#[test]
fn a_saved_configuration_knows_of_drafts() {
    let stage = Stage::of_figure(2);
    stage
        .animate(&format!(
            "--steps 4 {ALL} --controlnet model,source=draft --joint left-wrist=44,30 --keep-frames --save-config c.toml"
        ))
        .succeeded();
    let mut command = stage.program();
    run(command.args(["animate", "--config", "c.toml", "-o", "again.mkv"])).succeeded();
    assert_eq!(stage.kept("again.mkv"), stage.kept("out.mkv"));
}

#[test]
fn what_drafts_cannot_be_made_of_is_refused() {
    let stage = Stage::of_figure(2);
    stage.refuses(&format!("--draft none {ALL}"), 2, &["--draft", "none"]);
    stage.refuses("--draft none --controlnet model,source=draft", 2, &["--draft", "source=draft"]);
    stage.refuses("--init draft", 2, &["--strength"]);
    stage.refuses("--init hero.png --strength 0.5", 2, &["--init"]);
    for strength in ["-0.1", "1.1", "NaN", "inf"] {
        stage.refuses(&format!("--init draft --strength={strength}"), 2, &["strength", "0 to 1"]);
    }
    stage.refuses("--init draft --strength 0.4", 2, &["--strength", "0.4", "2 steps"]);
    for weight in ["-1", "NaN", "1e9"] {
        stage.refuses(&format!("--draft-weight={weight}"), 2, &["--draft-weight", "0 to"]);
    }
    stage.refuses("--controlnet model,source=tile", 2, &["source=tile", "draft-inpaint"]);
    stage.refuses("--controlnet model,source=draft,video=dance.json", 2, &["video or the draft"]);
    let wave = text(&repository("poses/wave.mp4"));
    stage.refuses(&format!("--pose {wave} --keep sure"), 3, &["wave.mp4", "drawn skeletons"]);
    stage.write("nobody.json", r#"[{"canvas_width": 64, "canvas_height": 64, "people": []}]"#);
    stage.refuses("--keep sure --reference-pose nobody.json", 3, &["nobody.json", "nobody"]);
    stage.refuses("--keep sure --reference-pose none", 3, &["hero.png", "joints"]);
    stage.refuses("--keep sure --rig absent.json --reference-pose auto", 2, &["--rig"]);
    stage.refuses("--keep sure --joint left-knee=900,2", 3, &["hero.png", "left-knee"]);
}

/// The random model, which asks for drafts by its own.
fn model_that_repairs(stage: &Stage) -> String {
    let folder = stage.path("repairs");
    copy_folder(&repository("tests/fixtures/sd1"), &folder);
    let defaults = r#"{"draft": {"strength": 0.5, "keep_sure": true, "guidance_scale": 1.0}}"#;
    std::fs::write(folder.join("dreamtuner.json"), defaults).unwrap();
    format!("--model {} --steps 4", folder.display())
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_model_may_ask_for_drafts() {
    let stage = Stage::of_figure(2);
    let own = model_that_repairs(&stage);
    let repaired = kept(&stage, &own, "own.mkv");
    let asked = "--init draft --strength 0.5 --keep sure --guidance classifier-free --guidance-scale 1";
    assert_eq!(kept(&stage, &format!("{own} {asked}"), "asked.mkv"), repaired);
    assert_eq!(kept(&stage, &format!("--steps 4 {asked}"), "other-model.mkv"), repaired);
    let plain = kept(&stage, "--steps 4", "plain.mkv");
    assert_eq!(kept(&stage, &format!("{own} --draft none"), "none.mkv"), plain);
    // What an option says counts, and the model's other wishes stay.
    let part = kept(&stage, &format!("{own} --keep nothing"), "part.mkv");
    let asked = "--steps 4 --init draft --strength 0.5 --guidance classifier-free --guidance-scale 1";
    assert_eq!(part, kept(&stage, asked, "part-asked.mkv"));
}

#[test]
fn where_a_model_asks_for_drafts_in_vain_frames_are_made_without() {
    let stage = Stage::of_figure(2);
    let own = model_that_repairs(&stage);
    let wave = text(&repository("poses/wave.mp4"));
    for (number, vain) in
        [format!("--pose {wave} --end 0.1"), "--reference-pose none".into()].iter().enumerate()
    {
        let output = format!("{number}.mkv");
        stage
            .animate(&format!("{own} {vain} --keep-frames -o {output}"))
            .succeeded()
            .says(&["without drafts"]);
        let plain = kept(&stage, &format!("--steps 4 {vain}"), &format!("plain-{number}.mkv"));
        assert_eq!(stage.kept(&output), plain);
        // Whoever asks for one is told that there is none.
        stage.refuses(&format!("{own} {vain} --draft-weight 1"), 3, &[]);
    }
}
