//! How freely each corner of a net hangs.

use crate::geometry::Vector;
use crate::joints::Torso;

/// A thing hangs from the highest of its corners that are so near to the trunk as its nearest one, and shoulders' widths more.
const ROOTS: f32 = 0.3;
/// What reaches no farther from its root, in shoulders' widths, is stiff.
const SHORTEST: f32 = 0.35;

/// For each corner the share of its thing's motion that it takes up late, 0 at the root to 1 at the end, as the square of the way
/// (a pendulum that bends). `things` are the corners of each thing that hangs together.
pub(crate) fn slack(rest: &[Vector], things: &[Vec<u32>], torso: &Torso) -> Vec<f32> {
    let mut slack = vec![0.0; rest.len()];
    let unit = (torso.right - torso.left).length();
    for thing in things {
        let from_trunk = |corner: &u32| rest[*corner as usize].distance_to_line(torso.neck, torso.hips());
        let nearest = thing.iter().map(from_trunk).fold(f32::INFINITY, f32::min);
        let near = thing.iter().filter(|corner| from_trunk(corner) <= nearest + ROOTS * unit);
        let height = |corner: &u32| rest[*corner as usize].y;
        let Some(root) = near.min_by(|one, other| height(one).total_cmp(&height(other))) else { continue };
        let root = rest[*root as usize];
        let far = |corner: &u32| (rest[*corner as usize] - root).length();
        let longest = thing.iter().map(far).fold(0.0, f32::max);
        if longest < SHORTEST * unit {
            continue;
        }
        for corner in thing {
            slack[*corner as usize] = (far(corner) / longest).powi(2);
        }
    }
    slack
}
