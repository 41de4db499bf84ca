//! Maps of self-subject-attention: on a puppet, whose every pixel is known, and from the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dreamtuner::animate;
use dreamtuner::animate::watched::watch;
use dreamtuner::evaluate::{Dance, Truth};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::DeviceSettings;
use dreamtuner::model::StableDiffusion;
use dreamtuner::model::unet::Place;
use dreamtuner::model::weights::{ModelDefaults, ModelFiles};
use dreamtuner::puppet::reference_shot;
use dreamtuner::puppet::{Expression, Identity, Part, render_labelled};
use dreamtuner::render::attention_maps::{AttentionSource, Captured, Watch};
use dreamtuner::render::pipeline::Pipeline;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::render::still::StillInputs;
use dreamtuner::render::weights::OpenWeights;
use image::{GrayImage, RgbImage};
use tempfile::TempDir;

use crate::clip_job::{dance, job};
use crate::support::words;

const SIDE: u32 = 128;

fn pipeline() -> Pipeline {
    let weights = OpenWeights::of_model(ModelFiles::builtin().unwrap());
    weights.load(&DeviceSettings::cpu(), &mut |_| {}).unwrap()
}

/// A frame of a puppet's dance, and what was seen at its steps, if it was watched.
fn frame(pipeline: &Pipeline, truth: &Truth, watch: Option<Watch>) -> (RgbImage, Vec<Captured>) {
    let defaults = ModelDefaults::of(None).unwrap();
    let settings = RenderSettings {
        prompt: truth.scene_caption.clone(),
        reference_prompt: Some(truth.reference_scene_caption.clone()),
        previous_weight: 0.0,
        ..RenderSettings::square(&defaults, SIDE)
    };
    let inputs = StillInputs {
        reference: truth.reference_picture(true, 1).unwrap(),
        controls: vec![Some(truth.frames[0].control_image())],
        init: None,
        draft: None,
    };
    let (picture, watched) =
        pipeline.watched(inputs, settings, watch, &Interrupt::default(), &mut |_, _| {}).unwrap();
    (picture, watched.captured)
}

fn truth(seed: u64) -> Truth {
    Truth::new(&Identity::from_seed(seed), &Dance::open("wave", 1, 12.0).unwrap(), SIDE)
}

/// For each token of a grid the share of its pixels that show the shirt.
fn shirt(labels: &GrayImage, height: usize, width: usize) -> Vec<f32> {
    let (high, wide) = (labels.height() as usize / height, labels.width() as usize / width);
    let mut shares = vec![0.0; height * width];
    for (x, y, label) in labels.enumerate_pixels() {
        if label[0] == Part::Top as u8 {
            shares[y as usize / high * width + x as usize / wide] += 1.0 / (high * wide) as f32;
        }
    }
    shares
}

/// Watching changes no bit of the picture. What a token looks at adds up to one, and so do the shares of a layer. From the middle of
/// the shirt, at least half of what goes to the reference goes to its shirt, at some layer of the decoder: in the mean over 32 puppets
/// 0.76, for 27 of them more than half. A coat hides most of the shirt of others.
#[test]
fn shirts_look_at_shirts() {
    let pipeline = pipeline();
    let places = pipeline.model.unet.self_attentions();
    let decoder: Vec<usize> =
        (0..places.len()).filter(|layer| matches!(places[*layer].0, Place::Decoder(_))).collect();
    let mut best = Vec::new();
    for seed in 1_000_000..1_000_032 {
        let truth = truth(seed);
        let (picture, captured) = frame(&pipeline, &truth, Some(Watch::new(vec![2, 3], decoder.clone())));
        if seed == 1_000_000 {
            assert!(picture == frame(&pipeline, &truth, None).0, "watching has changed the picture");
            let sum: f64 =
                captured[0].shares(&pipeline.model.unet).unwrap().iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
        assert_eq!(captured.len(), 2 * decoder.len());
        let reference = render_labelled(&Identity::from_seed(seed), &reference_shot(Expression::Smile), SIDE);
        let (own, other) = (truth.frames[0].labels.as_ref().unwrap(), reference.labels.as_ref().unwrap());
        let mask = truth.reference_picture(true, 1).unwrap().mask;
        let mut most = 0.0f32;
        for captured in &captured {
            let (height, width) = captured.grid();
            let shares = shirt(own, height, width);
            let query = (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap();
            let maps = captured.maps(&pipeline.model.unet, mask.as_ref(), &[query as u32]).unwrap();
            let heads = maps[0].weights.len();
            for head in 0..heads {
                let sum: f32 = maps.iter().flat_map(|map| &map.weights[head][0]).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            }
            let map = maps.iter().find(|map| map.source == AttentionSource::Reference).unwrap();
            let inside = shirt(other, height, width);
            let (mut there, mut all) = (0.0, 0.0);
            for weights in map.weights.iter().map(|head| &head[0]) {
                there += weights.iter().zip(&inside).map(|(weight, share)| weight * share).sum::<f32>();
                all += weights.iter().sum::<f32>();
            }
            most = most.max(there / all);
        }
        best.push(most);
    }
    let mean = best.iter().sum::<f32>() / best.len() as f32;
    let enough = best.iter().filter(|share| **share >= 0.5).count();
    assert!(mean >= 0.7 && enough >= 26, "mean {mean:.3}, {enough} of {}: {best:.2?}", best.len());
}

fn program(output: &Path, options: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dreamtuner"));
    command.args(["attention", "--size", "64x64", "--steps", "3", "--prompt", "smile, night"]);
    command.arg("--reference").arg(root.join("examples/hero.png"));
    command.arg("--reference-pose").arg(root.join("examples/hero.pose.json"));
    command.arg("--pose").arg(root.join("examples/hero2.pose.json"));
    command.arg("-o").arg(output).args(options).output().unwrap()
}

/// Maps as a picture and as videos, and the shares of all layers and steps.
#[test]
fn maps_are_written() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let csv = at("shares.csv").display().to_string();
    let one = program(&at("one.png"), &["--layer", "decoder1", "--step", "2", "--shares", &csv]);
    assert!(one.status.success(), "{}", words(&one));
    let two =
        program(&at("two.png"), &["--layer", "decoder1", "--step", "2", "--at", "10,10", "--at", "32,40"]);
    assert!(two.status.success(), "{}", words(&two));
    let [one, two] = ["one.png", "two.png"].map(|name| image::open(at(name)).unwrap().into_rgb8());
    assert!(
        two.height() > one.height() && one.width() > 2 * 256,
        "{:?} {:?}",
        one.dimensions(),
        two.dimensions()
    );
    let mut sums: BTreeMap<(String, String), f64> = BTreeMap::new();
    for line in fs::read_to_string(&csv).unwrap().lines().skip(1) {
        let ["1", step, layer, _, share] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        *sums.entry((step.into(), layer.into())).or_default() += share.parse::<f64>().unwrap();
    }
    assert_eq!(sums.len(), 3 * 10);
    assert!(sums.values().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
    for (name, frames, options) in [
        ("queries", 64, &["--over", "queries"][..]),
        ("steps", 3, &["--over", "steps"]),
        ("two-steps", 2, &["--over", "steps", "--step", "1", "--step", "3"]),
    ] {
        let folder = at(name);
        fs::create_dir(&folder).unwrap();
        let options = [&["--layer", "decoder4"], options].concat();
        let made = program(&folder.join(""), &options);
        assert!(made.status.success(), "{}", words(&made));
        let again = program(&folder.join(""), &options);
        assert!(again.status.code() == Some(6) && words(&again).contains("--overwrite"), "{}", words(&again));
        let written = fs::read_dir(&folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("0000"));
        assert_eq!(written.count(), frames, "{name}");
    }
    // All layers that are shown by default find room in a video.
    let all = program(&at("all.gif"), &["--at", "32,40"]);
    assert!(all.status.success(), "{}", words(&all));
}

/// Where a layer was left out at a step (DeepCache), its bars leave a gap: each stands at its own step.
#[test]
fn bars_stand_at_their_steps() {
    let folder = TempDir::new().unwrap();
    let plot = folder.path().join("plot.png");
    let path = plot.display().to_string();
    let options =
        ["--layer", "decoder4", "--step", "1", "--steps", "4", "--deep-cache", "2", "--plot", &path];
    let made = program(&folder.path().join("maps.png"), &options);
    assert!(made.status.success(), "{}", words(&made));
    let plot = image::open(plot).unwrap().into_rgb8();
    // What the picture gives to itself lies on top of every bar; a layer has room for four.
    let top = (0..plot.height())
        .find(|y| (0..plot.width()).filter(|x| plot.get_pixel(*x, *y).0 == [70, 70, 80]).count() > 100);
    let top = top.unwrap();
    let barred: Vec<bool> = (0..10 * 4)
        .map(|bar| {
            let (layer, step) = (bar / 4, bar % 4);
            plot.get_pixel(8 + layer * 88 + step * 20 + 10, top).0 == [70, 70, 80]
        })
        .collect();
    assert!(barred.chunks(4).any(|layer| layer == [true, true, true, true]), "{barred:?}");
    assert!(barred.chunks(4).any(|layer| layer == [true, true, false, true]), "{barred:?}");
}

/// The frames of a watched clip are those of a render, to the byte. Each looks at itself, the reference, and at the frames before
/// it where there are any; what it looks at adds up to one.
#[test]
fn frames_of_a_clip_are_watched() {
    let folder = TempDir::new().unwrap();
    let frames = folder.path().join("frames");
    fs::create_dir(&frames).unwrap();
    let job = job(&dance(folder.path(), "wave"), frames.join(""));
    let mut watched = Vec::new();
    let choose = |_: &StableDiffusion, _: &RenderSettings| Ok(Watch::new(vec![1, 3], vec![0, 8]));
    watch(&job, &choose, &Interrupt::default(), &mut |_| {}, &mut |frame| {
        let mut expected = vec![AttentionSource::Itself, AttentionSource::Reference];
        if frame.index > 0 {
            expected.extend([AttentionSource::First, AttentionSource::Previous]);
        }
        let shown: Vec<AttentionSource> = frame.pictures.iter().map(|(source, _)| *source).collect();
        assert_eq!(shown, expected);
        assert_eq!(frame.watched.captured.len(), 4);
        for captured in &frame.watched.captured {
            let shares = captured.shares(&frame.model.unet)?;
            assert_eq!(shares.iter().map(|(source, _)| *source).collect::<Vec<_>>(), expected);
            let sum: f64 = shares.iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-5 && shares.iter().all(|(_, share)| *share > 0.0), "{shares:?}");
            let maps = captured.maps(&frame.model.unet, frame.mask, &[5])?;
            let sum: f32 = maps.iter().flat_map(|map| &map.weights[0][0]).sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
        watched.push(frame.pictures[0].1.clone());
        Ok(())
    })
    .unwrap();
    animate::run(&job, &Interrupt::default(), &mut |_| {}).unwrap();
    let mut rendered: Vec<PathBuf> =
        fs::read_dir(&frames).unwrap().map(|entry| entry.unwrap().path()).collect();
    rendered.retain(|path| path.extension().is_some_and(|extension| extension == "png"));
    rendered.sort();
    assert_eq!((watched.len(), rendered.len()), (3, 3));
    for (watched, path) in watched.iter().zip(&rendered) {
        assert!(*watched == image::open(path).unwrap().into_rgb8(), "watching has changed {path:?}");
    }
}

/// The program makes a video of a clip's frames, with their shares as numbers and as a picture.
#[test]
fn clips_are_shown_frame_by_frame() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dreamtuner"));
        command.args(["attention", "--size", "64x64", "--steps", "2", "--prompt", "smile, night"]);
        command.arg("--reference").arg(root.join("examples/hero.png")).args(options);
        command.arg("--shares").arg(at("shares.csv")).arg("--plot").arg(at("shares.png"));
        command.output().unwrap()
    };
    let poses = dance(folder.path(), "wave").display().to_string();
    fs::create_dir(at("maps")).unwrap();
    let output = at("maps/").display().to_string();
    let options = ["--layer", "decoder4", "--step", "1", "--step", "2", "--overwrite"];
    let made = run(&[&["--dance", &poses, "-o", &output][..], &options].concat());
    assert!(made.status.success(), "{}", words(&made));
    // Frame, reference and previous frame beside each other, also where there is no frame before.
    let first = image::open(at("maps/000000.png")).unwrap();
    assert!(first.width() > 2 * 3 * 256 && first.width() < 2 * 4 * 256, "{}", first.width());
    assert!(at("maps/000002.png").is_file() && !at("maps/000003.png").exists());
    let shares = fs::read_to_string(at("shares.csv")).unwrap();
    let previous = |frame: usize| {
        shares
            .lines()
            .filter(|line| line.starts_with(&format!("{frame},")) && line.contains("previous"))
            .count()
    };
    assert_eq!([1, 2, 3].map(previous), [0, 20, 20]);
    let plot = image::open(at("shares.png")).unwrap().into_rgb8();
    let blue = plot.pixels().filter(|pixel| pixel.0 == [90, 170, 255]).count();
    assert!(blue > 200, "{blue} pixels of the previous frame's share");
    for (options, expected) in [
        (["--dance", poses.as_str(), "--over", "steps", "-o", "x.mp4"], "cannot be used"),
        (["--fps", "4", "--step", "1", "-o", "x.mp4"], "start, end and fps"),
    ] {
        let refused = run(&options);
        assert!(!refused.status.success() && words(&refused).contains(expected), "{}", words(&refused));
    }
}

/// What is not there is said.
#[test]
fn what_is_not_there_is_refused() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("maps.png");
    for (options, expected) in [
        (["--layer", "decoder99"], "decoder5"),
        (["--layer", "bottom"], "encoderN"),
        (["--step", "4"], "1 to 3"),
        (["--at", "64,0"], "64x64"),
        (["--at", "here"], "120,64"),
        (["--over", "steps"], "is for videos"),
        (["--previous-weight", "2"], "--dance"),
    ] {
        let result = program(&output, &options);
        assert_eq!(result.status.code(), Some(2), "{}", words(&result));
        assert!(words(&result).contains(expected), "{}", words(&result));
    }
    let maps = output.display().to_string();
    for (option, path, expected) in [
        ("--plot", maps.as_str(), "two outputs"),
        ("--plot", "plot.jpg", "no .png"),
        ("--shares", "none-such/shares.csv", "does not exist"),
    ] {
        let result = program(&output, &[option, path]);
        assert!(result.status.code() == Some(6) && words(&result).contains(expected), "{}", words(&result));
    }
    let none = program(&output, &["--reference-weight", "0"]);
    assert!(none.status.success(), "{}", words(&none));
}
