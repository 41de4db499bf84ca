//! Puppets, of which everything is known, cut and bent.

use dreamtuner_pose::{Joint, Keypoint, Person};
use dreamtuner_puppet::{
    BottomStyle, Expression, FigurePose, Identity, Picture, Random, Shot, View, pose, random_pose,
    reference_shot, render,
};
use dreamtuner_warp::{Depths, Error, Joints, Moment, Part, Rig, Vector, moments};
use image::{Rgba, RgbaImage};

const SIDE: u32 = 192;

fn reference(seed: u64) -> Picture {
    render(&Identity::from_seed(seed), &reference_shot(Expression::Smile), SIDE)
}

/// The puppet alone.
fn figure(picture: &Picture) -> RgbaImage {
    RgbaImage::from_fn(SIDE, SIDE, |x, y| {
        let [red, green, blue] = picture.image.get_pixel(x, y).0;
        Rgba([red, green, blue, picture.mask.get_pixel(x, y).0[0]])
    })
}

fn joints(picture: &Picture) -> Joints {
    Joints::of(&picture.pose.people[0])
}

/// The joints with some of them moved.
fn moved(picture: &Picture, places: &[(Joint, f32, f32)]) -> Joints {
    let mut person: Person = picture.pose.people[0].clone();
    for (joint, x, y) in places {
        person.body[*joint as usize] = Some(Keypoint { x: *x, y: *y, confidence: 1.0 });
    }
    Joints::of(&person)
}

/// The mean difference of the colours, each as much as it is seen.
fn difference(one: &RgbaImage, other: &RgbaImage) -> f64 {
    let seen = |pixel: &Rgba<u8>, channel: usize| f64::from(pixel.0[channel]) * f64::from(pixel.0[3]) / 255.0;
    let pairs = one.pixels().zip(other.pixels());
    let sum: f64 = pairs
        .map(|(a, b)| (0..3).map(|channel| (seen(a, channel) - seen(b, channel)).abs()).sum::<f64>())
        .sum();
    sum / f64::from(3 * SIDE * SIDE)
}

#[test]
fn a_figure_in_its_own_pose_is_the_picture() {
    for seed in 0..12 {
        let picture = reference(seed);
        let rig = Rig::new(&figure(&picture), &joints(&picture)).unwrap();
        let error = difference(&rig.draw(&joints(&picture), SIDE, SIDE), &figure(&picture));
        assert!(error < 0.35, "puppet {seed}: {error}");
    }
}

#[test]
fn an_arm_goes_where_its_joints_go() {
    // A puppet in a shirt, without a cape and a tail.
    let picture = reference(9);
    let (whole, rest) = (figure(&picture), joints(&picture));
    let rig = Rig::new(&whole, &rest).unwrap();
    let shoulder = rest.at(Joint::RightShoulder).unwrap();
    let (elbow, wrist) = (rest.at(Joint::RightElbow).unwrap(), rest.at(Joint::RightWrist).unwrap());
    let length = |a: Vector, b: Vector| (a.x - b.x).hypot(a.y - b.y);
    let (upper, lower) = (length(shoulder, elbow), length(elbow, wrist));
    // Stretched out to the side.
    let new_wrist = (shoulder.x - upper - lower, shoulder.y);
    let raised = moved(
        &picture,
        &[(Joint::RightElbow, shoulder.x - upper, shoulder.y), (Joint::RightWrist, new_wrist.0, new_wrist.1)],
    );
    let drawn = rig.draw(&raised, SIDE, SIDE);
    let alpha = |x: f32, y: f32| drawn.get_pixel(x as u32, y as u32).0[3];
    assert_eq!(alpha(new_wrist.0 + 2.0, new_wrist.1), 255);
    assert_eq!(alpha(wrist.x, wrist.y), 0);
    // Head and feet stay.
    for joint in [Joint::Nose, Joint::LeftAnkle, Joint::RightAnkle] {
        let place = rest.at(joint).unwrap();
        let (x, y) = (place.x as u32, place.y as u32);
        let [before, after] = [&whole, &drawn].map(|picture| picture.get_pixel(x, y).0);
        assert!(before.iter().zip(after).all(|(a, b)| a.abs_diff(b) < 12), "{joint:?}: {before:?} {after:?}");
    }
}

#[test]
fn poses_of_any_kind_are_drawn_whole() {
    let random = &mut Random::new(5, 0);
    for seed in 0..24 {
        let picture = reference(seed);
        let rig = Rig::new(&figure(&picture), &joints(&picture)).unwrap();
        let shot = Shot {
            pose: random_pose(&Identity::from_seed(seed), View::Front, random),
            ..reference_shot(Expression::Smile)
        };
        let danced = pose(&Identity::from_seed(seed), &shot, SIDE);
        let drawn = rig.draw(&Joints::of(&danced.people[0]), SIDE, SIDE);
        let area = |picture: &RgbaImage| picture.pixels().map(|pixel| f64::from(pixel.0[3])).sum::<f64>();
        let kept = area(&drawn) / area(&figure(&picture));
        assert!((0.7..1.4).contains(&kept), "puppet {seed}: {kept} of the figure is seen");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let picture = reference(4);
    let drawn = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let rig = Rig::new(&figure(&picture), &joints(&picture)).unwrap();
            rig.draw(&moved(&picture, &[(Joint::LeftWrist, 180.0, 20.0)]), SIDE, SIDE).into_raw()
        })
    };
    assert_eq!(drawn(1), drawn(3));
}

#[test]
fn joints_far_away_and_joints_that_are_missing_are_no_harm() {
    let picture = reference(2);
    let rig = Rig::new(&figure(&picture), &joints(&picture)).unwrap();
    let far = joints(&picture).placed(1.0, Vector { x: 1e7, y: -1e7 });
    assert!(rig.draw(&far, SIDE, SIDE).pixels().all(|pixel| pixel.0[3] == 0));
    let still = rig.draw(&Joints::none(), SIDE, SIDE);
    assert!(difference(&still, &rig.draw(&joints(&picture), SIDE, SIDE)) < 1e-9);
    let folded = joints(&picture).placed(0.0, Vector { x: 50.0, y: 50.0 });
    rig.draw(&folded, SIDE, SIDE);
}

/// Whoever turns away shows no face, and a video may cut off feet: what hangs on joints that are not seen goes with the body.
#[test]
fn what_a_pose_does_not_tell_goes_with_the_body() {
    let picture = reference(9);
    let rest = joints(&picture);
    let rig = Rig::new(&figure(&picture), &rest).unwrap();
    let aside = Vector { x: 12.0, y: -3.0 };
    let whole = rig.draw(&rest.placed(1.0, aside), SIDE, SIDE);
    let unseen = [
        Joint::Nose,
        Joint::RightEye,
        Joint::LeftEye,
        Joint::RightEar,
        Joint::LeftEar,
        Joint::RightWrist,
        Joint::LeftKnee,
        Joint::LeftAnkle,
    ];
    let told = Joints::from_fn(|joint| {
        rest.at(joint).map(|place| place + aside).filter(|_| !unseen.contains(&joint))
    });
    let error = difference(&rig.draw(&told, SIDE, SIDE), &whole);
    assert!(error < 0.05, "{error}");
}

/// In its own pose a figure is sure. In other poses, what is sure is nearly true, and what is not is often wrong.
#[test]
fn confidence_tells_where_a_drawing_is_right() {
    let random = &mut Random::new(7, 0);
    let (mut sure, mut unsure) = ((0.0, 0.0), (0.0, 0.0));
    for seed in 0..24 {
        let (picture, identity) = (reference(seed), Identity::from_seed(seed));
        let rig = Rig::new(&figure(&picture), &joints(&picture)).unwrap();
        let own = rig.confidence(&joints(&picture), SIDE, SIDE);
        let at_rest = own.pixels().filter(|sure| sure.0[0] > 230).count() as f64 / f64::from(SIDE * SIDE);
        assert!(at_rest > 0.98, "puppet {seed}: {at_rest} is sure");
        let shot =
            Shot { pose: random_pose(&identity, View::Front, random), ..reference_shot(Expression::Smile) };
        let truth = render(&identity, &shot, SIDE);
        let (drawn, map) =
            (rig.draw(&joints(&truth), SIDE, SIDE), rig.confidence(&joints(&truth), SIDE, SIDE));
        let truth = figure(&truth);
        for ((one, other), confidence) in drawn.pixels().zip(truth.pixels()).zip(map.pixels()) {
            if one.0[3] == 0 && other.0[3] == 0 {
                continue;
            }
            let seen = |pixel: &Rgba<u8>, channel: usize| {
                f64::from(pixel.0[channel]) * f64::from(pixel.0[3]) / 255.0
            };
            let error =
                (0..3).map(|channel| (seen(one, channel) - seen(other, channel)).abs()).sum::<f64>() / 3.0;
            let side = if confidence.0[0] > 191 {
                &mut sure
            } else if confidence.0[0] < 64 {
                &mut unsure
            } else {
                continue;
            };
            *side = (side.0 + error, side.1 + 1.0);
        }
    }
    let (sure, unsure) = ((sure.0 / sure.1, sure.1), (unsure.0 / unsure.1, unsure.1));
    println!("error {:.1} in {} sure pixels, {:.1} in {} unsure ones", sure.0, sure.1, unsure.0, unsure.1);
    assert!(unsure.0 > 2.0 * sure.0, "{sure:?} {unsure:?}");
    assert!(sure.1 > unsure.1, "{sure:?} {unsure:?}");
}

/// A pendulum: it hangs still, trails behind what moves, swings over when that stops, and forgets what was before a cut.
#[test]
fn loose_things_trail_behind_the_motion() {
    let rest = joints(&reference(9));
    let at = |x: f32| rest.placed(1.0, Vector { x, y: 0.0 });
    let times: Vec<f64> = (0..48).map(|index| f64::from(index) / 24.0).collect();
    let still = moments(&vec![rest; 48], &times, &[]);
    assert!(still.iter().all(|moment| moment.trail == Vector { x: 0.0, y: 0.0 }));
    let moving: Vec<Joints> = (0..48).map(|index| at(3.0 * index.min(24) as f32)).collect();
    let trails: Vec<f32> = moments(&moving, &times, &[]).iter().map(|moment| moment.trail.x).collect();
    // Late: not at once, then as long as it moves, and the other way once it has stopped.
    assert!(trails[1] > -6.0 && trails[20] < -8.0 && trails[47].abs() < 1.0, "{trails:?}");
    assert!(trails[25..].iter().any(|trail| *trail > 0.5), "{trails:?}");
    let cut = moments(&moving, &times, &[20]);
    assert_eq!(cut[20].trail.x, 0.0);
    assert_eq!(moments(&moving, &times, &[]), moments(&moving, &times, &[]));
    // However far somebody jumps, nothing flies off; nor where times stand still.
    let leap = moments(&[at(0.0), at(1e6)], &[0.0, 0.04], &[]);
    assert!(leap[1].trail.length() < 192.0, "{:?}", leap[1].trail);
    assert!(moments(&[at(0.0), at(9.0)], &[0.0, 0.0], &[])[1].trail.length() < 1e-3);
}

/// Between her sleeves and her jacket, this puppet's long hair is seen: it is not the sleeves'.
/// The face moves to the side that the dancer's does; the outline of the head stays.
#[test]
fn a_head_turns_with_the_dancers() {
    let picture = reference(9);
    let rest = joints(&picture);
    let rig = Rig::new(&figure(&picture), &rest).unwrap();
    let apart = rest.at(Joint::LeftEye).unwrap().x - rest.at(Joint::RightEye).unwrap().x;
    let nose = rest.at(Joint::Nose).unwrap();
    let turned = moved(&picture, &[(Joint::Nose, nose.x + 0.25 * apart, nose.y)]);
    let poses: Vec<Joints> = (0..40).map(|frame| if frame < 30 { rest } else { turned }).collect();
    let times: Vec<f64> = (0..40).map(|frame| f64::from(frame) / 25.0).collect();
    let moments = moments(&poses, &times, &[]);
    assert!(moments[..30].iter().all(|moment| moment.turn.abs() < 1e-5));
    assert!(moments[30..].windows(2).all(|pair| pair[0].turn < pair[1].turn), "smoothly");
    assert!((0.2..0.25).contains(&moments[39].turn), "{}", moments[39].turn);
    let head = Moment { turn: moments[39].turn, ..Moment::from(&rest) };
    let (front, side) = (rig.draw(&rest, SIDE, SIDE), rig.draw(head, SIDE, SIDE));
    // The dark pixels of the eyes.
    let eyes = |drawn: &RgbaImage| {
        let rows = (rest.at(Joint::LeftEye).unwrap().y - 3.0) as u32..(nose.y + 1.0) as u32;
        let columns = (nose.x - apart) as u32..(nose.x + apart) as u32;
        let places = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
        let dark: Vec<f32> = places
            .filter(|(x, y)| drawn.get_pixel(*x, *y).0[..3].iter().all(|value| *value < 90))
            .map(|(x, _)| x as f32)
            .collect();
        dark.iter().sum::<f32>() / dark.len() as f32
    };
    let by = eyes(&side) - eyes(&front);
    assert!((0.1 * apart..0.3 * apart).contains(&by), "{by} of {apart}");
    let shape = |drawn: &RgbaImage| drawn.pixels().map(|pixel| pixel.0[3] > 127).collect::<Vec<bool>>();
    let moved = shape(&front).iter().zip(shape(&side)).filter(|(one, other)| **one != *other).count();
    assert!(moved < 20, "{moved} pixels of the outline");
}

/// Cloth is drawn tight from one leg to the other, and wraps neither.
#[test]
fn a_long_skirt_hangs_over_the_legs() {
    let identity = Identity::from_seed(1_000_014);
    assert_eq!(identity.bottom, BottomStyle::LongSkirt);
    let rest = reference_shot(Expression::Smile);
    let picture = render(&identity, &rest, SIDE);
    let rig = Rig::new(&figure(&picture), &joints(&picture)).unwrap();
    for (spread, knees) in [(30.0, 0.0), (20.0, 15.0)] {
        let pose = FigurePose {
            right_leg: spread,
            left_leg: spread,
            right_knee: knees,
            left_knee: knees,
            ..rest.pose
        };
        let truth = render(&identity, &Shot { pose, ..rest }, SIDE);
        let error = difference(&rig.draw(&joints(&truth), SIDE, SIDE), &figure(&truth));
        assert!(error < 3.6, "legs spread by {spread}, knees bent by {knees}: {error}");
    }
}

#[test]
fn hair_behind_an_arm_is_not_the_arms() {
    let picture = reference(1_000_010);
    let parts = Rig::new(&figure(&picture), &joints(&picture)).unwrap().parts();
    let arms = [Part::RightArm, Part::LeftArm].map(Part::colour);
    // Dark brown, where the sleeves are orange and the cuffs grey.
    let is_hair = |[red, green, blue]: [u8; 3]| {
        (90..135).contains(&red) && (45..90).contains(&green) && (30..75).contains(&blue) && red > green + 25
    };
    let neck = joints(&picture).at(Joint::Neck).unwrap().y as u32;
    let below = picture.image.enumerate_pixels().filter(|(_, y, pixel)| *y > neck + 12 && is_hair(pixel.0));
    let (hair, taken) = below.fold((0, 0), |(hair, taken), (x, y, _)| {
        (hair + 1, taken + usize::from(arms.contains(&parts.get_pixel(x, y).0)))
    });
    println!("{taken} of {hair} pixels");
    assert!(hair > 60 && taken * 3 < hair, "{taken} of {hair} pixels of hair are an arm's");
}

#[test]
fn the_nearer_lies_over_the_farther() {
    let picture = reference(9);
    let rest = joints(&picture);
    let rig = Rig::new(&figure(&picture), &rest).unwrap();
    // The right forearm across the belly.
    let torso = |one: Joint, other: Joint, share: f32| {
        let (a, b) = (rest.at(one).unwrap(), rest.at(other).unwrap());
        a + (b - a) * share
    };
    let belly = torso(Joint::Neck, Joint::RightHip, 0.6);
    let elbow = rest.at(Joint::RightShoulder).unwrap() + Vector { x: -12.0, y: 18.0 };
    let places = [(Joint::RightElbow, elbow.x, elbow.y), (Joint::RightWrist, belly.x + 6.0, belly.y)];
    let crossed = moved(&picture, &places);
    let at = |depth: Option<f32>| {
        let mut person: Person = picture.pose.people[0].clone();
        person.depths = depth.map(|depth| {
            let mut depths = [Some(0.0); Joint::COUNT];
            for joint in [Joint::RightElbow, Joint::RightWrist] {
                depths[joint as usize] = Some(depth);
            }
            Box::new(depths)
        });
        let moment = Moment { depths: Depths::of(&person), ..Moment::from(&crossed) };
        (rig.draw(moment, SIDE, SIDE), rig.confidence(moment, SIDE, SIDE))
    };
    let (usual, _) = at(None);
    let (before, behind) = (at(Some(-60.0)), at(Some(60.0)));
    assert!(difference(&usual, &before.0) < 0.05, "{}", difference(&usual, &before.0));
    assert!(difference(&usual, &behind.0) > 0.3, "{}", difference(&usual, &behind.0));
    assert_ne!(before.1, behind.1);
    // The same figure, in another order: its outline is the same.
    let outline = |drawn: &RgbaImage| drawn.pixels().map(|pixel| pixel.0[3] > 127).collect::<Vec<_>>();
    let others = outline(&usual).iter().zip(outline(&behind.0)).filter(|(one, other)| *one != other).count();
    assert!(others < 20, "{others} pixels");
}

#[test]
fn only_loose_things_trail() {
    let (mut swinging, mut stiff) = (0, 0);
    for seed in 0..24 {
        let picture = reference(seed);
        let rig = Rig::new(&figure(&picture), &joints(&picture)).unwrap();
        let still = rig.draw(&joints(&picture), SIDE, SIDE);
        let trail = Vector { x: 12.0, y: 0.0 };
        let trailing = rig.draw(Moment { trail, ..Moment::from(&joints(&picture)) }, SIDE, SIDE);
        let head = joints(&picture).at(Joint::Nose).unwrap();
        let face = |picture: &RgbaImage| *picture.get_pixel(head.x as u32, head.y as u32);
        assert_eq!(face(&still), face(&trailing), "puppet {seed}");
        if still == trailing { stiff += 1 } else { swinging += 1 }
    }
    assert!(swinging > 4 && stiff > 4, "{swinging} swing, {stiff} do not");
}

#[test]
fn what_lies_beside_the_figure_is_noticed() {
    let picture = reference(9);
    let mut whole = figure(&picture);
    assert!(Rig::new(&whole, &joints(&picture)).unwrap().apart() < 0.01);
    for (x, y) in (2..30).flat_map(|x| (2..60).map(move |y| (x, y))) {
        whole.put_pixel(x, y, Rgba([90, 60, 200, 255]));
    }
    assert!(Rig::new(&whole, &joints(&picture)).unwrap().apart() > 0.1);
}

#[test]
fn pictures_that_cannot_be_cut_are_refused() {
    let picture = reference(0);
    let empty = RgbaImage::new(SIDE, SIDE);
    assert_eq!(Rig::new(&empty, &joints(&picture)).unwrap_err(), Error::NoFigure);
    assert_eq!(Rig::new(&figure(&picture), &Joints::none()).unwrap_err(), Error::NoShoulders);
    // Joints beside the figure, and a picture of one pixel.
    let beside = joints(&picture).placed(1.0, Vector { x: 500.0, y: 500.0 });
    Rig::new(&figure(&picture), &beside).unwrap();
    let dot = RgbaImage::from_pixel(1, 1, Rgba([9, 9, 9, 255]));
    Rig::new(&dot, &joints(&picture)).unwrap().draw(&joints(&picture), 5, 5);
}

/// The mean over puppets of how far a dance is from the truth, by what the rigs of their pictures are made of.
#[test]
fn another_picture_lends_what_the_arms_hide() {
    let crossed = |pose: FigurePose| FigurePose {
        right_arm: 25.0,
        right_elbow: -115.0,
        left_arm: 20.0,
        left_elbow: -60.0,
        ..pose
    };
    let (mut alone, mut lent) = (0.0, 0.0);
    for seed in 0..12 {
        let identity = Identity::from_seed(seed);
        let standard = reference(seed);
        let shot = reference_shot(Expression::Smile);
        let hidden = render(&identity, &Shot { pose: crossed(shot.pose), ..shot }, SIDE);
        let mut rig = Rig::new(&figure(&hidden), &joints(&hidden)).unwrap();
        let other = Rig::new(&figure(&standard), &joints(&standard)).unwrap();
        let error = |rig: &Rig| difference(&rig.draw(&joints(&standard), SIDE, SIDE), &figure(&standard));
        alone += error(&rig) / 12.0;
        assert!(rig.borrow_from(&other), "puppet {seed}");
        lent += error(&rig) / 12.0;
        let stranger = reference(seed + 20);
        let stranger = Rig::new(&figure(&stranger), &joints(&stranger)).unwrap();
        assert!(!rig.borrow_from(&stranger), "puppet {seed}");
    }
    assert!(lent < 0.85 * alone, "{lent} with another picture, {alone} without");
}
