//! Puppets: the same seed gives the same bytes, everything can be drawn, captions and dances say what is so.

use std::collections::BTreeSet;
use std::fmt::Write;

use dreamtuner_pose::Joint;
use dreamtuner_puppet::choreography::{ClipSettings, shots};
use dreamtuner_puppet::{
    Choreography, Colour, Expression, Figure, FigurePose, Glasses, HELD_OUT_SEED, HairStyle, Headwear,
    Identity, OuterStyle, Pattern, Picture, Random, Scene, Shot, Tail, TopStyle, View, caption, is_inside,
    random_pose, reference_shot, render, render_labelled, scene_caption, training_shot,
};

const SIZE: u32 = 64;

fn reference(identity: &Identity) -> Picture {
    render(identity, &reference_shot(Expression::Smile), SIZE)
}

/// Lines of `name hash` over pictures that show everything between them.
fn hashes() -> String {
    let mut lines = String::new();
    let mut line = |name: String, bytes: &[u8]| {
        writeln!(lines, "{name} {}", &blake3::hash(bytes).to_hex()[..16]).expect("a string takes all");
    };
    for scene in Scene::ALL {
        let shot = Shot { scene: *scene, ..reference_shot(Expression::Smile) };
        line(scene.words().replace(' ', "-"), render(&Identity::from_seed(0), &shot, SIZE).image.as_raw());
    }
    for seed in (0..24).chain(HELD_OUT_SEED..HELD_OUT_SEED + 8) {
        let identity = Identity::from_seed(seed);
        let shot = training_shot(&identity, 0, 1);
        let picture = render(&identity, &shot, SIZE);
        line(format!("puppet-{seed}"), &[picture.image.as_raw().as_slice(), picture.mask.as_raw()].concat());
    }
    lines
}

/// After a wanted change of the drawing: `DREAMTUNER_UPDATE=1 cargo test -p dreamtuner-puppet`, and look at the pictures.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures.txt");
    let found = hashes();
    if std::env::var_os("DREAMTUNER_UPDATE").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap();
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

#[test]
fn every_kind_changes_the_picture() {
    let plain = Identity {
        headwear: Headwear::Nothing,
        glasses: Glasses::Nothing,
        outer: OuterStyle::Nothing,
        tail: Tail::Nothing,
        ..Identity::from_seed(5)
    };
    let mut pictures = BTreeSet::new();
    let mut draw = |identity: Identity| {
        let name = format!("{identity:?}");
        assert!(pictures.insert(reference(&identity).image.into_raw()), "looks like another: {name}");
    };
    HairStyle::ALL.iter().for_each(|hair| draw(Identity { hair: *hair, ..plain.clone() }));
    Headwear::ALL[1..].iter().for_each(|headwear| draw(Identity { headwear: *headwear, ..plain.clone() }));
    Glasses::ALL[1..].iter().for_each(|glasses| draw(Identity { glasses: *glasses, ..plain.clone() }));
    OuterStyle::ALL[1..].iter().for_each(|outer| draw(Identity { outer: *outer, ..plain.clone() }));
    Tail::ALL[1..].iter().for_each(|tail| draw(Identity { tail: *tail, ..plain.clone() }));
}

#[test]
fn plain_scenes_are_one_colour_and_others_are_not() {
    for scene in Scene::ALL {
        let shot = Shot { scene: *scene, ..reference_shot(Expression::Smile) };
        let picture = render(&Identity::from_seed(1), &shot, SIZE);
        let pixels = picture.image.pixels().zip(picture.mask.pixels());
        let colours: BTreeSet<[u8; 3]> =
            pixels.filter(|(_, mask)| mask.0[0] == 0).map(|(pixel, _)| pixel.0).collect();
        let plain = matches!(scene, Scene::White | Scene::Gray | Scene::Pink);
        assert_eq!(colours.len() == 1, plain, "{scene:?}");
        if *scene == Scene::White {
            assert_eq!(colours.first(), Some(&[255, 255, 255]));
        }
    }
}

#[test]
fn labels_cover_what_the_mask_covers() {
    for seed in 0..8 {
        let identity = Identity::from_seed(seed);
        let picture = render_labelled(&identity, &training_shot(&identity, 0, 2), SIZE);
        let labels = picture.labels.unwrap();
        for (label, mask) in labels.pixels().zip(picture.mask.pixels()) {
            assert!(mask.0[0] > 0 || label.0[0] == 0, "a label beside the figure");
            assert!(label.0[0] <= 8);
        }
    }
}

#[test]
fn random_poses_stay_on_the_canvas() {
    let random = &mut Random::new(3, 3);
    for seed in 0..200 {
        let identity = Identity::from_seed(seed);
        let view = random.pick(&View::ALL);
        let pose = random_pose(&identity, view, random);
        assert!(is_inside(&identity, &pose, view), "{seed} {pose:?}");
    }
}

#[test]
fn dances_stay_on_the_canvas_and_move() {
    let settings = ClipSettings {
        frames: 48,
        frames_per_second: 12.0,
        view: View::Front,
        expression: Expression::Smile,
        scene: Scene::White,
    };
    for name in Choreography::names() {
        let dance = Choreography::named(name).unwrap();
        assert_eq!(dance.to_string().parse::<Choreography>().unwrap(), dance, "{name}");
        for seed in HELD_OUT_SEED..HELD_OUT_SEED + 12 {
            let identity = Identity::from_seed(seed);
            let shots = shots(&identity, &dance, &settings);
            assert_eq!(shots.len(), settings.frames);
            assert!(shots.iter().all(|shot| is_inside(&identity, &shot.pose, shot.view)), "{name} {seed}");
            assert!(shots.iter().any(|shot| shot.motion.head.length() > 0.03), "{name} {seed}");
        }
    }
}

#[test]
fn standing_feet_do_not_slide_and_a_round_ends_where_it_begins() {
    for name in Choreography::names().filter(|name| *name != "jumping_jack") {
        let dance = Choreography::named(name).unwrap();
        let round = (dance.seconds() * 24.0).round() as usize;
        let settings = ClipSettings {
            frames: round + 1,
            frames_per_second: 24.0,
            view: View::Front,
            expression: Expression::Smile,
            scene: Scene::White,
        };
        for seed in 0..12 {
            let identity = Identity::from_seed(seed);
            let poses: Vec<_> = shots(&identity, &dance, &settings).iter().map(|shot| shot.pose).collect();
            let ankles = |pose: &FigurePose| {
                let joints = Figure::new(&identity, pose, View::Front).joints;
                [Joint::RightAnkle, Joint::LeftAnkle].map(|joint| joints[joint as usize].unwrap())
            };
            for (frame, pair) in poses.windows(2).enumerate() {
                let (before, after) = (ankles(&pair[0]), ankles(&pair[1]));
                let moved = [0, 1].map(|foot| (after[foot] - before[foot]).length());
                let steadier = moved[0].min(moved[1]);
                assert!(
                    steadier < 0.0075,
                    "{name}, puppet {seed}, frame {frame}: both feet slide, {steadier}"
                );
            }
            assert!((poses[round].shift - poses[0].shift).abs() < 1e-3, "{name}, puppet {seed}");
        }
    }
}

#[test]
fn every_dance_pose_of_a_dataset_comes_as_three_neighbouring_moments() {
    for seed in 0..20 {
        let identity = Identity::from_seed(seed);
        let shots: Vec<Shot> = (0..7).map(|variant| training_shot(&identity, 3, variant)).collect();
        for moments in [&shots[1..4], &shots[4..7]] {
            for pair in moments.windows(2) {
                let (before, after) = (pair[0], pair[1]);
                assert_eq!((before.view, before.scene), (after.view, after.scene));
                assert_eq!(before.expression, after.expression);
                assert!(is_inside(&identity, &after.pose, after.view));
                let bend = (before.pose.right_arm - after.pose.right_arm).abs();
                assert!(bend <= 0.3 * 180.0, "{bend}");
            }
            assert_ne!(moments[0].pose, moments[2].pose, "puppet {seed} does not move");
        }
        assert_ne!(shots[3].pose, shots[4].pose);
    }
}

#[test]
fn a_dance_says_what_is_wrong_with_its_text() {
    let problem = |text: &str| text.parse::<Choreography>().unwrap_err().to_string();
    assert_eq!(problem("length 4\nbeat 0\nbeat x"), "line 3: beat: \"x\" is not a number");
    assert!(problem("length 4\nbeat 0 legs=400").starts_with("line 2: legs=400: at most 360"));
    assert!(problem("length 4\nbeat 0 wings=1").starts_with("line 2: \"wings\" is nothing of a pose"));
    assert!(problem("length 4\nbeat 0 slowly").starts_with("line 2: \"slowly\" is neither an easing"));
    assert!(problem("length 4\nbeat 0\nbeat 4").starts_with("line 3: beat 4: beats follow one another"));
    assert!(problem("tempo 1000").starts_with("line 1: tempo 1000: 20 to 400"));
    assert!(problem("jump").starts_with("line 1: \"jump\": a line begins with"));
    assert_eq!(problem("beat 0"), "the length is missing");
    assert!(Choreography::named("polka").unwrap_err().to_string().contains("walk, wave"));
}

#[test]
fn captions_say_what_is_seen() {
    let identity = Identity {
        hair: HairStyle::Long,
        hair_colour: Colour::Red,
        eyes: Colour::Green,
        top: TopStyle::Shirt,
        top_colour: Colour::Blue,
        pattern: Pattern::Stripes,
        pattern_colour: Colour::White,
        outer: OuterStyle::Cape,
        outer_colour: Colour::Purple,
        headwear: Headwear::Halo,
        glasses: Glasses::Round,
        tail: Tail::Fox,
        ..Identity::from_seed(0)
    };
    let mut shot = reference_shot(Expression::Smile);
    let words = caption(&identity, &shot);
    for part in [
        "long red hair",
        "green eyes",
        "blue shirt with white stripes",
        "purple cape",
        "golden halo",
        "round glasses",
        "red fox tail",
    ] {
        assert!(words.split(", ").any(|word| word == part), "{part} is missing in {words}");
    }
    assert!(words.ends_with("smile, white background"), "{words}");

    shot.expression = Expression::ClosedEyes;
    shot.view = View::ThreeQuarterLeft;
    assert!(!caption(&identity, &shot).contains("green eyes"), "the colour of closed eyes is not seen");
    assert_eq!(scene_caption(&shot), "closed eyes, white background, facing left");
}
