//! Who a puppet is: everything about it that stays from picture to picture.

use serde::{Deserialize, Serialize};

use crate::colour::{Colour, Rgb};
use crate::figure::FLOOR;
use dreamtuner_random::Random;

/// First seed of the identities that no model is trained on.
pub const HELD_OUT_SEED: u64 = 1_000_000;

/// Declares a list of kinds with the words that captions use for them.
macro_rules! kinds {
    ($(#[$documentation:meta])* $kind:ident { $($variant:ident => $words:literal),+ $(,)? }) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[expect(missing_docs, reason = "the words beside them say what they are")]
        pub enum $kind { $($variant),+ }

        impl $kind {
            /// Every kind, in a fixed order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The words for it in captions.
            pub fn words(self) -> &'static str {
                match self { $(Self::$variant => $words),+ }
            }
        }
    };
}
pub(crate) use kinds;

kinds! {
    /// Build of the body.
    Build { Child => "child", Chibi => "chibi", Short => "short", Slender => "slender", Sturdy => "sturdy", Tall => "tall" }
}
kinds! {
    /// Cut of the hair.
    HairStyle {
        Short => "short hair", Bob => "bob hair", Bowl => "bowl cut hair", Long => "long hair", Wavy => "wavy hair",
        Twintails => "twintails hair", Ponytail => "ponytail hair", SidePonytail => "side ponytail hair",
        Braids => "braids hair", Bun => "bun hair", DoubleBuns => "double buns hair", Spiky => "spiky hair",
        Curly => "curly hair", Mohawk => "mohawk hair",
    }
}
kinds! {
    /// Cut of the garment on the torso.
    TopStyle {
        Shirt => "shirt", LongSleeves => "long sleeved shirt", TankTop => "tank top", Hoodie => "hoodie", Sweater => "sweater",
        Blouse => "blouse", Polo => "polo shirt", Sailor => "sailor top", Vest => "vest", CropTop => "crop top",
        Jacket => "jacket",
    }
}
kinds! {
    /// What is printed on a garment.
    Pattern {
        Plain => "plain", Stripes => "stripes", Columns => "columns", Dots => "dots", Checks => "checks", Star => "star",
        Heart => "heart", Bolt => "bolt", Letter => "letter", Sash => "sash",
    }
}
kinds! {
    /// Cut of the garment below the waist.
    BottomStyle {
        Trousers => "trousers", WideTrousers => "wide trousers", Shorts => "shorts", Leggings => "leggings",
        MiniSkirt => "mini skirt", PleatedSkirt => "pleated skirt", LongSkirt => "long skirt", Tutu => "tutu",
    }
}
kinds! {
    /// Kind of shoe.
    ShoeStyle { Sneakers => "sneakers", Boots => "boots", Flats => "flats" }
}
kinds! {
    /// What is worn over the top.
    OuterStyle { Nothing => "", Coat => "coat", Cape => "cape" }
}
kinds! {
    /// What is on the head.
    Headwear {
        Nothing => "", Cap => "cap", TopHat => "top hat", WitchHat => "witch hat", Beanie => "beanie", Bow => "bow",
        CatEars => "cat ears", RabbitEars => "rabbit ears", Horns => "horns", Halo => "halo", Crown => "crown",
        Headphones => "headphones",
    }
}
kinds! {
    /// What is before the eyes.
    Glasses { Nothing => "", Round => "round glasses", Square => "square glasses", Sunglasses => "sunglasses" }
}
kinds! {
    /// What grows from the back.
    Tail { Nothing => "", Cat => "cat tail", Fox => "fox tail", Devil => "devil tail" }
}

/// Sizes of a body, in units of its standing height from the soles to the top of the head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportions {
    /// Standing height as a share of the canvas.
    pub height: f32,
    /// Radius of the head.
    pub head: f32,
    /// From hip centre to neck.
    pub torso: f32,
    /// Half the distance between the shoulder joints.
    pub shoulders: f32,
    /// Half the distance between the hip joints.
    pub hips: f32,
    /// Upper arm and forearm, each.
    pub arm: f32,
    /// Thigh and shin, each.
    pub leg: f32,
    /// Radius of a limb in the middle.
    pub limb: f32,
}

/// Who a puppet is.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The seed it came from.
    pub seed: u64,
    /// Build of the body.
    pub build: Build,
    /// Sizes of the body.
    pub proportions: Proportions,
    /// Colour of the skin.
    pub skin: Rgb,
    /// Colour of the irises.
    pub eyes: Colour,
    /// Cut of the hair.
    pub hair: HairStyle,
    /// Colour of the hair.
    pub hair_colour: Colour,
    /// Which way the fringe falls: 0 to 1.
    pub fringe: f32,
    /// Cut of the top.
    pub top: TopStyle,
    /// Colour of the top.
    pub top_colour: Colour,
    /// What is printed on the top.
    pub pattern: Pattern,
    /// Colour of the print, and of collars and seams.
    pub pattern_colour: Colour,
    /// The letter, where that is the print: an uppercase Latin letter.
    pub letter: char,
    /// Cut of the bottom.
    pub bottom: BottomStyle,
    /// Colour of the bottom.
    pub bottom_colour: Colour,
    /// Print of the bottom: plain, stripes, dots or checks.
    pub bottom_pattern: Pattern,
    /// Colour of the bottom's print.
    pub bottom_pattern_colour: Colour,
    /// Kind of shoe.
    pub shoes: ShoeStyle,
    /// Colour of the shoes.
    pub shoe_colour: Colour,
    /// Colour of the socks, where any are worn.
    pub socks: Option<Colour>,
    /// What is worn over the top.
    pub outer: OuterStyle,
    /// Colour of the coat or cape.
    pub outer_colour: Colour,
    /// What is on the head.
    pub headwear: Headwear,
    /// Its colour.
    pub headwear_colour: Colour,
    /// What is before the eyes.
    pub glasses: Glasses,
    /// What grows from the back.
    pub tail: Tail,
}

const SKINS: [Rgb; 6] = [
    Rgb(255, 226, 202),
    Rgb(248, 206, 170),
    Rgb(232, 178, 134),
    Rgb(196, 138, 94),
    Rgb(150, 98, 64),
    Rgb(106, 68, 48),
];
const SKIN_WORDS: [&str; 6] =
    ["pale skin", "light skin", "tan skin", "light brown skin", "brown skin", "dark brown skin"];
const EYES: [Colour; 6] =
    [Colour::Blue, Colour::Green, Colour::Brown, Colour::Purple, Colour::Red, Colour::Teal];
const BOTTOM_PATTERNS: [Pattern; 6] =
    [Pattern::Plain, Pattern::Plain, Pattern::Plain, Pattern::Stripes, Pattern::Dots, Pattern::Checks];
/// Letters that read well when they are small.
const LETTERS: [char; 12] = ['A', 'B', 'E', 'F', 'H', 'K', 'L', 'M', 'T', 'X', 'Y', 'Z'];

impl Identity {
    /// The identity of a seed. The same seed gives the same identity for ever.
    pub fn from_seed(seed: u64) -> Self {
        let random = &mut Random::new(seed, 1);
        let build = random.pick(Build::ALL);
        let top_colour = random.pick(&Colour::ALL);
        let bottom_colour = random.pick(&Colour::ALL);
        let pattern = random.pick(Pattern::ALL);
        let socks = random.chance(0.5).then(|| random.pick(&Colour::ALL));
        let mut identity = Self {
            seed,
            build,
            proportions: proportions(build, random),
            skin: random.pick(&SKINS),
            eyes: random.pick(&EYES),
            hair: random.pick(HairStyle::ALL),
            hair_colour: random.pick(&Colour::ALL),
            fringe: random.unit(),
            top: random.pick(TopStyle::ALL),
            top_colour,
            pattern,
            pattern_colour: other_colour(top_colour, random),
            letter: random.pick(&LETTERS),
            bottom: random.pick(BottomStyle::ALL),
            bottom_colour,
            bottom_pattern: random.pick(&BOTTOM_PATTERNS),
            bottom_pattern_colour: other_colour(bottom_colour, random),
            shoes: random.pick(ShoeStyle::ALL),
            shoe_colour: random.pick(&Colour::ALL),
            socks,
            outer: unless(random, 0.7, OuterStyle::Nothing, OuterStyle::ALL),
            outer_colour: other_colour(top_colour, random),
            headwear: unless(random, 0.45, Headwear::Nothing, Headwear::ALL),
            headwear_colour: random.pick(&Colour::ALL),
            glasses: unless(random, 0.75, Glasses::Nothing, Glasses::ALL),
            tail: unless(random, 0.8, Tail::Nothing, Tail::ALL),
        };
        // Standing on the floor, even the tallest hat stays on the canvas.
        let sizes = &identity.proportions;
        let with_hat = 1.0 + sizes.head * (identity.crest() - 1.0);
        identity.proportions.height = sizes.height.min((FLOOR - 0.015) / with_hat);
        identity
    }

    /// How far hair and headwear reach above the head's centre, in radii of the head.
    pub fn crest(&self) -> f32 {
        let hair: f32 = match self.hair {
            HairStyle::Bun => 1.85,
            HairStyle::Mohawk | HairStyle::Spiky => 1.7,
            HairStyle::DoubleBuns | HairStyle::Curly => 1.5,
            _ => 1.3,
        };
        let headwear = match self.headwear {
            Headwear::Nothing | Headwear::Headphones => 1.3,
            Headwear::Cap => 1.7,
            Headwear::TopHat | Headwear::Beanie | Headwear::CatEars | Headwear::Bow => 1.95,
            Headwear::WitchHat | Headwear::Horns | Headwear::Halo | Headwear::Crown => 2.03,
            Headwear::RabbitEars => 2.26,
        };
        hair.max(headwear)
    }

    /// The words for the skin in captions.
    pub fn skin_words(&self) -> &'static str {
        SKINS.iter().position(|skin| *skin == self.skin).map_or("skin", |index| SKIN_WORDS[index])
    }

    /// Colour of the tail: fur is of the hair's colour, a devil's tail is red.
    pub fn tail_colour(&self) -> Colour {
        if self.tail == Tail::Devil { Colour::Red } else { self.hair_colour }
    }
}

/// `nothing` with the given probability, otherwise one of all that follow it.
fn unless<T: Copy>(random: &mut Random, probability: f32, nothing: T, all: &[T]) -> T {
    if random.chance(probability) { nothing } else { random.pick(&all[1..]) }
}

/// A colour that stands out against `colour`.
fn other_colour(colour: Colour, random: &mut Random) -> Colour {
    loop {
        let other = random.pick(&Colour::ALL);
        let (Rgb(a, b, c), Rgb(d, e, f)) = (colour.rgb(), other.rgb());
        if u32::from(a.abs_diff(d)) + u32::from(b.abs_diff(e)) + u32::from(c.abs_diff(f)) > 150 {
            return other;
        }
    }
}

fn proportions(build: Build, random: &mut Random) -> Proportions {
    // Height on the canvas, head, torso, shoulders, hips, arm, limb. Legs take what is left of the height.
    let [height, head, torso, shoulders, hips, arm, limb] = match build {
        Build::Chibi => [0.72, 0.190, 0.215, 0.100, 0.058, 0.110, 0.036],
        Build::Child => [0.74, 0.160, 0.240, 0.098, 0.056, 0.130, 0.033],
        Build::Short => [0.80, 0.140, 0.255, 0.100, 0.056, 0.140, 0.031],
        Build::Slender => [0.86, 0.115, 0.265, 0.092, 0.050, 0.158, 0.026],
        Build::Sturdy => [0.84, 0.122, 0.275, 0.118, 0.066, 0.150, 0.036],
        Build::Tall => [0.88, 0.108, 0.270, 0.104, 0.056, 0.162, 0.029],
    };
    let mut vary = |value: f32| value * random.range(0.96, 1.04);
    let (head, torso) = (vary(head), vary(torso));
    let neck_to_top = head * 2.0 + NECK * head;
    let leg = (1.0 - neck_to_top - torso - SOLE) / 2.0;
    Proportions {
        height: vary(height).min(0.89),
        head,
        torso,
        shoulders: vary(shoulders),
        hips: vary(hips),
        arm: vary(arm),
        leg,
        limb: vary(limb),
    }
}

/// Length of the visible neck, in radii of the head.
pub const NECK: f32 = 0.12;
/// From the ankle joint down to the sole, in standing heights.
pub const SOLE: f32 = 0.035;
