//! Which joint of a skeleton is which, by where it is.

use super::names::LIMBS;
use super::parse::Node;
use super::space::{Point, difference, length, rest, sum};

/// The joints of arms and legs, in the order of [`LIMBS`]: legs end lowest, arms farthest to the sides. The dancer's left is where x
/// is positive. `None` where there are no such chains.
pub(super) fn limbs(nodes: &[Node]) -> Option<[usize; LIMBS.len()]> {
    let places = rest(nodes);
    let middle = places[0][0];
    let ends: Vec<(usize, Point)> = (0..nodes.len())
        .filter(|node| !nodes.iter().any(|other| other.parent == Some(*node)))
        .map(|node| (node, sum(places[node], nodes[node].end.unwrap_or([0.0; 3]))))
        .collect();
    let on_side = |side: f32| ends.iter().filter(move |(_, end)| (end[0] - middle) * side > 0.0);
    let lowest = |side: f32| on_side(side).min_by(|a, b| a.1[1].total_cmp(&b.1[1]));
    let legs = [lowest(-1.0)?.0, lowest(1.0)?.0];
    let farthest = |side: f32| {
        let others = on_side(side).filter(|(node, _)| !legs.contains(node));
        others.max_by(|a, b| ((a.1[0] - middle) * side).total_cmp(&((b.1[0] - middle) * side)))
    };
    let arms = [farthest(-1.0)?.0, farthest(1.0)?.0];
    let mut found = [0; LIMBS.len()];
    for (place, (limb, other)) in
        [(arms[0], arms[1]), (arms[1], arms[0]), (legs[0], legs[1]), (legs[1], legs[0])]
            .into_iter()
            .enumerate()
    {
        let three = longest_bones(nodes, limb, other)?;
        found[3 * place..][..3].copy_from_slice(&three);
    }
    Some(found)
}

/// Where the two longest bones one after the other begin, meet and end, on the way to the joint `to` after it has left that to `other`.
fn longest_bones(nodes: &[Node], to: usize, other: usize) -> Option<[usize; 3]> {
    let other = way(nodes, other);
    let own: Vec<usize> = way(nodes, to).into_iter().filter(|node| !other.contains(node)).collect();
    let bone = |node: usize| length(nodes[node].offset);
    own.windows(3)
        .max_by(|a, b| (bone(a[1]) + bone(a[2])).total_cmp(&(bone(b[1]) + bone(b[2]))))
        .map(|three| [three[0], three[1], three[2]])
}

/// The joints from the root to one of them.
fn way(nodes: &[Node], mut node: usize) -> Vec<usize> {
    let mut way = vec![node];
    while let Some(parent) = nodes[node].parent {
        way.push(parent);
        node = parent;
    }
    way.reverse();
    way
}

/// The highest joint near the middle.
pub(super) fn head(nodes: &[Node]) -> Option<usize> {
    let places = rest(nodes);
    let height = |node: &usize| places[*node][1] - difference(places[*node], places[0])[0].abs();
    (0..nodes.len()).max_by(|a, b| height(a).total_cmp(&height(b)))
}
