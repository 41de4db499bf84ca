//! Pictures of people whose joints are known.

use dreamtuner::pose::{Joint, Person};
use dreamtuner::puppet::{
    Expression, FigurePose, HELD_OUT_SEED, Identity, Motion, Picture, Random, Scene, Shot, View, random_pose,
    reference_pose, render,
};
use image::{Rgb, RgbImage};

pub fn draw(identity: &Identity, pose: FigurePose, scene: Scene) -> Picture {
    let (view, expression, motion) = (View::Front, Expression::Smile, Motion::default());
    render(identity, &Shot { pose, view, expression, scene, motion }, 256)
}

pub fn standing(seed: u64) -> Picture {
    draw(&Identity::from_seed(HELD_OUT_SEED + seed), reference_pose(), Scene::White)
}

/// A puppet in a dance pose by chance.
pub fn dancing(seed: u64, pose: u64, scene: Scene) -> Picture {
    let identity = Identity::from_seed(HELD_OUT_SEED + seed);
    let pose = random_pose(&identity, View::Front, &mut Random::new(pose, 99));
    draw(&identity, pose, scene)
}

/// Puppets side by side on a wall: each with the x of its picture's left edge; later ones stand in front.
pub fn group(width: u32, puppets: &[(&Picture, i64)]) -> RgbImage {
    let mut wall = RgbImage::from_pixel(width, 256, Rgb([214, 208, 196]));
    for (puppet, left) in puppets {
        for (x, y, pixel) in puppet.image.enumerate_pixels() {
            let place = u32::try_from(i64::from(x) + left).ok().filter(|&place| place < width);
            if let (Some(place), 128..) = (place, puppet.mask.get_pixel(x, y)[0]) {
                wall.put_pixel(place, y, *pixel);
            }
        }
    }
    wall
}

/// Joints of the truth, and those of them that were found within a tenth of the figure's height.
pub fn joints_found(found: &Person, truth: &Person) -> (usize, usize) {
    let height = truth.bounding_box().unwrap().height();
    let near = |joint: &&Joint| {
        let wanted = truth.joint(**joint).unwrap();
        let far = |x: f32, y: f32| (x - wanted.x).hypot(y - wanted.y);
        found.joint(**joint).is_some_and(|point| far(point.x, point.y) <= 0.1 * height)
    };
    let seen: Vec<_> = Joint::ALL.iter().filter(|joint| truth.joint(**joint).is_some()).collect();
    (seen.iter().copied().filter(near).count(), seen.len())
}
