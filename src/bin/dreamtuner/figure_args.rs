//! Options that say what is known of the figure in a picture, and what is said of it.

use std::path::{Path, PathBuf};

use clap::Args;
use dreamtuner::detect::PoseModel;
use dreamtuner::inputs::reference::ReferenceFiles;
use dreamtuner::rig::{Doubts, JointEdit, RigFiles, joint_name};
use serde::{Serialize, Serializer};

/// What is known better of a figure than its picture shows.
#[derive(Debug, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RigEditArgs {
    /// What `dreamtuner rig` wrote of the reference, and what was edited there: nothing is looked for then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reference_pose", "mask"])]
    pub rig: Option<PathBuf>,
    /// A joint that is known better, in pixels of the reference: left-elbow=412,300, or left-elbow=none where it is not to be seen;
    /// can be repeated
    #[arg(long, value_name = "NAME=X,Y")]
    #[serde(serialize_with = "as_texts")]
    pub joint: Vec<JointEdit>,
}

fn as_texts<S: Serializer>(edits: &[JointEdit], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(edits.iter().map(JointEdit::to_string))
}

#[derive(Debug, Args)]
pub struct FigureArgs {
    #[command(flatten, next_help_heading = "Input")]
    edits: RigEditArgs,
    /// The reference's own pose: pose JSON, or `auto` (found in the picture)
    #[arg(long, default_value = "auto", value_name = "FILE|auto", help_heading = "Input")]
    reference_pose: String,
    /// Where the character is in the reference: a grey picture, or `auto` (its transparency, else what stands in front of the
    /// background)
    #[arg(long, default_value = "auto", value_name = "FILE|auto", help_heading = "Input")]
    mask: String,
    /// The network that finds people's joints in videos: `thunder` or `lightning` (faster), both of MoveNet, or `drawn` for
    /// drawn dancers. Or an ONNX file of RTMPose or DWPose, or a folder with such a file and one of YOLOX: these need ONNX
    /// Runtime, and look at the picture too
    #[arg(long, default_value_t, value_name = "NAME|PATH", help_heading = "Input")]
    pub pose_model: PoseModel,
}

impl FigureArgs {
    /// The files of the figure in a picture.
    pub fn of(&self, picture: &Path) -> RigFiles {
        RigFiles {
            reference: ReferenceFiles {
                picture: picture.to_path_buf(),
                mask: self.mask.as_str().into(),
                controls: vec![self.reference_pose.as_str().into()],
                model: self.pose_model.clone(),
            },
            rig: self.edits.rig.clone(),
            joints: self.edits.joint.clone(),
            others: Vec::new(),
        }
    }
}

/// What may be wrong with the joints in a picture, and what to do then.
pub fn sentences(doubts: &Doubts, picture: &Path) -> Vec<String> {
    let name = picture.display();
    let mut sentences = Vec::new();
    if let Some(posture) = doubts.posture {
        sentences.push(format!("{name}: the figure {}, and can hardly be bent", posture.words()));
    }
    let listed = |joints: &[dreamtuner::pose::Joint]| {
        joints.iter().map(|joint| joint_name(*joint)).collect::<Vec<_>>().join(", ")
    };
    let (doubtful, missing) = (&doubts.doubtful, &doubts.missing);
    if let Some(first) = doubtful.first().or(missing.first()) {
        let mut what = Vec::new();
        if !doubtful.is_empty() {
            what.push(format!("{} may be wrong", listed(doubtful)));
        }
        if !missing.is_empty() {
            what.push(format!("{} not found", listed(missing)));
        }
        let first = joint_name(*first);
        sentences.push(format!(
            "{name}: {}. `dreamtuner rig {name} -o FILE.json --sheet` shows the joints; --joint {first}=X,Y sets one",
            what.join("; ")
        ));
    }
    for arm in &doubts.still {
        let (arm, side) = (arm.name(), arm.name().trim_end_matches(" arm"));
        sentences.push(format!(
            "{name}: the {arm} would come off, and stays as it is drawn; --joint {side}-elbow=X,Y and --joint {side}-wrist=X,Y say where it is"
        ));
    }
    sentences
}
