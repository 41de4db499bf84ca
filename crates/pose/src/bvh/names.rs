//! Which joint of a skeleton is which, by its name.

use super::parse::Node;
use super::shape;
use crate::Joint;

/// The joints of limbs, in the order in which they are looked for.
pub(super) const LIMBS: [Joint; 12] = [
    Joint::RightShoulder,
    Joint::RightElbow,
    Joint::RightWrist,
    Joint::LeftShoulder,
    Joint::LeftElbow,
    Joint::LeftWrist,
    Joint::RightHip,
    Joint::RightKnee,
    Joint::RightAnkle,
    Joint::LeftHip,
    Joint::LeftKnee,
    Joint::LeftAnkle,
];

/// The numbers of the joints that are known.
pub(super) struct Roles {
    limbs: [usize; LIMBS.len()],
    pub head: Option<usize>,
}

impl Roles {
    /// By name, else by the skeleton's shape.
    pub fn of(nodes: &[Node]) -> Result<Self, String> {
        let named = LIMBS.map(|joint| by_name(nodes, joint));
        let limbs = if named.iter().all(Option::is_some) {
            named.map(Option::unwrap_or_default)
        } else {
            shape::limbs(nodes).ok_or_else(|| missing(nodes, &named))?
        };
        Ok(Self { limbs, head: head(nodes).or_else(|| shape::head(nodes)) })
    }

    /// Each joint of a limb, and its number.
    pub fn limbs(&self) -> impl Iterator<Item = (Joint, usize)> {
        LIMBS.into_iter().zip(self.limbs)
    }

    /// The number of a limb's joint; the root's of others.
    pub fn node(&self, joint: Joint) -> usize {
        self.limbs().find(|(of, _)| *of == joint).map_or(0, |(_, node)| node)
    }
}

fn missing(nodes: &[Node], named: &[Option<usize>; LIMBS.len()]) -> String {
    let lacking: Vec<&str> =
        LIMBS.iter().zip(named).filter(|(_, node)| node.is_none()).map(|(joint, _)| joint.name()).collect();
    let names: Vec<&str> = nodes.iter().take(24).map(|node| node.name.as_str()).collect();
    format!(
        "no two arms and two legs: which joint is the {} is not known; there are {}",
        lacking.join(", "),
        names.join(", ")
    )
}

/// The side of a name, and what is left of it in small letters: (right, `upleg`) of `mixamorig:RightUpLeg`.
fn parts(name: &str) -> (Option<Side>, String) {
    let name = name.rsplit(':').next().unwrap_or(name);
    let (mut side, mut rest) = (None, String::new());
    for word in words(name) {
        match word.as_str() {
            "right" | "r" => side = Some(Side::Right),
            "left" | "l" => side = Some(Side::Left),
            "j" | "bip" | "bip01" | "bip001" | "def" | "joint" | "jnt" => {}
            _ => rest.push_str(&word),
        }
    }
    (side, rest)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Right,
    Left,
}

/// The words of `RightUpLeg`, `rShldr`, `upper_arm.R`, `LHipJoint`, in small letters.
fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut begins = true;
    for (index, character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() {
            begins = true;
            continue;
        }
        let after_small = index > 0 && characters[index - 1].is_lowercase();
        let before_small = characters.get(index + 1).is_some_and(|next| next.is_lowercase());
        begins |= character.is_uppercase() && (after_small || before_small);
        if begins || words.is_empty() {
            words.push(String::new());
        }
        begins = false;
        if let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
    }
    words
}

/// What a limb's joint may be called, the likeliest first.
fn kinds(joint: Joint) -> (Side, &'static [&'static str]) {
    use Joint::*;
    let side = match joint {
        RightShoulder | RightElbow | RightWrist | RightHip | RightKnee | RightAnkle => Side::Right,
        _ => Side::Left,
    };
    let kinds: &[&str] = match joint {
        RightShoulder | LeftShoulder => &["arm", "upperarm", "uparm", "shldr", "shoulder"],
        RightElbow | LeftElbow => &["forearm", "lowerarm", "lowarm", "elbow"],
        RightWrist | LeftWrist => &["hand", "wrist"],
        RightHip | LeftHip => &["upleg", "thigh", "upperleg", "hip"],
        RightKnee | LeftKnee => &["leg", "shin", "lowerleg", "lowleg", "calf", "knee"],
        _ => &["foot", "ankle"],
    };
    (side, kinds)
}

fn by_name(nodes: &[Node], joint: Joint) -> Option<usize> {
    let (side, kinds) = kinds(joint);
    kinds.iter().find_map(|kind| {
        nodes.iter().position(|node| {
            let (of, rest) = parts(&node.name);
            of == Some(side) && rest == *kind
        })
    })
}

fn head(nodes: &[Node]) -> Option<usize> {
    nodes.iter().position(|node| parts(&node.name) == (None, "head".to_owned()))
}
