//! Folders of pictures for training.
//!
//! The layout is Hugging Face's `imagefolder` with several pictures a line: `metadata.jsonl` names, for each picture,
//! the picture itself, its mask, its control image, the captions and the joints. Each identity has a reference picture
//! (variant 0: standing, from the front, on white) and others in dance poses. Each dance pose has three moments, as
//! neighbouring frames of a clip (1 to 3, 4 to 6, …). Where drafts are asked for, each of these has one that a rig of the reference
//! gives, joints mistaken as in strangers' drawings, and a map of how sure it is.

use std::path::Path;

use dreamtuner_puppet::{
    Identity, Random, Shot, caption, follows, pose, render, scene_caption, training_shot,
};
use image::{ImageBuffer, PixelWithColorType};
use rayon::prelude::*;
use serde::Serialize;

use super::spoiled::SpoiledRig;
use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;
use crate::outputs::{Earlier, Reservation, disk, png, write_unsynced, write_whole};
use crate::pose::Pose;

/// Which pictures are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSettings {
    /// Number of identities, at least 1. Default: 1000.
    pub identities: u64,
    /// Seed of the first identity; the others follow it. Default: 0.
    pub first_seed: u64,
    /// Pictures of each identity, 1 to 100; the first is the reference. Default: 4.
    pub variants: u32,
    /// Side of the pictures in pixels, 16 to 2048. Default: 256.
    pub size: u32,
    /// Seed of poses, scenes and expressions. Default: 0.
    pub seed: u64,
    /// Whether each picture but the reference has a draft. Default: no.
    pub drafts: bool,
}

impl Default for DatasetSettings {
    fn default() -> Self {
        Self { identities: 1000, first_seed: 0, variants: 4, size: 256, seed: 0, drafts: false }
    }
}

/// One line of `metadata.jsonl`.
#[derive(Debug, Serialize)]
struct Line {
    file_name: String,
    mask_file_name: String,
    control_file_name: String,
    /// The draft, where there is one, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    draft_file_name: Option<String>,
    /// ... and how sure it is, from black to white.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence_file_name: Option<String>,
    identity: u64,
    variant: u32,
    reference: bool,
    /// The variant that shows the moment before, if any.
    follows: Option<u32>,
    view: &'static str,
    scene: &'static str,
    expression: &'static str,
    caption: String,
    scene_caption: String,
    /// x and y in pixels and 1 for each of OpenPose's 18 joints; three zeros for one that is hidden.
    keypoints: Vec<[f32; 3]>,
}

const FOLDERS: [&str; 3] = ["images", "masks", "control"];
const DRAFT_FOLDERS: [&str; 2] = ["drafts", "confidence"];
const METADATA: &str = "metadata.jsonl";

/// Writes the pictures into the folder, which is `reserved` as a new one, then `metadata.jsonl`, so that a folder with that file is
/// complete. Pictures that an earlier run of the same command has written stay; any others with these names are replaced.
/// `finished` is told after each identity, from any thread.
///
/// # Errors
/// [`Error::Setting`] for settings out of range; [`Error::Io`] where a file cannot be written.
pub fn write_dataset(
    folder: &Path,
    settings: &DatasetSettings,
    reserved: &mut Reservation,
    finished: impl Fn() + Sync,
) -> Result<()> {
    let last = validated(settings)?;
    let earlier = reserved.begin_folder(folder)?;
    let draft_folders = if settings.drafts { &DRAFT_FOLDERS[..] } else { &[] };
    for name in FOLDERS.iter().chain(draft_folders) {
        let path = folder.join(name);
        disk::create_folder(&path).map_err(|error| Error::io(&path, error))?;
    }
    let metadata = folder.join(METADATA);
    disk::remove_file(&metadata).map_err(|error| Error::io(&metadata, error))?;
    let lines = (settings.first_seed..=last)
        .into_par_iter()
        .map(|seed| {
            let lines = write_identity(folder, settings, seed, earlier)?;
            finished();
            Ok(lines)
        })
        .collect::<Result<Vec<String>>>()?;
    disk::sync_all_below(folder).map_err(|error| Error::io(folder, error))?;
    write_whole(&metadata, lines.concat().as_bytes())
}

/// The last seed, where the settings are in range.
fn validated(settings: &DatasetSettings) -> Result<u64> {
    if !(16..=MAX_SIDE.min(2048)).contains(&settings.size) {
        return Err(Error::setting("size", format!("{}; 16 to 2048 is allowed", settings.size)));
    }
    if !(1..=100).contains(&settings.variants) {
        return Err(Error::setting("variants", format!("{}; 1 to 100 is allowed", settings.variants)));
    }
    let count = settings.identities;
    count.checked_sub(1).and_then(|rest| settings.first_seed.checked_add(rest)).ok_or_else(|| {
        Error::setting("identities", format!("{count}; at least 1, and the last seed below 2⁶⁴"))
    })
}

/// Writes the pictures of one identity, where they are not there yet, and returns their lines of metadata.
fn write_identity(folder: &Path, settings: &DatasetSettings, seed: u64, earlier: Earlier) -> Result<String> {
    let identity = Identity::from_seed(seed);
    let mut lines = String::new();
    let mut rigs = Rigs { identity: &identity, settings, last: None };
    for variant in 0..settings.variants {
        let shot = training_shot(&identity, settings.seed, variant);
        let name = format!("{seed:06}_{variant:02}.png");
        let names = FOLDERS.map(|kind| format!("{kind}/{name}"));
        let drafts =
            (settings.drafts && variant > 0).then(|| DRAFT_FOLDERS.map(|kind| format!("{kind}/{name}")));
        let [image, mask, control] = names.each_ref().map(|name| folder.join(name));
        let draft = drafts.as_ref().map(|names| names.each_ref().map(|name| folder.join(name)));
        let files = [&image, &mask, &control].into_iter().chain(draft.iter().flatten());
        if !files.into_iter().all(|file| earlier.wrote(file)) {
            let picture = render(&identity, &shot, settings.size);
            write_png(&image, &picture.image)?;
            write_png(&mask, &picture.mask)?;
            write_png(&control, &picture.control_image())?;
            if let Some([draft, confidence]) = draft {
                let drawn = rigs.of(variant)?.draft(&picture);
                write_png(&draft, &drawn.image)?;
                write_png(&confidence, &drawn.confidence)?;
            }
        }
        let pose = pose(&identity, &shot, settings.size);
        let text = serde_json::to_string(&line(&identity, &shot, variant, &pose, names, drafts))
            .map_err(|error| Error::output(folder.join(METADATA), error.to_string()))?;
        lines += &text;
        lines.push('\n');
    }
    Ok(lines)
}

/// The rigs that drafts of an identity are drawn with: all moments of a dance with one.
struct Rigs<'a> {
    identity: &'a Identity,
    settings: &'a DatasetSettings,
    /// The last one, and the variant that its dance begins with.
    last: Option<(u32, SpoiledRig)>,
}

impl Rigs<'_> {
    fn of(&mut self, variant: u32) -> Result<&SpoiledRig> {
        let first =
            std::iter::successors(Some(variant), |variant| follows(*variant)).last().unwrap_or(variant);
        let last = match self.last.take() {
            Some((of, rig)) if of == first => (of, rig),
            _ => {
                let stream = (1 << 62) | (self.identity.seed << 7) | u64::from(first);
                let random = &mut Random::new(self.settings.seed, stream);
                let shot = training_shot(self.identity, self.settings.seed, 0);
                let reference = render(self.identity, &shot, self.settings.size);
                (first, SpoiledRig::new(&reference, random)?)
            }
        };
        Ok(&self.last.insert(last).1)
    }
}

fn line(
    identity: &Identity,
    shot: &Shot,
    variant: u32,
    pose: &Pose,
    files: [String; 3],
    drafts: Option<[String; 2]>,
) -> Line {
    let [file_name, mask_file_name, control_file_name] = files;
    let (draft_file_name, confidence_file_name) =
        drafts.map(|[draft, confidence]| (draft, confidence)).unzip();
    Line {
        file_name,
        mask_file_name,
        control_file_name,
        draft_file_name,
        confidence_file_name,
        identity: identity.seed,
        variant,
        reference: variant == 0,
        follows: follows(variant),
        view: shot.view.words(),
        scene: shot.scene.words(),
        expression: shot.expression.words(),
        caption: caption(identity, shot),
        scene_caption: scene_caption(shot),
        keypoints: keypoints(pose),
    }
}

fn keypoints(pose: &Pose) -> Vec<[f32; 3]> {
    let tenths = |value: f32| (value * 10.0).round() / 10.0;
    let joints = pose.people.iter().flat_map(|person| person.body.iter());
    joints.map(|joint| joint.map_or([0.0; 3], |joint| [tenths(joint.x), tenths(joint.y), 1.0])).collect()
}

/// Writes a PNG file. It comes to the disk with all others.
fn write_png<P>(path: &Path, image: &ImageBuffer<P, Vec<u8>>) -> Result<()>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let bytes = png::encode(image, &[]).map_err(|problem| Error::output(path, problem))?;
    write_unsynced(path, &bytes)
}
