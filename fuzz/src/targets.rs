//! What is fuzzed: for each kind of foreign bytes a function that reads them as the program does. Errors are answers; a panic, much
//! memory or a long time is none.
//!
//! The fuzzer runs these (`fuzz_targets/`), and so do the tests of the project, over `corpus/`.

use std::path::Path;

use dreamtuner::detect::{PoseModel, WholeBody};
use dreamtuner::diffusion::{NoiseSource, Schedule, ScheduleConfig};
use dreamtuner::evaluate::dreambooth::DataSet;
use dreamtuner::files;
use dreamtuner::inputs::kept_poses;
use dreamtuner::inputs::reference::{FileChoice, ReferenceFiles};
use dreamtuner::model::config::{
    ImageEncoderConfig, TextConfig, TinyVaeConfig, UNetConfig, VaeConfig, VisionTransformerConfig,
};
use dreamtuner::model::subject_config::SubjectEncoderConfig;
use dreamtuner::model::weights::{Lora, Part, PartFiles, SubjectFile, TextualInversion, inspect};
use dreamtuner::model::{Tokenizer, prompt};
use dreamtuner::outputs::{Reservation, Wanted, read_png_text};
use dreamtuner::pose::{ReadSettings, classify, read_poses, swap_red_blue};
use dreamtuner::puppet::Choreography;
use dreamtuner::render::journal::Journal;
use dreamtuner::rig::RigFiles;
use dreamtuner::still::parameters::{PARAMETERS, Parameters};
use dreamtuner::train::data::DataFolder;
use dreamtuner::video::{DecodeSettings, open_frames};
use image::RgbImage;
use serde_json::{Value, json};

/// A target: what it is called, and what reads the bytes; the folder is its own, and may hold what an earlier call left.
pub type Target = (&'static str, fn(&Path, &[u8]));

/// All of them.
pub const TARGETS: [Target; 22] = [
    ("bvh", bvh),
    ("config", config),
    ("dance", dance),
    ("data_folder", data_folder),
    ("journal", journal),
    ("kept_poses", poses_of_journal),
    ("lora", lora),
    ("noise", noise),
    ("onnx", onnx),
    ("options", options),
    ("picture", picture),
    ("png_text", png_text),
    ("pose_json", pose_json),
    ("prompt", prompt_text),
    ("record", record),
    ("rig", rig),
    ("safetensors", safetensors),
    ("skeleton_frames", skeleton_frames),
    ("subject", subject),
    ("tokenizer", tokenizer),
    ("video", video),
    ("weights_index", weights_index),
];

/// Runs a target by its name.
pub fn run(name: &str, folder: &Path, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("there is no target {name}")).1(folder, bytes);
}

/// The bytes as a file of the folder.
fn file(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Configurations of networks, and what is concluded from them.
fn config(folder: &Path, bytes: &[u8]) {
    let path = file(folder, "scheduler_config.json", bytes);
    if let Ok(config) = ScheduleConfig::from_file(&path) {
        let _ = Schedule::new(config);
    }
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return };
    let unet = UNetConfig::from_json(&json);
    let vae = VaeConfig::from_json(&json);
    if let (Ok(unet), Ok(vae)) = (&unet, &vae) {
        let _ = (unet.native_side(vae), unet.size_step(vae));
    }
    let _ =
        (TinyVaeConfig::from_json(&json), TextConfig::from_json(&json), ImageEncoderConfig::from_json(&json));
    let _ = (VisionTransformerConfig::from_json(&json), SubjectEncoderConfig::from_json(&json));
}

/// A dance of key poses.
fn dance(_: &Path, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(dance) = text.parse::<Choreography>() {
        let _ = (dance.seconds(), dance.pose(0.0), dance.pose(1e6));
    }
}

/// Lists of pictures for training, and of DreamBooth's data set.
fn data_folder(folder: &Path, bytes: &[u8]) {
    file(folder, "metadata.jsonl", bytes);
    file(folder, "prompts_and_classes.txt", bytes);
    let _ = DataFolder::open(folder, None);
    let _ = DataSet::open(folder);
}

/// A journal, of which the first byte says which file is foreign.
fn journal(folder: &Path, bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let folder = folder.join("clip.mp4.frames");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let plan = json!({"dreamtuner": "0", "frames": 2, "settings": {"seed": 1}});
    file(&folder, "plan.json", &serde_json::to_vec(&plan).unwrap());
    for name in ["000000.latent", "000000.png", "000000.trajectory"] {
        file(&folder, name, b"");
    }
    let foreign = ["plan.json", "000000.latent", "000000.png", "000000.trajectory"][usize::from(choice) % 4];
    file(&folder, foreign, bytes);
    if let Ok(journal) = Journal::open(&folder, &plan, false) {
        let _ = (journal.latent(0).is_ok(), journal.picture(0).is_ok(), journal.trajectory(0).is_ok());
    }
    let _ = Journal::tidy_up(&folder, false);
}

/// Poses that were found before.
fn poses_of_journal(_: &Path, bytes: &[u8]) {
    let _ = kept_poses::from_bytes(bytes, "key");
}

/// LoRAs and textual inversions, by the names of their tensors.
fn lora(folder: &Path, bytes: &[u8]) {
    let path = file(folder, "lora.safetensors", bytes);
    if let Ok(lora) = Lora::open(&path) {
        let _ = (lora.ranks(), lora.alphas(), lora.naming(), lora.context_width());
        Part::ALL.iter().for_each(|part| _ = lora.targets(*part));
    }
    let _ = TextualInversion::open(&path);
}

/// Noise of other programs.
fn noise(folder: &Path, bytes: &[u8]) {
    let _ = NoiseSource::from_file(file(folder, "noise.safetensors", bytes));
}

/// Networks that find poses.
fn onnx(folder: &Path, bytes: &[u8]) {
    let _ = WholeBody::open(&file(folder, "network.onnx", bytes));
}

/// Options in TOML.
fn options(_: &Path, bytes: &[u8]) {
    let (path, Ok(text)) = (Path::new("options.toml"), std::str::from_utf8(bytes)) else { return };
    let Ok(table) = files::parse_options(path, text) else { return };
    table.iter().for_each(|(name, value)| _ = files::as_arguments(path, name, value));
}

/// Pictures of every format.
fn picture(folder: &Path, bytes: &[u8]) {
    let _ = files::read_picture(&file(folder, "picture", bytes));
}

/// Texts in PNG files.
fn png_text(folder: &Path, bytes: &[u8]) {
    let Ok(texts) = read_png_text(&file(folder, "picture.png", bytes)) else { return };
    if let Some(text) = texts.get(PARAMETERS) {
        let parameters = Parameters::parse(text);
        let _ = (parameters.sampler(), parameters.unknown_sampler().is_some(), parameters.to_string());
    }
}

/// Motion capture.
fn bvh(folder: &Path, bytes: &[u8]) {
    let _ = read_poses(&file(folder, "dance.bvh", bytes), &ReadSettings::default());
}

/// Pose files of every format.
fn pose_json(folder: &Path, bytes: &[u8]) {
    let path = file(folder, "poses.json", bytes);
    let _ = read_poses(&path, &ReadSettings::default());
    let _ = read_poses(&path, &ReadSettings { canvas: Some((64, 48)), ..Default::default() });
}

/// Prompts, and what A1111 writes of them.
fn prompt_text(_: &Path, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = prompt::parse(text);
    let _ = Parameters::parse(text).to_string();
}

/// The record of a command that was cut off.
fn record(folder: &Path, bytes: &[u8]) {
    file(folder, ".dreamtuner-out.mp4.record", bytes);
    let output = folder.join("out.mp4");
    let wanted = || vec![Wanted::File(output.clone())];
    if let Ok(mut reserved) = Reservation::new(wanted(), &[], false) {
        let _ = (reserved.left_to_tidy(), reserved.resume("key").is_ok());
    }
}

/// The rig of a figure, whose picture and parts are as they were.
fn rig(folder: &Path, bytes: &[u8]) {
    let (picture, parts) = (folder.join("figure.png"), folder.join("figure.rig.png"));
    if !parts.exists() {
        std::fs::write(&picture, include_bytes!("../figure.png")).unwrap();
        std::fs::write(&parts, include_bytes!("../figure.rig.png")).unwrap();
    }
    let reference =
        ReferenceFiles { picture, mask: FileChoice::Auto, controls: Vec::new(), model: PoseModel::default() };
    let rig = Some(file(folder, "figure.rig.json", bytes));
    let Ok(figure) = (RigFiles { reference, rig, joints: Vec::new(), others: Vec::new() }).read() else {
        return;
    };
    let _ = (figure.doubts(), figure.rig(1.0).is_ok());
}

/// Weights, with every tensor.
fn safetensors(folder: &Path, bytes: &[u8]) {
    let path = file(folder, "model.safetensors", bytes);
    let _ = inspect(&path);
    for part in Part::ALL {
        let Ok(files) = PartFiles::open(&path, part) else { continue };
        files.names().for_each(|name| _ = files.tensor(name).is_ok());
    }
}

/// Frames that may be drawn skeletons: width and height, then pixels.
fn skeleton_frames(_: &Path, bytes: &[u8]) {
    let [width, height, pixels @ ..] = bytes else { return };
    let (width, height) = (u32::from(*width) % 64 + 1, u32::from(*height) % 64 + 1);
    let frames = pixels.chunks_exact((3 * width * height) as usize).take(4);
    let mut frames: Vec<RgbImage> =
        frames.filter_map(|frame| RgbImage::from_raw(width, height, frame.to_vec())).collect();
    let _ = classify(&frames);
    frames.iter_mut().for_each(swap_red_blue);
}

/// Subjects that were tuned.
fn subject(folder: &Path, bytes: &[u8]) {
    let _ = SubjectFile::open(&file(folder, "hero.subject", bytes));
}

/// Tokenizers: `tokenizer.json`, or vocabulary, merges and configuration with zeros between them.
fn tokenizer(folder: &Path, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parts: Vec<&str> = text.split('\0').collect();
    let found = match parts[..] {
        [vocab, merges, config] => Tokenizer::from_parts(vocab, merges, config),
        _ => {
            file(folder, "tokenizer.json", bytes);
            Tokenizer::from_folder(folder)
        }
    };
    if let Ok(tokenizer) = found {
        let _ = (tokenizer.encode("a hero, in the Snow 12").is_ok(), tokenizer.chunks("(a:1.2) b").is_ok());
    }
}

/// Films, up to some frames.
fn video(folder: &Path, bytes: &[u8]) {
    const FRAMES: usize = 20;
    let path = file(folder, "film", bytes);
    if let Ok(frames) = open_frames(&path, &DecodeSettings::default()) {
        frames.take(FRAMES).for_each(drop);
    }
}

/// The list of a model's shards.
fn weights_index(folder: &Path, bytes: &[u8]) {
    file(folder, "diffusion_pytorch_model.safetensors.index.json", bytes);
    file(folder, "a.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    let _ = inspect(folder);
    let _ = PartFiles::open(folder, Part::Unet);
}
