//! A puppet in words.

use crate::figure::View;
use crate::identity::{
    BottomStyle, Glasses, HairStyle, Headwear, Identity, OuterStyle, Pattern, Tail, TopStyle,
};
use crate::shot::{Expression, Shot};

/// Everything about the picture: first who it is, then expression and scene, separated by commas. What the picture does not
/// show (the colour of closed eyes, socks under trousers) is left out.
pub fn caption(identity: &Identity, shot: &Shot) -> String {
    let mut words = body(identity, shot.expression);
    words.extend(garments(identity));
    words.extend(accessories(identity));
    words.push(scene_caption(shot));
    words.join(", ")
}

/// Only what is not the identity: expression, scene and, when turned, the view.
pub fn scene_caption(shot: &Shot) -> String {
    let words = format!("{}, {}", shot.expression.words(), shot.scene.words());
    match shot.view {
        View::Front => words,
        View::ThreeQuarterLeft => words + ", facing left",
        View::ThreeQuarterRight => words + ", facing right",
    }
}

fn body(identity: &Identity, expression: Expression) -> Vec<String> {
    let mut words = vec![identity.build.words().to_owned(), hair(identity)];
    let closed = matches!(expression, Expression::ClosedEyes | Expression::Laugh);
    if !closed && identity.glasses != Glasses::Sunglasses {
        words.push(format!("{} eyes", identity.eyes.name()));
    }
    words.push(identity.skin_words().to_owned());
    words
}

fn hair(identity: &Identity) -> String {
    let (style, colour) = (identity.hair.words(), identity.hair_colour.name());
    match identity.hair {
        HairStyle::Short | HairStyle::Long | HairStyle::Wavy | HairStyle::Spiky | HairStyle::Curly => {
            format!("{} {colour} hair", style.trim_end_matches(" hair"))
        }
        _ => format!("{colour} {style}"),
    }
}

fn garments(identity: &Identity) -> Vec<String> {
    let top = format!("{} {}", identity.top_colour.name(), identity.top.words());
    let bottom = format!("{} {}", identity.bottom_colour.name(), identity.bottom.words());
    let mut words = vec![
        top + &top_print(identity),
        bottom + &print(identity.bottom_pattern, identity.bottom_pattern_colour.name(), identity.letter),
        format!("{} {}", identity.shoe_colour.name(), identity.shoes.words()),
    ];
    if let Some(socks) = identity.socks.filter(|_| bare_legs(identity.bottom)) {
        words.push(format!("{} socks", socks.name()));
    }
    if identity.outer != OuterStyle::Nothing {
        words.push(format!("{} {}", identity.outer_colour.name(), identity.outer.words()));
    }
    words
}

/// True where the bottom leaves the shins free, so that socks are seen.
fn bare_legs(bottom: BottomStyle) -> bool {
    matches!(
        bottom,
        BottomStyle::Shorts | BottomStyle::MiniSkirt | BottomStyle::PleatedSkirt | BottomStyle::Tutu
    )
}

/// The print of the top. A sailor's collar lies over where a single big one would be.
fn top_print(identity: &Identity) -> String {
    let colour = identity.pattern_colour.name();
    match identity.pattern {
        Pattern::Plain | Pattern::Star | Pattern::Heart | Pattern::Bolt | Pattern::Letter
            if identity.top == TopStyle::Sailor =>
        {
            format!(" with {colour} collar")
        }
        pattern => print(pattern, colour, identity.letter),
    }
}

fn print(pattern: Pattern, colour: &str, letter: char) -> String {
    match pattern {
        Pattern::Plain => String::new(),
        Pattern::Letter => format!(" with {colour} letter {letter}"),
        other => format!(" with {colour} {}", other.words()),
    }
}

fn accessories(identity: &Identity) -> Vec<String> {
    let mut words = Vec::new();
    match identity.headwear {
        Headwear::Nothing => {}
        // A halo is of light, whatever the colour of other things.
        Headwear::Halo => words.push("golden halo".to_owned()),
        other => words.push(format!("{} {}", identity.headwear_colour.name(), other.words())),
    }
    if identity.glasses != Glasses::Nothing {
        words.push(identity.glasses.words().to_owned());
    }
    if identity.tail != Tail::Nothing {
        words.push(format!("{} {}", identity.tail_colour().name(), identity.tail.words()));
    }
    words
}
