//! What one picture shows of a puppet: everything that is not its identity.

use serde::{Deserialize, Serialize};

use crate::figure::{FigurePose, View};
use crate::geometry::Vector;
use crate::identity::kinds;
use crate::scene::Scene;

kinds! {
    /// What the face does.
    Expression {
        Smile => "smile", Neutral => "neutral expression", Laugh => "laughing", Surprised => "surprised", Angry => "angry",
        Sad => "sad", Wink => "wink", ClosedEyes => "closed eyes", Smirk => "smirk", Blush => "blushing",
    }
}

/// How the figure moves at the moment of the picture; loose hair, skirts and capes trail behind it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Motion {
    /// Velocity of the hips, in sides of the canvas a second.
    pub body: Vector,
    /// Velocity of the head, in sides of the canvas a second.
    pub head: Vector,
}

/// One picture of a puppet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shot {
    /// Angles of the figure.
    pub pose: FigurePose,
    /// Which way it faces.
    pub view: View,
    /// What the face does.
    pub expression: Expression,
    /// Where it is.
    pub scene: Scene,
    /// How it moves.
    pub motion: Motion,
}
