//! A puppet in words.

use crate::puppet::identity::Identity;
use crate::puppet::shot::Shot;

/// Everything about the picture: first who it is, then expression and scene, separated by commas.
pub fn caption(_identity: &Identity, shot: &Shot) -> String {
    scene_caption(shot)
}

/// Only what is not the identity: expression and scene.
pub fn scene_caption(shot: &Shot) -> String {
    format!("{}, {}", shot.expression.words(), shot.scene.words())
}
