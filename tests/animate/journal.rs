//! Renders that are killed, interrupted, or resumed with other settings.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use dreamtuner::outputs::HIDDEN_PREFIX;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::plain_video;
use super::support::{Run, Stage, hero, model, names, run, text};

const FRAMES: usize = 24;
/// Times that a render is killed; `DREAMTUNER_KILLS` asks for more.
const KILLS: usize = 20;

/// A render in another process whose events are read one by one.
struct Running {
    child: Child,
    events: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Self { child, events }
    }

    /// The next event; `None` once the render has ended.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.events.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).expect(&line))
    }

    /// Reads on up to an event with these fields.
    fn wait_for(&mut self, name: &str, frame: u64) {
        while let Some(event) = self.next() {
            if event["event"] == name && (name == "begin" || event["frame"] == frame) {
                return;
            }
        }
        panic!("the render ended before {name} {frame}");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    fn end(mut self) -> Run {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.events.read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Run { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

/// What a run that was killed at some moment has shown until then.
#[derive(Default)]
struct Seen {
    /// Frames that the journal held at the beginning.
    resumed: Option<usize>,
    /// Frames that were begun.
    begun: usize,
    /// Frames that were finished.
    finished: usize,
    /// The outputs were in place.
    ended: bool,
}

impl Seen {
    fn take(&mut self, event: &Value) {
        let frame = event["frame"].as_u64().unwrap_or(0) as usize;
        match event["event"].as_str().unwrap() {
            "begin" => self.resumed = Some(event["finished"].as_u64().unwrap() as usize),
            "step" => self.begun = self.begun.max(frame + 1),
            "frame" => self.finished = frame + 1,
            "end" => self.ended = true,
            _ => {}
        }
    }
}

/// `kill -9` at random moments: most during a step or a frame, some while weights are loaded or outputs completed.
#[test]
fn killed_at_random_moments() {
    let stage = Stage::new(FRAMES);
    stage.animate("--keep-frames -o straight.mkv").succeeded();
    let (expected, frames) = (stage.kept("straight.mkv"), stage.frames("straight.mkv"));
    assert_eq!(expected.len(), FRAMES);
    let inputs = stage.names();
    let asked = std::env::var("DREAMTUNER_KILLS").ok().and_then(|count| count.parse().ok());
    let all_kills = asked.unwrap_or(KILLS);
    let mut random = ChaCha12Rng::seed_from_u64(20);
    let mut below = |limit: u64| random.next_u64() % limit;
    let (mut kills, mut lost, mut rendered, mut before) = (0, 0, 0, Seen::default());
    let written = || std::fs::metadata(stage.path("out.mkv")).and_then(|file| file.modified()).ok();
    loop {
        let written_before = written();
        let mut running = Running::start(stage.animate_command("--keep-frames --overwrite"));
        let mut seen = Seen::default();
        let finishing = before.finished.max(before.resumed.unwrap_or(0)) == FRAMES;
        let last_run = kills == all_kills;
        if !last_run {
            // Some steps and frames, and part of one more; past the last frame, the short rest of the render.
            let mut events = if finishing { u64::MAX } else { below(7) };
            while events > 0
                && let Some(event) = running.next()
            {
                seen.take(&event);
                let is_work = event["event"] == "step" || event["event"] == "frame";
                let is_last = event["frame"] == FRAMES - 1;
                events -= u64::from(is_work);
                if finishing && is_last {
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(below(60)));
            running.child.kill().unwrap();
            kills += 1;
        }
        // What was still in the pipe had happened.
        while let Some(event) = running.next() {
            seen.take(&event);
        }
        let end = running.end();
        if let Some(resumed) = seen.resumed {
            assert!(resumed >= before.finished, "{} finished, {resumed} resumed", before.finished);
            assert!(resumed + 1 >= before.begun, "{} begun, {resumed} resumed", before.begun);
            lost += before.begun.saturating_sub(resumed);
            rendered += seen.finished.saturating_sub(resumed);
        } else {
            // Killed before anything was said: what was finished then still is.
            (seen.begun, seen.finished) = (before.begun, before.finished);
            seen.resumed = before.resumed;
        }
        let new: Vec<String> = stage.names().difference(&inputs).cloned().collect();
        for name in &new {
            assert!(
                [".dreamtuner-out.mkv.part", ".dreamtuner-out.mkv.record", "out.mkv", "out.mkv.frames"]
                    .contains(&name.as_str()),
                "{name}"
            );
        }
        if stage.path("out.mkv").exists() {
            assert!(stage.frames("out.mkv") == frames, "a clip with other frames after {kills} kills");
        }
        if last_run {
            assert_eq!(end.code, Some(0), "{}", end.stderr);
            break;
        }
        // A render whose clip is in place has ended, even if it was killed before it could say so.
        before = if seen.ended || written() != written_before { Seen::default() } else { seen };
        let finished =
            names(&stage.path("out.mkv.frames")).iter().filter(|name| name.ends_with(".png")).count();
        assert!(finished >= before.finished, "{finished} pictures, {} finished", before.finished);
    }
    println!("{kills} kills: {rendered} frames rendered, {lost} begun frames lost");
    assert_eq!(stage.kept("out.mkv"), expected);
    assert!(stage.frames("out.mkv") == frames);
    assert!(stage.names().iter().all(|name| !name.starts_with(HIDDEN_PREFIX)), "{:?}", stage.names());
}

/// A render of four frames that was killed after its second.
fn killed(stage: &Stage) {
    let mut running = Running::start(stage.animate_command(""));
    running.wait_for("frame", 1);
    running.child.kill().unwrap();
    running.end();
}

#[test]
fn other_settings_are_refused_with_their_differences() {
    let stage = Stage::new(4);
    killed(&stage);
    let mut hero = hero();
    hero.put_pixel(0, 0, image::Rgb([1, 2, 3]));
    hero.save(stage.path("other.png")).unwrap();
    stage.write("other.json", super::support::dance(5).to_string());
    let lora = text(&super::support::repository("tests/fixtures/sd1/lora/diffusers.safetensors"));
    for (arguments, differences) in [
        ("--seed 5", vec!["settings.seed: 0 → 5"]),
        ("--prompt dancer", vec!["settings.prompt: \"\" → \"dancer\""]),
        ("--steps 3 --sampler euler", vec!["settings.steps: 2 → 3", "\"ddim\" → \"euler\""]),
        ("--reference other.png", vec!["reference.picture"]),
        ("--pose other.json", vec!["pose.file", "frames: 4 → 5"]),
        ("--size 64x32", vec!["settings.width: 32 → 64"]),
        ("--mask none", vec!["reference.mask: \"auto\" → \"none\""]),
        ("--end 0.1", vec!["pose.end: null → 0.1"]),
        ("--controlnet model,strength=2", vec!["weights.controlnets.0.strength"]),
        (&format!("--lora {lora}"), vec!["weights.loras.0"]),
        (
            &format!("--model {}", text(&super::support::repository("tests/fixtures/sd2"))),
            vec!["weights.unet"],
        ),
    ] {
        let pieces = [&["out.mkv.frames", "other settings"], &differences[..]].concat();
        stage.refuses(arguments, 7, &pieces);
    }
    // Neither do other weights in the same file go unseen.
    copy_folder(&stage, "model");
    stage.refuses("--model model --seed 3", 7, &["settings.seed"]);
    let vae = stage.path("model/vae/diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&vae).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&vae, bytes).unwrap();
    stage.refuses("--model model", 7, &["weights.vae"]);
    // The frames are still there for those who come back to them.
    let run = stage.animate("--json").succeeded();
    let begin = &run.begin();
    assert!(begin["finished"].as_u64() >= Some(2), "{begin}");
    assert!(!stage.path("out.mkv.frames").exists());
}

#[test]
fn a_resumed_render_replaces_nothing_but_its_own_outputs() {
    let stage = Stage::new(4);
    stage.write("family.png", "a picture of the family");
    killed(&stage);
    stage.refuses("--sheet=family.png", 6, &["family.png", "--overwrite"]);
    assert_eq!(std::fs::read_to_string(stage.path("family.png")).unwrap(), "a picture of the family");
    stage.animate("").succeeded();
}

#[test]
fn a_killed_folder_of_pictures_is_taken_up_again() {
    let stage = Stage::new(6);
    stage.animate("-o straight/ --steps 8").succeeded();
    let mut running = Running::start(stage.animate_command("-o pictures/ --steps 8"));
    running.wait_for("frame", 3);
    running.child.kill().unwrap();
    running.end();
    assert!(stage.path("pictures/000000.png").exists(), "killed before a picture appeared");
    stage.animate("-o pictures/ --steps 8").succeeded();
    let picture = |folder: &str, frame: usize| {
        image::open(stage.path(&format!("{folder}/{frame:06}.png"))).unwrap().into_rgb8()
    };
    for frame in 0..6 {
        assert!(picture("pictures", frame) == picture("straight", frame), "frame {frame}");
    }
}

#[test]
fn inputs_are_not_taken_from_the_journal() {
    let stage = Stage::new(4);
    killed(&stage);
    let before = names(&stage.path("out.mkv.frames"));
    let mut command = stage.animate_command("--reference out.mkv.frames/000000.png");
    run(&mut command).failed(6, &["out.mkv.frames", "000000.png", "cannot lie there"]);
    assert_eq!(names(&stage.path("out.mkv.frames")), before);
}

fn copy_folder(stage: &Stage, name: &str) {
    let status = Command::new("cp").arg("-r").arg(model()).arg(stage.path(name)).status().unwrap();
    assert!(status.success());
    let status = Command::new("chmod").args(["-R", "u+w"]).arg(stage.path(name)).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_journal_without_frames_is_no_obstacle() {
    let stage = Stage::new(2);
    let mut running = Running::start(stage.animate_command("--steps 50"));
    running.wait_for("begin", 0);
    running.child.kill().unwrap();
    running.end();
    assert!(stage.path("out.mkv.frames/plan.json").exists());
    stage.animate("--seed 9").succeeded();
}

#[test]
fn frames_that_were_kept_are_gone_when_the_next_render_begins() {
    let stage = Stage::new(3);
    stage.animate("--keep-frames").succeeded();
    assert_eq!(stage.kept("out.mkv").len(), 3);
    let mut running = Running::start(stage.animate_command("--overwrite --seed 1 --steps 400"));
    running.wait_for("step", 0);
    running.child.kill().unwrap();
    running.end();
    let left: Vec<String> = names(&stage.path("out.mkv.frames")).into_iter().collect();
    assert_eq!(left, ["plan.json"]);
}

#[test]
fn two_renders_of_one_output() {
    let stage = Stage::new(6);
    let mut first = Running::start(stage.animate_command("--steps 8"));
    first.wait_for("step", 0);
    let second = run(stage.animate_command("--steps 8"));
    second.failed(75, &["out.mkv", "another run of this program is writing it"]);
    let first = first.end();
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(stage.frames("out.mkv").len(), 6);
}

#[test]
fn a_damaged_frame_is_named() {
    let stage = Stage::new(4);
    killed(&stage);
    let picture = stage.path("out.mkv.frames/000000.png");
    std::fs::write(&picture, &std::fs::read(&picture).unwrap()[..40]).unwrap();
    let run = stage.animate("").failed(3, &["000000.png", "delete it"]);
    run.says(&["finished frames are kept in out.mkv.frames"]);
    std::fs::remove_file(&picture).unwrap();
    stage.animate("").succeeded();
    assert_eq!(stage.frames("out.mkv").len(), 4);
}

fn interrupted_and_resumed(signal: &str) {
    let stage = Stage::new(5);
    stage.animate("--keep-frames -o straight.mkv").succeeded();
    let mut running = Running::start(stage.animate_command("--keep-frames --sheet --compare"));
    running.wait_for("frame", 1);
    running.signal(signal);
    let run = running.end();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
    let end = run.events().pop().unwrap();
    assert_eq!((&end["event"], &end["state"]), (&json!("end"), &json!("interrupted")));
    assert_eq!(end["frames_folder"], "out.mkv.frames");
    let done = end["frames"].as_u64().unwrap() as usize;
    assert!((2..5).contains(&done), "{done}");
    let straight = stage.frames("straight.mkv");
    assert!(stage.frames("out.mkv") == straight[..done]);
    assert_eq!(stage.frames("out.compare.mkv").len(), done);
    assert!(stage.path("out.sheet.png").exists());
    assert!(!stage.path(".dreamtuner-out.mkv.part").exists());
    let run = stage.animate("--keep-frames --sheet --compare --json").succeeded();
    let resumed = run.events().iter().filter(|event| event["event"] == "resumed").count();
    assert_eq!(resumed, done);
    assert_eq!(stage.kept("out.mkv"), stage.kept("straight.mkv"));
    assert!(stage.frames("out.mkv") == straight);
    assert_eq!(stage.frames("out.compare.mkv").len(), 5);
}

#[test]
fn ctrl_c_completes_the_file_and_the_same_command_goes_on() {
    interrupted_and_resumed("INT");
}

#[test]
fn termination_does_the_same() {
    interrupted_and_resumed("TERM");
}

#[test]
fn people_are_told_how_to_go_on() {
    let stage = Stage::new(5);
    let mut command = stage.animate_command("");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !stage.path("out.mkv.frames/000001.png").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let run = Run::new(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    let run =
        run.says(&["Ctrl-C again ends at once", "wrote out.mkv", "frames, which are kept in out.mkv.frames"]);
    run.says(&["the same command goes on from there"]);
}

#[test]
fn interrupted_before_the_first_frame() {
    for output in ["out.mkv", "pictures/"] {
        let stage = Stage::new(3);
        let inputs = stage.names();
        let mut running = Running::start(stage.animate_command(&format!("--steps 400 -o {output}")));
        running.wait_for("step", 0);
        running.signal("INT");
        let run = running.end();
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        let end = run.events().pop().unwrap();
        assert_eq!((&end["frames"], &end["written"]), (&json!(0), &json!([])));
        assert_eq!(stage.names(), inputs);
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let stage = Stage::new(3);
    let mut running = Running::start(stage.animate_command("--steps 2"));
    running.wait_for("frame", 0);
    running.signal("STOP");
    running.signal("INT");
    running.signal("TERM");
    running.signal("CONT");
    let run = running.end();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(!run.stdout.contains("\"end\""), "{}", run.stdout);
    assert!(!stage.path("out.mkv").exists());
    let run = stage.animate("--json").succeeded();
    assert!(run.begin()["finished"].as_u64() >= Some(1));
    assert_eq!(stage.frames("out.mkv").len(), 3);
}

/// Poses that were found in a video before the render was killed.
#[test]
fn nobody_is_looked_for_twice() {
    let stage = plain_video::stage(8);
    stage.animate(&format!("{} --keep-frames -o straight.mkv", plain_video::VIDEO)).succeeded();
    let command = || stage.animate_command(&format!("{} --keep-frames", plain_video::VIDEO));
    let mut running = Running::start(command());
    running.wait_for("frame", 2);
    running.signal("KILL");
    assert!(running.end().code.is_none());
    let mut again = command();
    let done = run(again.arg("--json")).succeeded();
    assert!(done.events().iter().all(|event| event["event"] != "search"));
    assert_eq!(stage.kept("out.mkv"), stage.kept("straight.mkv"));
}

/// Frames that look back at the steps of the one before need these again, and find them in the journal.
#[test]
fn a_killed_render_that_looks_back_at_steps_goes_on_alike() {
    let stage = Stage::new(6);
    let straight = |name: &str, arguments: &str| {
        stage.animate(&format!("--keep-frames -o {name} {arguments}")).succeeded();
        stage.kept(name)
    };
    let expected = straight("straight.mkv", "--previous-features trajectory");
    assert_ne!(expected, straight("renoised.mkv", "--previous-features renoise"));
    assert_ne!(expected, straight("alone.mkv", "--previous-weight 0"));

    let looking_back = "--keep-frames --previous-features trajectory";
    let mut running = Running::start(stage.animate_command(looking_back));
    running.wait_for("frame", 2);
    running.child.kill().unwrap();
    running.end();
    let kept = names(&stage.path("out.mkv.frames"));
    let trajectories = kept.iter().filter(|name| name.ends_with(".trajectory")).count();
    assert!((1..=2).contains(&trajectories), "{trajectories} trajectories, only the last is needed");
    stage.animate(looking_back).succeeded();
    assert_eq!(stage.kept("out.mkv"), expected);
}

/// Steps that follow the reference have no pass to be kept where that guidance is off.
#[test]
fn steps_without_a_kept_pass_stay_in_their_places() {
    goes_on_alike(&Stage::new(4), "--steps 6 --reference-scale 0 --reference-probability 0.5");
}

/// Steps with shallow passes have features of some layers only.
#[test]
fn steps_with_shallow_passes_go_on_alike() {
    goes_on_alike(&Stage::new(4), "--steps 5 --deep-cache 2");
}

/// A render that is killed after its first frame ends like one that is not.
#[test]
fn frames_from_drafts_go_on_alike() {
    for features in ["trajectory", "renoise"] {
        let stage = Stage::of_figure(4);
        goes_on_alike(
            &stage,
            &format!(
                "--steps 4 --init draft --strength 0.5 --draft-weight 3 --keep sure --controlnet model,source=draft-inpaint \
             --previous-features {features}"
            ),
        );
    }
}

/// Frames that were drawn from another figure are not mixed with new ones: a joint was moved, or a part painted over.
#[test]
fn a_figure_that_was_edited_is_refused() {
    let stage = Stage::of_figure(4);
    let drafts = "--steps 4 --init draft --strength 0.5";
    let mut running = Running::start(stage.animate_command(drafts));
    running.wait_for("frame", 1);
    running.child.kill().unwrap();
    running.end();
    stage.refuses(
        &format!("{drafts} --joint left-wrist=44,30"),
        7,
        &["out.mkv.frames", "other settings", "figure"],
    );
    stage.animate(drafts).succeeded();
}

fn goes_on_alike(stage: &Stage, arguments: &str) {
    let arguments = format!("--keep-frames {arguments}");
    stage.animate(&format!("-o straight.mkv {arguments}")).succeeded();
    let mut running = Running::start(stage.animate_command(&arguments));
    running.wait_for("frame", 1);
    running.child.kill().unwrap();
    running.end();
    stage.animate(&arguments).succeeded();
    assert_eq!(stage.kept("out.mkv"), stage.kept("straight.mkv"));
}

#[test]
fn a_damaged_trajectory_is_named() {
    let stage = Stage::new(4);
    let mut running = Running::start(stage.animate_command("--previous-features trajectory"));
    running.wait_for("frame", 1);
    running.child.kill().unwrap();
    running.end();
    for name in names(&stage.path("out.mkv.frames")).iter().filter(|name| name.ends_with(".trajectory")) {
        std::fs::write(stage.path("out.mkv.frames").join(name), b"nothing").unwrap();
    }
    stage.animate("--previous-features trajectory").failed(3, &[".trajectory", "delete the folder"]);
}
