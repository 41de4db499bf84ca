//! Drawings of any hand to learn from: a drawing is the truth, and the same figure in another pose, bent by its rig, the reference. So what
//! is learnt is real, and what is given has the mistakes of drafts.

use std::path::{Path, PathBuf};

use dreamtuner_puppet::{
    Expression, Identity, Picture, Random, Shot, View, pose, random_pose, reference_shot,
};
use dreamtuner_warp::Joints;

use super::write::DatasetSettings;
use crate::detect::PoseModel;
use crate::draft::{Layout, with_room};
use crate::error::{Error, Result};
use crate::files::is_picture;
use crate::inputs::reference::{FileChoice, ReferenceFiles};
use crate::picture::{WHITE, on_colour, opacity};
use crate::pose::{Joint, Keypoint, Person, Pose, PoseSequence, retarget, vector};
use crate::rig::{Doubts, Figure, RigFiles};

/// A drawing whose figure was found.
pub(super) struct Drawing {
    figure: Figure,
}

impl Drawing {
    /// The pictures in a folder in which a whole figure is found, by name; `left_out` is told of the others, and why.
    ///
    /// # Errors
    /// A folder that cannot be read, or without such a picture.
    pub fn all_in(folder: &Path, left_out: &mut dyn FnMut(&Path, &str)) -> Result<Vec<Self>> {
        let entries = folder.read_dir().map_err(|error| Error::io(folder, error))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| is_picture(path));
        paths.sort();
        let mut drawings = Vec::new();
        for path in paths {
            let reference = ReferenceFiles {
                picture: path.clone(),
                mask: FileChoice::Auto,
                controls: Vec::new(),
                model: PoseModel::default(),
            };
            match RigFiles::found_in(&reference).read() {
                Ok(figure) if is_whole(&figure.doubts()) => drawings.push(Self { figure }),
                Ok(_) => left_out(&path, "no whole figure is found for sure"),
                Err(error) => left_out(&path, &error.to_string()),
            }
        }
        if drawings.is_empty() {
            return Err(Error::input(folder, "holds no drawing in which a whole figure is found for sure"));
        }
        Ok(drawings)
    }

    /// The figure as it was drawn, or, as the reference (variant 0), in another pose.
    pub fn picture(&self, settings: &DatasetSettings, identity: u64, variant: u32) -> Result<Picture> {
        let random = &mut Random::new(settings.seed, (3 << 62) | (identity << 7) | u64::from(variant));
        let rest = Joints::of(self.figure.person());
        let joints = if variant == 0 { self.danced(identity, random)? } else { rest };
        let size = settings.size;
        let mut layout = Layout::new(&[joints], self.figure.bounds(), &rest, Some((size, size)));
        let smaller = random.range(0.75, 1.0);
        layout.scale *= smaller;
        let middle = vector(size as f32, size as f32) * 0.5;
        layout.offset = middle + (layout.offset - middle) * smaller;
        let placed = joints.placed(layout.scale, layout.offset);
        let drawn = self.figure.rig(layout.scale)?.draw(&placed, size, size);
        let person = person_at(&placed);
        Ok(Picture {
            image: on_colour(&drawn, WHITE),
            mask: opacity(&drawn),
            labels: None,
            pose: Pose { width: size, height: size, people: vec![person] },
        })
    }

    /// The figure's joints in a puppet's random pose.
    fn danced(&self, seed: u64, random: &mut Random) -> Result<Joints> {
        const SIDE: u32 = 512;
        let identity = Identity::from_seed(seed);
        let rest = reference_shot(Expression::Smile);
        let dance = Shot { pose: random_pose(&identity, View::Front, random), ..rest };
        let poses = [rest, dance].iter().map(|shot| pose(&identity, shot, SIDE)).collect();
        let sequence =
            PoseSequence { width: SIDE, height: SIDE, frames_per_second: None, tracked: true, poses };
        let moved = retarget(&sequence, &with_room(self.figure.pose()))?;
        Ok(moved.poses.last().map_or(Joints::none(), Joints::of_first))
    }
}

/// A joint that is off spoils the reference only, not what is learnt.
fn is_whole(doubts: &Doubts) -> bool {
    const MOST_DOUBTFUL: usize = 4;
    doubts.posture.is_none()
        && doubts.missing.is_empty()
        && doubts.still.is_empty()
        && doubts.doubtful.len() <= MOST_DOUBTFUL
}

/// A person with joints in these places.
fn person_at(joints: &Joints) -> Person {
    let mut person = Person::default();
    for joint in Joint::ALL {
        person.body[joint as usize] =
            joints.at(joint).map(|at| Keypoint { x: at.x, y: at.y, confidence: 1.0 });
    }
    person
}
