//! Renders that take from drafts.

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
