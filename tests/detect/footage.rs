//! A real person, filmed.

use std::path::Path;

use dreamtuner::inputs::extract::{ExtractSettings, extract_poses, mend};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::pose::{Joint, PersonChoice, change};

/// Walking, standing on one leg and turning, by a tilted camera, with somebody else in the background.
#[test]
fn somebody_who_was_filmed_is_found_and_steadied() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/footage/balance.mp4");
    let settings = ExtractSettings::default();
    let mut found = extract_poses(&clip, &settings, &Interrupt::default(), &mut |_, _| {}).unwrap();
    assert_eq!((found.times.len(), found.cuts.len()), (50, 0));
    found.sequence.choose_person(PersonChoice::Largest).unwrap();
    let limbs = [Joint::LeftWrist, Joint::RightWrist, Joint::LeftAnkle, Joint::RightAnkle];
    for (frame, pose) in found.sequence.poses.iter().enumerate() {
        let person = pose.people.first().unwrap_or_else(|| panic!("nobody in frame {frame}"));
        let bounds = person.bounding_box().unwrap();
        // The man, not who stands behind: he fills half of the picture's height.
        assert!(bounds.height() > 0.3 * pose.height as f32, "frame {frame}: {bounds:?}");
        let seen = limbs.iter().filter(|&&joint| person.joint(joint).is_some()).count();
        assert!(seen >= 3, "frame {frame}: {seen} of hands and feet");
    }
    let mut steady = found.sequence.clone();
    mend(&mut steady, &found.cuts).unwrap();
    let change = change(&found.sequence, &steady).unwrap();
    assert!(change.calmer >= 3.0 && change.lag.abs() < 1.0, "{change}");
}
