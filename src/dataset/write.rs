//! The files of a folder.

use std::path::{Path, PathBuf};

use dreamtuner_puppet::{
    Identity, Picture, Random, Scene, Shot, View, caption, follows, pose, render, scene_caption,
    training_shot,
};
use image::{ImageBuffer, PixelWithColorType};
use rayon::prelude::*;
use serde::Serialize;

use super::drawings::Drawing;
use super::spoiled::SpoiledRig;
use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;
use crate::outputs::{Earlier, Reservation, disk, png, write_unsynced, write_whole};
use crate::pose::Pose;
use crate::render::draft::DraftFrame;

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
    /// A folder of drawings that take the puppets' place, by turns; the drawing itself is what is to be learnt, and the reference is
    /// the same figure in another pose, bent by its rig. Default: none.
    pub drawings: Option<PathBuf>,
}

impl Default for DatasetSettings {
    fn default() -> Self {
        Self {
            identities: 1000,
            first_seed: 0,
            variants: 4,
            size: 256,
            seed: 0,
            drafts: false,
            drawings: None,
        }
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
    let source = match &settings.drawings {
        None => Source::Puppets,
        Some(drawings) => Source::Drawings(Drawing::all_in(drawings, &mut |path, why| {
            tracing::warn!("{}: left out: {why}", path.display());
        })?),
    };
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
            let lines = source.write(folder, settings, seed, earlier)?;
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

/// Where pictures come from.
enum Source {
    Puppets,
    Drawings(Vec<Drawing>),
}

impl Source {
    /// Writes the pictures of one identity, where they are not there yet, and returns their lines of metadata.
    fn write(
        &self,
        folder: &Path,
        settings: &DatasetSettings,
        seed: u64,
        earlier: Earlier,
    ) -> Result<String> {
        let identity = Identity::from_seed(seed);
        let drawing = match self {
            Self::Puppets => None,
            Self::Drawings(drawings) => drawings.get(seed as usize % drawings.len()),
        };
        let mut lines = String::new();
        let mut rigs = Rigs { identity: &identity, drawing, settings, last: None };
        for variant in 0..settings.variants {
            let shot = training_shot(&identity, settings.seed, variant);
            let files = Files::new(seed, variant, settings.drafts);
            let pose = if files.paths(folder).all(|file| earlier.wrote(&file)) && drawing.is_none() {
                pose(&identity, &shot, settings.size)
            } else {
                let picture = rigs.picture(variant)?;
                files.write(folder, &picture, || Ok(rigs.of(variant)?.draft(&picture)))?;
                picture.pose
            };
            let line = match drawing {
                None => Line::of_puppet(&identity, &shot, variant, &pose, files),
                Some(_) => Line::of_drawing(seed, variant, &pose, files),
            };
            lines += &serde_json::to_string(&line)
                .map_err(|error| Error::output(folder.join(METADATA), error.to_string()))?;
            lines.push('\n');
        }
        Ok(lines)
    }
}

/// The names of a picture's files in the folder.
struct Files {
    own: [String; 3],
    draft: Option<[String; 2]>,
}

impl Files {
    fn new(seed: u64, variant: u32, drafts: bool) -> Self {
        let named = |kind: &str| format!("{kind}/{seed:06}_{variant:02}.png");
        let draft = (drafts && variant > 0).then(|| DRAFT_FOLDERS.map(named));
        Self { own: FOLDERS.map(named), draft }
    }

    fn paths(&self, folder: &Path) -> impl Iterator<Item = PathBuf> {
        self.own.iter().chain(self.draft.iter().flatten()).map(|name| folder.join(name))
    }

    fn write(
        &self,
        folder: &Path,
        picture: &Picture,
        draft: impl FnOnce() -> Result<DraftFrame>,
    ) -> Result<()> {
        let [image, mask, control] = self.own.each_ref().map(|name| folder.join(name));
        write_png(&image, &picture.image)?;
        write_png(&mask, &picture.mask)?;
        write_png(&control, &picture.control_image())?;
        if let Some([image, confidence]) = &self.draft {
            let draft = draft()?;
            write_png(&folder.join(image), &draft.image)?;
            write_png(&folder.join(confidence), &draft.confidence)?;
        }
        Ok(())
    }
}

/// The rigs that drafts of an identity are drawn with: all moments of a dance with one.
struct Rigs<'a> {
    identity: &'a Identity,
    drawing: Option<&'a Drawing>,
    settings: &'a DatasetSettings,
    /// The last one, and the variant that its dance begins with.
    last: Option<(u32, SpoiledRig)>,
}

impl Rigs<'_> {
    fn picture(&self, variant: u32) -> Result<Picture> {
        match self.drawing {
            Some(drawing) => drawing.picture(self.settings, self.identity.seed, variant),
            None => {
                let shot = training_shot(self.identity, self.settings.seed, variant);
                Ok(render(self.identity, &shot, self.settings.size))
            }
        }
    }

    fn of(&mut self, variant: u32) -> Result<&SpoiledRig> {
        let first = match self.drawing {
            None => {
                std::iter::successors(Some(variant), |variant| follows(*variant)).last().unwrap_or(variant)
            }
            Some(_) => variant,
        };
        let last = match self.last.take() {
            Some((of, rig)) if of == first => (of, rig),
            _ => {
                let stream = (1 << 62) | (self.identity.seed << 7) | u64::from(first);
                let random = &mut Random::new(self.settings.seed, stream);
                (first, SpoiledRig::new(&self.picture(0)?, random)?)
            }
        };
        Ok(&self.last.insert(last).1)
    }
}

impl Line {
    fn of_puppet(identity: &Identity, shot: &Shot, variant: u32, pose: &Pose, files: Files) -> Self {
        Self {
            follows: follows(variant),
            view: shot.view.words(),
            scene: shot.scene.words(),
            expression: shot.expression.words(),
            caption: caption(identity, shot),
            scene_caption: scene_caption(shot),
            ..Self::of_drawing(identity.seed, variant, pose, files)
        }
    }

    /// Nothing is known of a drawing but that it stands on white.
    fn of_drawing(identity: u64, variant: u32, pose: &Pose, Files { own, draft }: Files) -> Self {
        let [file_name, mask_file_name, control_file_name] = own;
        let (draft_file_name, confidence_file_name) =
            draft.map(|[draft, confidence]| (draft, confidence)).unzip();
        let scene = Scene::White.words();
        Self {
            file_name,
            mask_file_name,
            control_file_name,
            draft_file_name,
            confidence_file_name,
            identity,
            variant,
            reference: variant == 0,
            follows: None,
            view: View::Front.words(),
            scene,
            expression: "",
            caption: scene.to_owned(),
            scene_caption: scene.to_owned(),
            keypoints: keypoints(pose),
        }
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
