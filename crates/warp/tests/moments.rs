//! What a dance tells beside where its joints are.

use dreamtuner_pose::{FACE_POINTS, Face, Joint, Keypoint, Person};
use dreamtuner_puppet::{Expression, Identity, reference_shot, render};
use dreamtuner_warp::{Joints, Moment, Rig, Vector, moments, open_eyes};
use image::{Rgba, RgbaImage};

/// A standing dancer, whose body is turned: 0 shows the front, 1 the dancer's left side, -1 the right one.
fn turned(turn: f32) -> Joints {
    let across = (1.0 - turn * turn).max(0.0).sqrt();
    Joints::from_fn(|joint| {
        let (x, y) = match joint {
            Joint::Nose => (-12.0 * turn, 60.0),
            Joint::Neck => (0.0, 100.0),
            Joint::RightShoulder | Joint::RightElbow | Joint::RightWrist => (-30.0 * across, 100.0),
            Joint::LeftShoulder | Joint::LeftElbow | Joint::LeftWrist => (30.0 * across, 100.0),
            Joint::RightHip => (-18.0 * across, 180.0),
            Joint::LeftHip => (18.0 * across, 180.0),
            Joint::RightKnee => (-18.0 * across, 230.0),
            Joint::LeftKnee => (18.0 * across, 230.0),
            Joint::RightAnkle => (-18.0 * across, 280.0),
            Joint::LeftAnkle => (18.0 * across, 280.0),
            _ => return None,
        };
        Some(Vector { x: 150.0 + x, y })
    })
}

fn danced(poses: &[Joints]) -> Vec<Moment> {
    let times: Vec<f64> = (0..poses.len()).map(|frame| frame as f64 / 24.0).collect();
    moments(poses, &times, &[])
}

#[test]
fn a_body_seen_from_the_side_tells_which_limbs_are_nearer() {
    // The front, then the left side, then the front, then the right side.
    let turns = [0.0, 1.0, 0.0, -1.0].into_iter().flat_map(|turn| [turn; 24]);
    let poses: Vec<Joints> = turns.map(turned).collect();
    let moments = danced(&poses);
    assert!(moments[..24].iter().all(|moment| moment.depths.is_none()));
    assert!(moments[66].depths.is_none());
    let [left, right] = [46, 94].map(|frame| moments[frame].depths.expect("a side"));
    assert_ne!(left, right);
}

#[test]
fn what_is_in_front_does_not_flicker() {
    let trembling = |frame: usize| turned(0.7 + 0.12 * [1.0, -1.0, 0.6, -0.8][frame % 4]);
    let poses: Vec<Joints> = (0..12).map(|_| turned(0.0)).chain((0..48).map(trembling)).collect();
    let moments = danced(&poses);
    let changes = moments.windows(2).filter(|pair| pair[0].depths != pair[1].depths).count();
    assert!(changes <= 1, "{changes} changes");
}

#[test]
fn a_knee_that_comes_up_is_before_the_body() {
    let raised = |knee_x: f32, knee_y: f32| {
        Joints::from_fn(|joint| match joint {
            Joint::RightKnee => Some(Vector { x: knee_x, y: knee_y }),
            other => turned(0.0).at(other),
        })
    };
    let depths = |up: Joints| {
        let poses: Vec<Joints> = [[turned(0.0); 24], [up; 24]].into_iter().flatten().collect();
        danced(&poses)[47].depths
    };
    assert!(depths(raised(135.0, 165.0)).is_some());
    // As high, but to the side.
    assert!(depths(raised(85.0, 165.0)).is_none());
}

/// A face whose eyes are open by so much of their width.
fn face(eyes: [f32; 2]) -> Person {
    let mut face: Face = [None; FACE_POINTS];
    let mut set = |index: usize, x: f32, y: f32| face[index] = Some(Keypoint { x, y, confidence: 1.0 });
    for ([outer, one_up, two_up, inner, two_low, one_low], (x, open)) in
        [[36, 37, 38, 39, 40, 41], [42, 43, 44, 45, 46, 47]]
            .into_iter()
            .zip([(0.0, eyes[0]), (40.0, eyes[1])])
    {
        set(outer, x, 0.0);
        set(inner, x + 20.0, 0.0);
        for (upper, lower, along) in [(one_up, one_low, 7.0), (two_up, two_low, 13.0)] {
            set(upper, x + along, -10.0 * open);
            set(lower, x + along, 10.0 * open);
        }
    }
    Person { face: Some(Box::new(face)), ..Person::default() }
}

#[test]
fn points_of_a_face_tell_when_it_blinks() {
    let open = face([0.3, 0.28]);
    let (winking, blinking, trembling) = (face([0.05, 0.28]), face([0.05, 0.05]), face([0.29, 0.3]));
    let people = [&open, &open, &winking, &blinking, &open, &trembling, &open].map(Some);
    let told = open_eyes(people.into_iter().chain([None, Some(&Person::default())]));
    assert_eq!(told[2], [0.0, 1.0]);
    assert_eq!(told[3], [0.0, 0.0]);
    for frame in [0, 1, 4, 5, 6, 7, 8] {
        assert_eq!(told[frame], [1.0, 1.0], "frame {frame}");
    }
}

#[test]
fn eyes_close_and_nothing_else_moves() {
    const SIDE: u32 = 256;
    let mut blinked = 0;
    for seed in 0..40 {
        let picture = render(&Identity::from_seed(seed), &reference_shot(Expression::Smile), SIDE);
        let figure = RgbaImage::from_fn(SIDE, SIDE, |x, y| {
            let [red, green, blue] = picture.image.get_pixel(x, y).0;
            Rgba([red, green, blue, picture.mask.get_pixel(x, y).0[0]])
        });
        let rest = Joints::of(&picture.pose.people[0]);
        let rig = Rig::new(&figure, &rest).unwrap();
        let draw = |eyes| rig.draw(Moment { eyes, ..Moment::from(&rest) }, SIDE, SIDE);
        let (plain, winking) = (draw([1.0; 2]), draw([0.0, 1.0]));
        let [right, left] = [Joint::RightEye, Joint::LeftEye].map(|eye| rest.at(eye).unwrap());
        let apart = (left - right).length();
        let at = |x: u32, y: u32| Vector { x: x as f32 + 0.5, y: y as f32 + 0.5 };
        let pixels = || plain.enumerate_pixels().zip(winking.pixels());
        if pixels().all(|((_, _, one), other)| one == other) {
            continue;
        }
        blinked += 1;
        for ((x, y, one), other) in pixels() {
            assert!(one == other || (at(x, y) - right).length() < 0.8 * apart, "puppet {seed}: {x}, {y}");
        }
        // There is less of what is not skin.
        let skin = |drawn: &RgbaImage| {
            let cheek = right + (right - left).quarter_turn() * -0.55;
            let skin = plain.get_pixel(cheek.x as u32, cheek.y as u32).0;
            let near =
                drawn.enumerate_pixels().filter(|(x, y, _)| (at(*x, *y) - right).length() < 0.35 * apart);
            near.filter(|(_, _, pixel)| pixel.0.iter().zip(skin).all(|(a, b)| a.abs_diff(b) < 40)).count()
        };
        assert!(skin(&winking) > skin(&plain), "puppet {seed}: {} of {}", skin(&winking), skin(&plain));
    }
    println!("{blinked} of 40");
    assert!(blinked >= 8, "{blinked} of 40");
}
