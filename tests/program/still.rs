//! `dreamtuner image`: stills of the built-in model, grids, and pictures that know how they were made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dreamtuner::diffusion::Sampler;
use dreamtuner::outputs::{PartFile, read_png_text};
use dreamtuner::still::parameters::Parameters;
use image::{RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::{difference, root, words};

fn program(output: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dreamtuner"));
    command.arg("image").arg("-o").arg(output).args(options).output().unwrap()
}

/// A still of the example, 64 pixels wide.
fn still(output: &Path, options: &[&str]) -> Output {
    let example = |name: &str| root().join("examples").join(name).display().to_string();
    let (reference, pose) = (example("hero.png"), example("hero.pose.json"));
    let own = ["--reference", &reference, "--reference-pose", &pose, "--size", "64x64"];
    program(output, &[&own, options].concat())
}

fn made(output: &Path, options: &[&str]) -> RgbImage {
    let result = still(output, options);
    assert!(result.status.success(), "{}", words(&result));
    image::open(output).unwrap().into_rgb8()
}

/// A picture tells its settings, and is made again from them, to the byte; what stands on the command line wins.
#[test]
fn a_picture_knows_how_it_was_made() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let options = ["--prompt", "laugh, night", "--seed", "7", "--sampler", "euler", "--steps", "3"];
    let first = made(&at("first.png"), &options);
    let from = at("first.png").display().to_string();
    let again = program(&at("again.png"), &["--from", &from]);
    assert!(again.status.success(), "{}", words(&again));
    assert!(fs::read(at("first.png")).unwrap() == fs::read(at("again.png")).unwrap());
    let other = program(&at("other.png"), &["--from", &from, "--prompt", "laugh, beach"]);
    assert!(other.status.success(), "{}", words(&other));
    let other = image::open(at("other.png")).unwrap().into_rgb8();
    assert!(difference(&first, &other) > 5.0, "{}", difference(&first, &other));

    let texts = read_png_text(&at("first.png")).unwrap();
    let parameters = Parameters::parse(&texts["parameters"]);
    assert_eq!(parameters.prompt, "laugh, night");
    assert_eq!(parameters.sampler(), Some(Sampler::Euler));
    for (name, value) in [("Steps", "3"), ("Seed", "7"), ("Size", "64x64"), ("Reference weight", "10")] {
        assert_eq!(parameters.get(name), Some(value), "{name}");
    }
}

/// What another program wrote is taken over as far as it is known here.
#[test]
fn pictures_of_other_programs_are_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.png");
    let text = "smile, (beach:1.2)\nNegative prompt: night\nSteps: 2, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 3, \
                Seed: 11, Size: 64x64, Model hash: 6ce0161689, Model: v1-5, Lora hashes: \"a: 1, b: 2\", Version: v1.10.1";
    PartFile::replacing(&path).unwrap().write_png(&RgbImage::new(4, 4), &[("parameters", text)]).unwrap();
    let from = path.display().to_string();
    let made = still(&folder.path().join("made.png"), &["--from", &from]);
    assert!(made.status.success(), "{}", words(&made));
    let texts = read_png_text(&folder.path().join("made.png")).unwrap();
    let parameters = Parameters::parse(&texts["parameters"]);
    assert_eq!(parameters.prompt, "smile, (beach:1.2)");
    assert_eq!(parameters.negative_prompt, "night");
    assert_eq!(parameters.sampler(), Some(Sampler::DpmPlusPlus2MKarras));
    assert_eq!((parameters.get("Seed"), parameters.get("CFG scale")), (Some("11"), Some("3")));
    // What is not known is said, and the sampler comes as near as it can.
    for (sampler, instead) in
        [("Euler a, Schedule type: Karras", "euler-ancestral"), ("DPM fast", "the default")]
    {
        let text = format!("smile\nSteps: 1, Sampler: {sampler}, Size: 64x64");
        PartFile::replacing(&path)
            .unwrap()
            .write_png(&RgbImage::new(4, 4), &[("parameters", &text)])
            .unwrap();
        let made = still(&folder.path().join("made.png"), &["--from", &from, "--overwrite"]);
        let words = words(&made);
        assert!(made.status.success() && words.contains(&format!("{instead} takes its place")), "{words}");
    }
}

/// Only options of pictures are taken from a picture: not where files are written, nor that others may be replaced.
#[test]
fn pictures_do_not_say_what_is_replaced() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("other.png");
    for option in ["overwrite = true", "output = \"mine.png\"", "number = 9", "grid = [\"steps=1,2\"]"] {
        PartFile::replacing(&path)
            .unwrap()
            .write_png(&RgbImage::new(4, 4), &[("dreamtuner", option)])
            .unwrap();
        let made = still(&folder.path().join("made.png"), &["--from", &path.display().to_string()]);
        let words = words(&made);
        assert!(made.status.code() == Some(3) && words.contains("there is no such option"), "{words}");
    }
}

/// A grid has a picture for each pair of values, each as if it had been made alone.
#[test]
fn grids_show_every_pair() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("grid.png");
    let grid = made(
        &output,
        &["--steps", "2", "--grid", "reference-weight=0,3", "--grid", "prompt=smile, beach|angry, night"],
    );
    assert!(grid.width() > 2 * 64 && grid.height() > 2 * 64, "{:?}", grid.dimensions());
    let cell = |number: usize| {
        let path = folder.path().join(format!("grid-{number}.png"));
        image::open(path).unwrap().into_rgb8()
    };
    let alone = made(
        &folder.path().join("alone.png"),
        &["--steps", "2", "--reference-weight", "3", "--prompt", "angry, night"],
    );
    assert!(cell(4) == alone);
    assert!(cell(3) != alone && cell(2) != alone);
    // Pictures of several sizes have room for the largest.
    let sizes =
        made(&folder.path().join("sizes.png"), &["--steps", "1", "--grid", "size=64x64,96x64,64x128"]);
    assert!(sizes.width() >= 2 * 96 && sizes.height() >= 2 * 128, "{:?}", sizes.dimensions());
    // Several pictures differ in their seeds.
    made(&folder.path().join("several.png"), &["--steps", "1", "-n", "2", "--seed", "5"]);
    let seed = |number: usize| {
        let texts = read_png_text(&folder.path().join(format!("several-{number}.png"))).unwrap();
        Parameters::parse(&texts["parameters"]).get("Seed").map(str::to_owned)
    };
    assert_eq!((seed(1).as_deref(), seed(2).as_deref()), (Some("5"), Some("6")));
}

/// A pose moves the figure; a picture to begin from is kept the more the less of it may change; a refined reference is another one.
#[test]
fn poses_beginnings_and_refined_references_act() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(format!("{name}.png"));
    let plain = made(&at("plain"), &["--prompt", "smile, white background"]);
    let pose = root().join("poses/disco.json").display().to_string();
    let posed = made(&at("posed"), &["--prompt", "smile, white background", "--pose", &pose]);
    assert!(difference(&plain, &posed) > 1.0);
    let refined = made(&at("refined"), &["--prompt", "smile, white background", "--pose", &pose, "--refine"]);
    assert!(refined != posed);
    let reference = root().join("examples/hero.png").display().to_string();
    let begun = |strength: &str| {
        let options = ["--prompt", "smile, night", "--steps", "10", "--init", &reference];
        made(&at(strength), &[&options[..], &["--strength", strength]].concat())
    };
    let shown = image::open(root().join("examples/hero.png")).unwrap().thumbnail_exact(64, 64).into_rgb8();
    let (little, much) = (difference(&begun("0.2"), &shown), difference(&begun("0.9"), &shown));
    assert!(little < 30.0 && much > 2.0 * little, "{little} and {much}");
    // Both are taken from a picture that was made so, and what is told anew counts.
    let from = at("0.2").display().to_string();
    let again = program(&at("again"), &["--from", &from]);
    assert!(again.status.success(), "{}", words(&again));
    assert!(fs::read(at("0.2")).unwrap() == fs::read(at("again")).unwrap());
    let from = at("refined").display().to_string();
    let unrefined = program(&at("unrefined"), &["--from", &from, "--refine=false"]);
    assert!(unrefined.status.success(), "{}", words(&unrefined));
    assert!(image::open(at("unrefined")).unwrap().into_rgb8() == posed);
}

/// A still begins from the reference in its pose, and such a picture is made again from what it says.
#[test]
fn stills_take_from_drafts() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(format!("{name}.png"));
    let pose = root().join("poses/disco.json").display().to_string();
    let options = ["--prompt", "smile, white background", "--steps", "4", "--pose", &pose];
    let with = |name: &str, more: &[&str]| made(&at(name), &[&options[..], more].concat());
    let plain = with("plain", &[]);
    let begun = ["--init", "draft", "--strength", "0.25", "--draft-weight", "3"];
    let begun = with("begun", &begun);
    let kept = with("kept", &["--keep", "sure"]);
    assert!(difference(&plain, &begun) > 1.0 && difference(&plain, &kept) > 1.0);
    // Both are mostly the draft.
    assert!(difference(&begun, &kept) < difference(&plain, &kept), "{}", difference(&begun, &kept));
    let from = at("begun").display().to_string();
    let again = program(&at("again"), &["--from", &from]);
    assert!(again.status.success(), "{}", words(&again));
    assert!(fs::read(at("begun")).unwrap() == fs::read(at("again")).unwrap());
    let mut options = options.to_vec();
    options.truncate(4);
    let unposed = still(&at("unposed"), &[&options[..], &["--keep", "sure"]].concat());
    assert!(words(&unposed).contains("--pose"), "{}", words(&unposed));
}

/// What is transparent in a picture to begin from is white, whatever colour it hides.
#[test]
fn beginnings_stand_on_white() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(format!("{name}.png"));
    let begun = |name: &str, hidden: u8| {
        let path = at(&format!("{name}-init"));
        let pixel =
            |x: u32, _: u32| Rgba(if x < 32 { [200, 30, 30, 255] } else { [hidden, hidden, hidden, 0] });
        RgbaImage::from_fn(64, 64, pixel).save(&path).unwrap();
        let init = path.display().to_string();
        made(&at(name), &["--steps", "4", "--init", &init, "--strength", "0.5"])
    };
    assert!(begun("black", 0) == begun("white", 255));
}

/// What cannot work is said at once, and nothing is replaced unasked.
#[test]
fn bad_input_is_refused() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out.png");
    let refused = |output: &Path, options: &[&str], code: i32, expected: &[&str]| {
        let result = still(output, options);
        let words = words(&result);
        assert_eq!(result.status.code(), Some(code), "{words}");
        expected.iter().for_each(|part| assert!(words.contains(part), "{part} not in {words}"));
    };
    let reference = root().join("examples/hero.png").display().to_string();
    refused(&output, &["--grid", "reference-weight"], 2, &["option=values"]);
    refused(&output, &["--grid", "colour=1,2"], 2, &["--grid", "colour"]);
    refused(&output, &["--grid", "steps=1,many"], 2, &["--grid", "many"]);
    refused(&output, &["--grid", "steps=1,2", "--grid", "steps=3,4"], 2, &["--grid", "twice"]);
    refused(&output, &["--grid", "steps=1,2", "--grid", "beta=0,1", "-n", "2"], 2, &["--grid", "3 options"]);
    refused(&output, &["--init", &reference], 2, &["--strength"]);
    refused(&output, &["--init", &reference, "--strength", "2"], 2, &["--strength", "2"]);
    refused(&output, &["--init", &reference, "--strength", "0.1"], 2, &["--strength", "0.1", "0.250"]);
    refused(&output, &["--init", "none-such.png", "--strength", "1"], 5, &["none-such.png"]);
    refused(&output, &["--pose", &reference.replace("hero.png", "README.md")], 3, &["README.md"]);
    refused(&folder.path().join("out.jpg"), &[], 6, &["out.jpg", ".png"]);
    refused(&output, &["--from", &reference], 3, &["hero.png", "does not say how it was made"]);
    refused(&output, &["--controlnet", "model,video=a.mp4"], 2, &["--controlnet", "video"]);
    refused(&output, &["--grid", "dtype=f32,f16"], 2, &["--grid", "dtype"]);
    // Nothing is rendered before all is known to be in order.
    refused(&output, &["--grid", "steps=4,0"], 2, &["--steps", "0"]);
    refused(&output, &["--grid", "size=64x64,0x64"], 2, &["--size", "0x64"]);
    refused(&output, &["--grid", "prompt=smile|(beach:9999)"], 2, &["--prompt"]);
    refused(&folder.path().join("none-such/out.png"), &[], 6, &["none-such", "does not exist"]);
    fs::create_dir(folder.path().join("folder.png")).unwrap();
    refused(&folder.path().join("folder.png"), &["--overwrite"], 6, &["is a folder"]);
    assert!(fs::read_dir(folder.path()).unwrap().count() == 1);
    assert!(!output.exists());
    fs::write(&output, b"mine").unwrap();
    refused(&output, &[], 6, &["out.png", "--overwrite"]);
    assert!(fs::read(&output).unwrap() == b"mine");
}

proptest! {
    /// What is written is read back, whatever the texts hold.
    #[test]
    fn parameters_are_read_back(
        prompt in "[^\\x00-\\x08\\x0b-\\x1f]{0,60}",
        negative in "[a-z,:\" ]{0,20}",
        value in "[ -~]{1,20}",
    ) {
        let trimmed = |text: &str| text.trim().to_owned();
        prop_assume!(!prompt.contains("Negative prompt: ") && !negative.contains("Negative prompt: "));
        let parameters = Parameters {
            prompt: trimmed(&prompt),
            negative_prompt: trimmed(&negative),
            values: vec![("Steps".into(), "4".into()), ("Note".into(), trimmed(&value))],
        };
        prop_assert_eq!(Parameters::parse(&parameters.to_string()), parameters.clone());
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("text.png");
        let text = parameters.to_string();
        PartFile::replacing(&path).unwrap().write_png(&RgbImage::new(2, 3), &[("parameters", &text)]).unwrap();
        prop_assert_eq!(&read_png_text(&path).unwrap()["parameters"], &text);
        prop_assert_eq!(image::open(&path).unwrap().into_rgb8(), RgbImage::new(2, 3));
    }

    /// Any text can be read.
    #[test]
    fn any_text_is_parsed(text in "(?s).{0,200}") {
        Parameters::parse(&text);
    }
}
