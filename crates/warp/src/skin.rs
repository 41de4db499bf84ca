//! How bones carry a net to a pose: linear blend skinning.

use dreamtuner_pose::Joint;

use crate::bones::{Bone, HEAD, MOVERS, TORSO};
use crate::facing::Turn;
use crate::geometry::{Vector, angle, middle, vector};
use crate::joints::{FACE, Joints};
use crate::mesh::Mesh;
use crate::moment::Moment;

/// Where a mover takes points: first stretched about `from`, then turned, then put to `to`.
#[derive(Debug, Clone, Copy)]
struct Motion {
    from: Vector,
    to: Vector,
    /// Rows of the matrix.
    across: Vector,
    down: Vector,
}

impl Motion {
    const NONE: Self = Self {
        from: vector(0.0, 0.0),
        to: vector(0.0, 0.0),
        across: vector(1.0, 0.0),
        down: vector(0.0, 1.0),
    };

    /// A turn by `angle` (clockwise as seen) after a stretch by `along` in the direction `axis` and by `beside` across it.
    fn new(from: Vector, to: Vector, angle: f32, axis: Vector, along: f32, beside: f32) -> Self {
        let normal = axis.quarter_turn();
        let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
        let turned =
            |point: Vector| vector(cosine * point.x - sine * point.y, sine * point.x + cosine * point.y);
        // As what is added to a point, so that nothing moves where nothing is stretched.
        let stretched = |point: Vector| {
            point + axis * ((along - 1.0) * axis.dot(point)) + normal * ((beside - 1.0) * normal.dot(point))
        };
        let (right, below) = (turned(stretched(vector(1.0, 0.0))), turned(stretched(vector(0.0, 1.0))));
        Self { from, to, across: vector(right.x, below.x), down: vector(right.y, below.y) }
    }

    fn apply(&self, point: Vector) -> Vector {
        let point = point - self.from;
        self.to + vector(self.across.dot(point), self.down.dot(point))
    }
}

/// Bones become at most so many times as long: what was found too short in the picture is not drawn out into a pole.
const LONGEST: f32 = 2.0;

/// Where each corner of the net is when the figure's joints, which are at `rest`, are at `pose`. What ends at a joint that the pose
/// lacks goes with what it hangs on.
pub(crate) fn posed(mesh: &Mesh, rest: &Joints, moment: &Moment) -> Vec<Vector> {
    let motions = motions(rest, &moment.joints);
    let turn = Turn::new(rest, moment.turn);
    let mut corners: Vec<Vector> = mesh
        .rest
        .iter()
        .zip(&mesh.weights)
        .map(|(point, weights)| {
            // The face moves over the head, and with it.
            let point = match turn {
                Some(turn) if weights[HEAD] > 0.0 => point.toward(turn.apply(*point), weights[HEAD]),
                _ => *point,
            };
            let moved = weights.iter().zip(&motions).filter(|(weight, _)| **weight > 1e-4);
            let (sum, whole) = moved.fold((vector(0.0, 0.0), 0.0), |(sum, whole), (weight, motion)| {
                (sum + motion.apply(point) * *weight, whole + weight)
            });
            sum * (1.0 / whole)
        })
        .collect();
    if let Some(skirt) = &mesh.skirt {
        skirt.drape(&mesh.rest, &mut corners);
    }
    corners.iter_mut().zip(&mesh.slack).for_each(|(corner, slack)| *corner = *corner + moment.trail * *slack);
    corners
}

fn motions(rest: &Joints, pose: &Joints) -> [Motion; MOVERS] {
    let mut motions = [torso(rest, pose).unwrap_or(Motion::NONE); MOVERS];
    for number in 0..TORSO {
        let Bone { from, to, parent, .. } = Bone::new(number);
        motions[number] = match rest.pair(from, to).zip(pose.pair(from, to)) {
            Some(((a, b), (c, d))) => {
                let (before, after) = (b - a, d - c);
                let along = (after.length() / before.length().max(1e-6)).min(LONGEST);
                Motion::new(a, c, angle(after) - angle(before), before.unit(), along, 1.0)
            }
            None => motions[parent],
        };
    }
    motions[HEAD] = head(rest, pose).unwrap_or(motions[TORSO]);
    motions
}

/// The best turn of some points onto others: their middles, and the angle.
fn turn(rest: &[Vector], pose: &[Vector]) -> (Vector, Vector, f32) {
    let (from, to) = (middle(rest), middle(pose));
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (a, b) in rest.iter().zip(pose) {
        sine += (*a - from).cross(*b - to);
        cosine += (*a - from).dot(*b - to);
    }
    (from, to, libm::atan2f(sine, cosine))
}

/// The trunk turns as a whole, and becomes as wide and as high as the pose's, half to one and a half times.
fn torso(rest: &Joints, pose: &Joints) -> Option<Motion> {
    let points = |joints: &Joints| {
        let torso = joints.torso()?;
        let [a, b, c, d] = torso.corners();
        Some([a, b, c, d, torso.neck, torso.hips()])
    };
    let (before, after) = (points(rest)?, points(pose)?);
    let (from, to, angle) = turn(&before, &after);
    let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
    let turned_back =
        |point: Vector| vector(cosine * point.x + sine * point.y, cosine * point.y - sine * point.x);
    let (mut across, mut down) = ((0.0, 0.0), (0.0, 0.0));
    for (a, b) in before.iter().zip(&after) {
        let (a, b) = (*a - from, turned_back(*b - to));
        across = (across.0 + a.x * b.x, across.1 + a.x * a.x);
        down = (down.0 + a.y * b.y, down.1 + a.y * a.y);
    }
    let share = |(part, whole): (f32, f32)| (part / whole.max(1e-6)).clamp(0.5, 1.5);
    Some(Motion::new(from, to, angle, vector(1.0, 0.0), share(across), share(down)))
}

/// The head turns without bending: as the face does, or as nose and neck do where no more is seen.
fn head(rest: &Joints, pose: &Joints) -> Option<Motion> {
    let face: Vec<(Vector, Vector)> =
        FACE.into_iter().filter_map(|joint| rest.at(joint).zip(pose.at(joint))).collect();
    let (before, after): (Vec<Vector>, Vec<Vector>) = face.into_iter().unzip();
    let rigid = |from, to, angle| Motion::new(from, to, angle, vector(1.0, 0.0), 1.0, 1.0);
    if before.len() > 1 {
        let (from, to, angle) = turn(&before, &after);
        return Some(rigid(from, to, angle));
    }
    let ((nose, neck), (posed_nose, posed_neck)) =
        rest.pair(Joint::Nose, Joint::Neck).zip(pose.pair(Joint::Nose, Joint::Neck))?;
    Some(rigid(nose, posed_nose, angle(posed_nose - posed_neck) - angle(nose - neck)))
}
