//! Which limbs are in front, as a flat dance tells it: a dancer who turns to the side hides the farther arm behind the body, and a knee
//! that comes up before the body is short of its thigh's length.

use dreamtuner_pose::{Joint, full_length};

use crate::geometry::share_gone;
use crate::joints::Joints;
use crate::order::Depths;
use crate::parts::Part;

/// What a pose tells is believed after so many seconds.
const SLOWNESS: f32 = 0.1;
/// A body is turned from this share of a full turn to the side on ...
const TURNED: f32 = 0.6;
/// ... and until it falls below this one. What lies over what would flicker otherwise.
const TURNED_STILL: f32 = 0.35;
/// The nose of a dancer seen from the side is so far before the neck, in shoulders' widths.
const NOSE_AHEAD: f32 = 0.2;
/// Shoulders are at least so wide, in torsos: a dance may be seen from the side all along.
const NARROWEST: f32 = 0.6;
/// A thigh of less than this share of its length points to the viewer or away ...
const SHORT: f32 = 0.75;
/// ... and shoulders of less than this share of their width are no front.
const FRONT: f32 = 0.5;
/// How far from the trunk the limbs of a side are, and a raised leg, in torsos.
const ARM: f32 = 0.2;
const LEG: f32 = 0.1;
const RAISED: f32 = 0.5;

/// Hip and knee of the legs.
const THIGHS: [[Joint; 2]; 2] = [[Joint::RightHip, Joint::RightKnee], [Joint::LeftHip, Joint::LeftKnee]];

/// How a dancer's body is turned over a dance.
#[derive(Debug, Clone)]
pub(crate) struct Sides {
    /// The full width of the shoulders, and the full lengths of the thighs.
    full: Option<(f32, [f32; 2])>,
    /// How far the body is turned to the viewer's left, -1 to 1, and how high knees are, 0 or 1, smoothed.
    smooth: Option<[f32; 3]>,
    since: f64,
    /// What was decided: the way of the turn or 0, and for each knee whether it is up.
    decided: [f32; 3],
}

impl Sides {
    pub fn new(poses: &[Joints]) -> Self {
        let full = |one: Joint, other: Joint| {
            full_length(poses.iter().filter_map(|joints| {
                let (one, other) = joints.pair(one, other)?;
                Some((one - other).length())
            }))
        };
        let torso = full_length(poses.iter().filter_map(|joints| {
            let torso = joints.torso()?;
            Some((torso.neck - torso.hips()).length())
        }));
        let width = full(Joint::RightShoulder, Joint::LeftShoulder).zip(torso);
        let width = width.map(|(width, torso)| width.max(NARROWEST * torso)).filter(|width| *width > 0.0);
        let thighs = THIGHS.map(|[hip, knee]| full(hip, knee).unwrap_or(0.0));
        Self { full: width.map(|width| (width, thighs)), smooth: None, since: 0.0, decided: [0.0; 3] }
    }

    /// What follows is another scene.
    pub fn cut(&mut self) {
        (self.smooth, self.decided) = (None, [0.0; 3]);
    }

    /// How far away the parts are at a time in seconds; `None` where the pose does not tell.
    pub fn advance(&mut self, joints: &Joints, time: f64) -> Option<Depths> {
        let seen = self.full.and_then(|(width, thighs)| seen(joints, width, thighs));
        let smooth = match (self.smooth, seen) {
            (Some(last), Some(seen)) => {
                let share = share_gone(self.since, time, SLOWNESS);
                std::array::from_fn(|index| last[index] + (seen[index] - last[index]) * share)
            }
            (Some(last), None) => last,
            (None, seen) => seen.unwrap_or([0.0; 3]),
        };
        (self.smooth, self.since) = (Some(smooth), time);
        for (decided, smooth) in self.decided.iter_mut().zip(smooth) {
            let is_so = smooth.abs() > TURNED || (smooth * *decided > 0.0 && smooth.abs() > TURNED_STILL);
            *decided = if is_so { smooth.signum() } else { 0.0 };
        }
        let [turned, right_up, left_up] = self.decided;
        (self.decided != [0.0; 3]).then(|| {
            // Turned to the viewer's left, a body shows its left side.
            let leg = |side: f32, up: f32| if up > 0.0 { -RAISED } else { side * LEG };
            Depths::from_fn(|part| match part {
                Part::Loose | Part::Body | Part::Head => 0.0,
                Part::RightArm => turned * ARM,
                Part::LeftArm => -turned * ARM,
                Part::RightLeg => leg(turned, right_up),
                Part::LeftLeg => leg(-turned, left_up),
            })
        })
    }
}

/// How far a body is turned to the viewer's left, -1 to 1, and whether its knees are up before it, 0 or 1.
fn seen(joints: &Joints, width: f32, thighs: [f32; 2]) -> Option<[f32; 3]> {
    let torso = joints.torso()?;
    let nose = joints.at(Joint::Nose)?;
    let facing = ((torso.left.x - torso.right.x) / width).clamp(-1.0, 1.0);
    let ahead = ((torso.neck.x - nose.x) / (NOSE_AHEAD * width)).clamp(-1.0, 1.0);
    let turned = ahead * (1.0 - facing * facing).sqrt();
    let up = |leg: usize| {
        let up = joints.pair(THIGHS[leg][0], THIGHS[leg][1]).is_some_and(|(hip, knee)| {
            facing > FRONT && knee.y < hip.y && (knee - hip).length() < SHORT * thighs[leg]
        });
        f32::from(up)
    };
    Some([turned, up(0), up(1)])
}
