//! What a render writes, and what it says meanwhile.

use serde_json::Value;

use super::support::{Stage, names, run};

#[test]
fn clip_comparison_sheet_and_nothing_else() {
    let stage = Stage::new(6);
    let before = stage.names();
    let run = stage.animate("-o out.mp4 --compare --sheet").succeeded();
    assert_eq!(run.stdout, "");
    let written: Vec<String> = stage.names().difference(&before).cloned().collect();
    assert_eq!(written, ["out.compare.mp4", "out.mp4", "out.sheet.png"]);
    let frames = stage.frames("out.mp4");
    assert_eq!(frames.len(), 6);
    assert_eq!(frames[0].dimensions(), (32, 32));
    let compared = stage.frames("out.compare.mp4");
    assert_eq!(compared.len(), 6);
    assert!(compared[0].width() >= 3 * 256);
    assert!(image::open(stage.path("out.sheet.png")).unwrap().width() > 6 * 160);
    run.says(&["6 frames of 32×32", "wrote out.mp4", "wrote out.compare.mp4", "wrote out.sheet.png"]);
}

#[test]
fn outputs_take_the_names_that_are_given() {
    let stage = Stage::new(2);
    stage.animate("-o pictures/ --compare=both.gif --sheet=all.png").succeeded();
    assert_eq!(names(&stage.path("pictures")).len(), 2);
    assert_eq!(stage.frames("both.gif").len(), 2);
    assert!(stage.path("all.png").exists());
    stage.animate("-o f%03d.png").succeeded();
    assert!(stage.path("f000.png").exists() && stage.path("f001.png").exists());
}

#[test]
fn every_kind_of_clip_holds_all_frames() {
    let stage = Stage::new(3);
    for name in ["a.mp4", "a.webm", "a.gif", "a.mov", "a.mkv"] {
        stage.animate(&format!("-o {name}")).succeeded();
        assert_eq!(stage.frames(name).len(), 3, "{name}");
    }
}

#[test]
fn nothing_is_replaced_unasked() {
    let stage = Stage::new(2);
    let kept = "kept";
    for (output, there) in [
        ("out.mkv", "out.mkv"),
        ("out.mkv --sheet", "out.sheet.png"),
        ("out.mkv --compare=c.mp4", "c.mp4"),
        ("pictures/", "pictures/000000.png"),
        ("f%02d.png", "f00.png"),
        ("pictures/", "pictures/000007.png"),
        ("f%02d.png", "f07.png"),
    ] {
        stage.write(there, kept);
        stage.refuses(&format!("-o {output}"), 6, &["is there already; --overwrite"]);
        assert_eq!(std::fs::read_to_string(stage.path(there)).unwrap(), kept);
        std::fs::remove_file(stage.path(there)).unwrap();
    }
    stage.write("out.mkv", kept);
    stage.animate("--overwrite").succeeded();
    assert_eq!(stage.frames("out.mkv").len(), 2);
    assert!(!stage.path("out.mkv.frames").exists());
}

#[test]
fn frames_kept_by_one_render_are_not_taken_for_those_of_the_next() {
    let stage = Stage::new(3);
    stage.animate("--keep-frames").succeeded();
    let first = stage.kept("out.mkv");
    stage.animate("--keep-frames --overwrite --seed 1").succeeded();
    let second = stage.kept("out.mkv");
    assert_eq!(second.len(), 3);
    assert!(first.iter().zip(&second).all(|(first, second)| first != second));
}

#[test]
fn files_of_others_in_the_frames_folder_stay() {
    let stage = Stage::new(2);
    stage.write("out.mkv.frames/notes.txt", "mine");
    stage.animate("").succeeded();
    assert_eq!(names(&stage.path("out.mkv.frames")).into_iter().collect::<Vec<_>>(), ["notes.txt"]);
}

#[test]
fn inputs_are_never_written_over() {
    let stage = Stage::new(2);
    stage.animate("-o dance.mkv").succeeded();
    let bytes = std::fs::read(stage.path("dance.mkv")).unwrap();
    let own = "--pose dance.mkv --pose-kind control --overwrite";
    stage.refuses(&format!("{own} -o dance.mkv"), 6, &["dance.mkv", "would replace an input"]);
    stage.refuses(&format!("{own} -o x.mkv --compare=./dance.mkv"), 6, &["would replace an input"]);
    stage.refuses(&format!("{own} -o x.mkv --sheet=hero.png"), 6, &["hero.png", "would replace an input"]);
    stage.refuses("-o x.mkv --compare=x.mkv", 6, &["x.mkv", "two outputs"]);
    assert_eq!(std::fs::read(stage.path("dance.mkv")).unwrap(), bytes);
    stage.animate("-o steps/").succeeded();
    stage.refuses("--pose steps/ --pose-kind control -o steps/x.mkv", 6, &["lies among the frames"]);
    stage.refuses("--pose steps/ --pose-kind control -o steps/ --overwrite", 6, &["would replace an input"]);
}

#[test]
fn events_are_json_lines_in_order() {
    let stage = Stage::new(3);
    let run = stage.animate("--json --size 33x31").succeeded();
    let events = run.events();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let frame = ["step", "step", "frame"];
    assert_eq!(names, [&["note", "note", "begin"], &frame[..], &frame, &frame, &["end"]].concat());
    assert!(events[0]["message"].as_str().unwrap().contains("33x31 rounded to 32x32"));
    assert!(events[1]["message"].as_str().unwrap().contains("33x31 is far from the"));
    assert_eq!(events[2]["frames"], 3);
    assert_eq!(events[2]["finished"], 0);
    assert_eq!((&events[2]["width"], &events[2]["height"]), (&32.into(), &32.into()));
    let frames: Vec<u64> = events.iter().filter_map(|event| event["frame"].as_u64()).collect();
    assert_eq!(frames, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    let end = &events[events.len() - 1];
    assert_eq!((end["state"].as_str(), end["frames"].as_u64()), (Some("complete"), Some(3)));
    assert_eq!(end["written"], serde_json::json!(["out.mkv"]));
}

#[test]
fn errors_are_events_too() {
    let stage = Stage::new(1);
    for arguments in ["--pose absent.json", "--device moon", "--steps 0"] {
        let run = stage.animate(&format!("--json {arguments}"));
        let events = run.events();
        assert_eq!(events.len(), 1, "{}", run.stdout);
        let message = events[0]["message"].as_str().unwrap();
        assert!(run.stderr.contains(message), "{message} is not in {}", run.stderr);
    }
}

#[test]
fn the_clip_carries_its_settings() {
    let stage = Stage::new(2);
    for name in ["out.mp4", "out.webm", "out.gif", "out.mov", "out.mkv"] {
        let mut command = stage.animate_command(&format!("-o {name} --seed 41 --negative-prompt rain"));
        command.args(["--prompt", "a (bright:1.2) \"day\", café"]);
        run(command).succeeded();
        let entries = ["-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json"];
        let probe = std::process::Command::new("ffprobe").args(entries).arg(stage.path(name)).output();
        let tags: Value = serde_json::from_slice(&probe.expect("ffprobe is installed").stdout).unwrap();
        let comment = ["comment", "COMMENT"].iter().find_map(|key| tags["format"]["tags"][key].as_str());
        let Some(comment) = comment else {
            // FFmpeg's own reader passes over a GIF's comment.
            let bytes = std::fs::read(stage.path(name)).unwrap();
            assert!(name == "out.gif" && String::from_utf8_lossy(&bytes).contains("\"seed\":41"), "{tags}");
            continue;
        };
        let plan: Value = serde_json::from_str(comment).unwrap();
        assert_eq!(plan["settings"]["seed"], 41);
        assert_eq!(plan["settings"]["prompt"], "a (bright:1.2) \"day\", café");
        assert_eq!(plan["settings"]["negative_prompt"], "rain");
        assert_eq!(plan["settings"]["steps"], 2);
        assert_eq!(plan["frames"], 2);
        assert!(plan["weights"]["unet"].is_string() && plan["reference"]["picture"].is_string());
        assert_eq!(plan["dreamtuner"], env!("CARGO_PKG_VERSION"));
    }
}
