//! The dances. Each is written for one side where it can be, and mirrored for the other.

use crate::rig::{Arm, FLOOR, Foot, REST, Stance};
use crate::timing::Dance;

/// All dances, by name.
pub fn dances() -> Vec<Dance> {
    vec![walk(), wave(), jumping_jack(), spin_step(), disco(), kick(), sway(), bow()]
}

fn arm(raise: f64, elbow: f64) -> Arm {
    Arm { raise, elbow }
}

fn foot(x: f64, y: f64) -> Foot {
    Foot { x, y }
}

/// The keys, then the same keys mirrored in the second half of the period.
fn both_sides(half: f64, keys: Vec<(f64, Stance)>) -> Vec<(f64, Stance)> {
    let mirrored: Vec<(f64, Stance)> = keys.iter().map(|(beat, key)| (beat + half, key.mirrored())).collect();
    keys.into_iter().chain(mirrored).collect()
}

fn walk() -> Dance {
    // The right foot lands in front (lower in the picture) and is left behind while the left one swings through.
    let contact = Stance {
        hip_x: 0.497,
        hip_y: 0.6,
        lean: 0.5,
        pelvis: -3.0,
        turn: 16.0,
        right_foot: foot(0.456, 0.878),
        left_foot: foot(0.548, 0.846),
        right_arm: arm(30.0, 12.0),
        left_arm: arm(3.0, -18.0),
        ..REST
    };
    let passing = Stance {
        hip_x: 0.474,
        hip_y: 0.582,
        lean: 3.0,
        pelvis: 7.0,
        tilt: -2.5,
        right_foot: foot(0.456, 0.864),
        left_foot: foot(0.562, 0.776),
        right_arm: arm(18.0, 0.0),
        left_arm: arm(18.0, 8.0),
        ..REST
    };
    let reach = Stance {
        hip_x: 0.487,
        hip_y: 0.588,
        lean: 1.0,
        pelvis: 3.0,
        turn: -10.0,
        right_foot: foot(0.455, 0.855),
        left_foot: foot(0.547, 0.842),
        right_arm: arm(8.0, -12.0),
        left_arm: arm(26.0, 10.0),
        ..REST
    };
    Dance {
        name: "walk",
        about: "walking on the spot towards the viewer: hips over the standing foot, arms against the legs",
        frames_per_beat: 12,
        period: 2.0,
        repeats: 2,
        keys: both_sides(1.0, vec![(0.0, contact), (0.45, passing), (0.8, reach)]),
    }
}

fn wave() -> Dance {
    let gather = Stance {
        hip_x: 0.505,
        hip_y: 0.596,
        lean: -3.0,
        tilt: -3.0,
        right_arm: arm(4.0, -8.0),
        left_arm: arm(18.0, 0.0),
        ..REST
    };
    let up = |elbow: f64, sway: f64| Stance {
        hip_x: 0.524,
        hip_y: 0.588,
        lean: 3.0 + sway,
        pelvis: -4.0,
        tilt: -5.0 - 2.0 * sway,
        right_arm: arm(112.0, elbow),
        left_arm: arm(24.0, -6.0 - 3.0 * sway),
        ..REST
    };
    let lower = Stance {
        hip_x: 0.51,
        lean: 1.0,
        pelvis: -2.0,
        tilt: 2.0,
        right_arm: arm(52.0, 40.0),
        left_arm: arm(18.0, 0.0),
        ..REST
    };
    Dance {
        name: "wave",
        about: "gathers, raises the right arm, waves three times, lets it fall",
        frames_per_beat: 12,
        period: 6.0,
        repeats: 1,
        keys: vec![
            (0.0, REST),
            (0.5, gather),
            (1.4, up(82.0, 0.0)),
            (1.9, up(22.0, 1.5)),
            (2.4, up(88.0, -1.0)),
            (2.9, up(22.0, 1.5)),
            (3.4, up(88.0, -1.0)),
            (3.9, up(22.0, 1.5)),
            (4.4, up(80.0, 0.0)),
            (5.1, lower),
            (5.7, Stance { hip_y: 0.592, right_arm: arm(11.0, 0.0), ..REST }),
        ],
    }
}

fn jumping_jack() -> Dance {
    let closed = Stance {
        hip_y: 0.588,
        right_foot: foot(0.462, FLOOR),
        left_foot: foot(0.538, FLOOR),
        right_arm: arm(13.0, 4.0),
        left_arm: arm(13.0, 4.0),
        ..REST
    };
    let crouch =
        Stance { hip_y: 0.618, nod: 8.0, right_arm: arm(7.0, -6.0), left_arm: arm(7.0, -6.0), ..closed };
    let open_air = Stance {
        hip_y: 0.562,
        nod: -4.0,
        right_foot: foot(0.42, 0.834),
        left_foot: foot(0.58, 0.834),
        right_arm: arm(92.0, 10.0),
        left_arm: arm(92.0, 10.0),
        ..REST
    };
    let open = Stance {
        hip_y: 0.606,
        right_foot: foot(0.372, FLOOR),
        left_foot: foot(0.628, FLOOR),
        right_arm: arm(152.0, 18.0),
        left_arm: arm(152.0, 18.0),
        ..REST
    };
    let settled = Stance { hip_y: 0.622, nod: 6.0, ..open };
    let close_air = Stance {
        hip_y: 0.566,
        right_foot: foot(0.42, 0.838),
        left_foot: foot(0.58, 0.838),
        right_arm: arm(84.0, 6.0),
        left_arm: arm(84.0, 6.0),
        ..REST
    };
    let landed = Stance { hip_y: 0.612, nod: 4.0, ..closed };
    Dance {
        name: "jumping_jack",
        about: "crouch, jump, arms and legs open, and back: twice",
        frames_per_beat: 15,
        period: 2.0,
        repeats: 2,
        keys: vec![
            (0.0, crouch),
            (0.42, open_air),
            (0.8, open),
            (1.02, settled),
            (1.4, close_air),
            (1.78, Stance { hip_y: 0.592, ..closed }),
            (1.9, landed),
        ],
    }
}

fn spin_step() -> Dance {
    let ready = Stance { hip_y: 0.598, right_arm: arm(38.0, 46.0), left_arm: arm(38.0, 46.0), ..REST };
    let wind_up = Stance {
        hip_x: 0.516,
        hip_y: 0.606,
        lean: 3.0,
        turn: 26.0,
        tilt: -3.0,
        right_arm: arm(18.0, -16.0),
        left_arm: arm(72.0, 30.0),
        ..REST
    };
    let turned = Stance {
        hip_x: 0.452,
        hip_y: 0.592,
        lean: -3.0,
        pelvis: 3.0,
        turn: -58.0,
        tilt: 3.0,
        right_foot: foot(0.41, FLOOR),
        left_foot: foot(0.512, 0.85),
        right_arm: arm(88.0, 18.0),
        left_arm: arm(26.0, 84.0),
        ..REST
    };
    let lifted = Stance {
        hip_x: 0.456,
        hip_y: 0.58,
        turn: -34.0,
        pelvis: 5.0,
        tilt: -2.0,
        right_foot: foot(0.41, FLOOR),
        left_foot: foot(0.52, 0.812),
        right_arm: arm(118.0, 30.0),
        left_arm: arm(60.0, 50.0),
        ..REST
    };
    let open = Stance {
        hip_x: 0.478,
        hip_y: 0.596,
        lean: -4.0,
        turn: 6.0,
        tilt: 4.0,
        right_foot: foot(0.41, FLOOR),
        left_foot: foot(0.566, FLOOR),
        right_arm: arm(96.0, 10.0),
        left_arm: arm(96.0, 10.0),
        ..REST
    };
    let back = Stance {
        hip_x: 0.512,
        hip_y: 0.592,
        right_foot: foot(0.42, 0.836),
        right_arm: arm(52.0, 34.0),
        left_arm: arm(52.0, 34.0),
        ..REST
    };
    let step = Stance { right_foot: foot(0.418, 0.838), hip_x: 0.495, hip_y: 0.59, turn: -8.0, ..ready };
    let landed = Stance {
        right_foot: foot(0.41, FLOOR),
        hip_x: 0.474,
        hip_y: 0.604,
        turn: -36.0,
        right_arm: arm(62.0, 34.0),
        left_arm: arm(31.0, 66.0),
        ..ready
    };
    Dance {
        name: "spin_step",
        about: "winds up, steps to the side and turns shoulders and hips, opens the arms, steps back; both sides",
        frames_per_beat: 12,
        period: 6.0,
        repeats: 1,
        keys: both_sides(
            3.0,
            vec![
                (0.0, ready),
                (0.4, wind_up),
                (0.72, step),
                (1.0, landed),
                (1.35, turned),
                (1.7, lifted),
                (2.15, open),
                (2.6, back),
            ],
        ),
    }
}

fn disco() -> Dance {
    // Right arm points up and out, weight on the left leg; then it draws down across the body.
    let up = Stance {
        hip_x: 0.53,
        hip_y: 0.588,
        lean: -6.0,
        pelvis: -6.0,
        tilt: -7.0,
        turn: -10.0,
        right_foot: foot(0.412, FLOOR),
        left_foot: foot(0.575, FLOOR),
        right_arm: arm(140.0, 2.0),
        left_arm: arm(30.0, -18.0),
        ..REST
    };
    let bounce = |pose: Stance| Stance { hip_y: pose.hip_y + 0.016, ..pose };
    let down = Stance {
        hip_x: 0.478,
        hip_y: 0.6,
        lean: 5.0,
        pelvis: 5.0,
        tilt: 8.0,
        turn: 16.0,
        nod: 8.0,
        right_arm: arm(-6.0, -18.0),
        left_arm: arm(38.0, 20.0),
        ..up
    };
    // Both arms low while the feet change for the other side.
    let change = Stance {
        hip_x: 0.5,
        hip_y: 0.598,
        tilt: 0.0,
        lean: 0.0,
        pelvis: 0.0,
        turn: 0.0,
        right_foot: foot(0.418, 0.85),
        left_foot: foot(0.582, FLOOR),
        right_arm: arm(46.0, 52.0),
        left_arm: arm(40.0, 44.0),
        ..REST
    };
    Dance {
        name: "disco",
        about: "points up to the side and down across the body, hips against the arm; both sides",
        frames_per_beat: 12,
        period: 6.0,
        repeats: 1,
        keys: both_sides(
            3.0,
            vec![(0.0, up), (0.15, bounce(up)), (0.95, down), (1.1, bounce(down)), (1.85, up), (2.4, change)],
        ),
    }
}

fn kick() -> Dance {
    let guard = Stance { hip_y: 0.6, right_arm: arm(30.0, 92.0), left_arm: arm(30.0, 92.0), ..REST };
    let load = Stance {
        hip_x: 0.474,
        hip_y: 0.608,
        lean: 3.0,
        tilt: 2.0,
        left_foot: foot(0.566, FLOOR),
        right_arm: arm(38.0, 80.0),
        left_arm: arm(22.0, 96.0),
        ..guard
    };
    let chamber = Stance {
        hip_x: 0.452,
        hip_y: 0.587,
        lean: -7.0,
        pelvis: 9.0,
        turn: 12.0,
        left_foot: foot(0.59, 0.735),
        right_arm: arm(46.0, 66.0),
        left_arm: arm(28.0, 84.0),
        ..guard
    };
    let extended = Stance {
        hip_x: 0.45,
        hip_y: 0.585,
        lean: -13.0,
        pelvis: 13.0,
        turn: 16.0,
        tilt: 6.0,
        left_foot: foot(0.765, 0.672),
        right_arm: arm(76.0, 30.0),
        left_arm: arm(64.0, 18.0),
        ..guard
    };
    let held = Stance { left_foot: foot(0.768, 0.666), lean: -14.0, ..extended };
    let recoil = Stance { left_foot: foot(0.6, 0.75), lean: -5.0, pelvis: 7.0, turn: 8.0, ..chamber };
    let down = Stance { hip_x: 0.49, hip_y: 0.604, left_foot: foot(0.57, FLOOR), ..guard };
    Dance {
        name: "kick",
        about: "guard, knee up, side kick, knee back, foot down; both sides",
        frames_per_beat: 12,
        period: 6.0,
        repeats: 1,
        keys: both_sides(
            3.0,
            vec![
                (0.0, guard),
                (0.4, load),
                (0.95, chamber),
                (1.4, extended),
                (1.65, held),
                (2.1, recoil),
                (2.6, down),
            ],
        ),
    }
}

fn sway() -> Dance {
    let side = Stance {
        hip_x: 0.456,
        hip_y: 0.592,
        lean: 7.0,
        pelvis: 7.0,
        tilt: 7.0,
        turn: 8.0,
        right_foot: foot(0.42, FLOOR),
        left_foot: foot(0.58, FLOOR),
        right_arm: arm(62.0, 14.0),
        left_arm: arm(138.0, 30.0),
        ..REST
    };
    let through = Stance {
        hip_x: 0.5,
        hip_y: 0.604,
        lean: 1.0,
        tilt: -2.0,
        right_foot: foot(0.42, FLOOR),
        left_foot: foot(0.58, FLOOR),
        right_arm: arm(84.0, 64.0),
        left_arm: arm(104.0, -8.0),
        ..REST
    };
    Dance {
        name: "sway",
        about: "hips from side to side on planted feet, arms floating like grass in the wind",
        frames_per_beat: 18,
        period: 4.0,
        repeats: 1,
        keys: both_sides(2.0, vec![(0.0, side), (1.0, through)]),
    }
}

fn bow() -> Dance {
    let rise =
        Stance { hip_y: 0.584, nod: -6.0, right_arm: arm(84.0, 24.0), left_arm: arm(84.0, 24.0), ..REST };
    let step = Stance {
        hip_x: 0.488,
        hip_y: 0.592,
        left_foot: foot(0.53, 0.838),
        right_arm: arm(70.0, 60.0),
        left_arm: arm(92.0, 8.0),
        ..REST
    };
    let deep = Stance {
        hip_x: 0.492,
        hip_y: 0.622,
        lean: -5.0,
        tilt: -6.0,
        turn: -8.0,
        nod: 24.0,
        torso: 0.8,
        left_foot: foot(0.506, 0.848),
        right_arm: arm(2.0, -20.0),
        left_arm: arm(84.0, 14.0),
        ..REST
    };
    let hold = Stance { hip_y: 0.625, nod: 26.0, torso: 0.785, left_arm: arm(88.0, 18.0), ..deep };
    let up = Stance {
        left_foot: foot(0.506, 0.848),
        right_arm: arm(34.0, 30.0),
        left_arm: arm(50.0, 10.0),
        ..step
    };
    Dance {
        name: "bow",
        about: "arms open, one foot behind, a deep bow with the right arm across and the left held out, and up",
        frames_per_beat: 12,
        period: 6.0,
        repeats: 1,
        keys: vec![
            (0.0, REST),
            (
                0.25,
                Stance {
                    hip_y: 0.598,
                    nod: 4.0,
                    right_arm: arm(8.0, -4.0),
                    left_arm: arm(8.0, -4.0),
                    ..REST
                },
            ),
            (1.0, rise),
            (1.5, step),
            (2.4, deep),
            (3.3, hold),
            (4.3, up),
            (4.75, Stance { left_foot: foot(0.54, 0.836), ..up }),
            (5.3, Stance { hip_y: 0.592, ..REST }),
        ],
    }
}
