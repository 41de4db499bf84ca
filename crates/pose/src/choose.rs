//! One dancer out of several, the same one in every frame.

use std::fmt;
use std::str::FromStr;

use super::sequence::PoseSequence;
use super::skeleton::Person;
use crate::error::{Error, Result};

/// Which of several people dances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PersonChoice {
    /// The one that takes up the most of the picture over all frames.
    #[default]
    Largest,
    /// The one that stands furthest left in the picture on average.
    Left,
    /// The one that stands furthest right in the picture on average.
    Right,
    /// The n-th person to appear, from 0; those of one frame count in the order of the file.
    Index(usize),
}

impl fmt::Display for PersonChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Largest => formatter.write_str("largest"),
            Self::Left => formatter.write_str("left"),
            Self::Right => formatter.write_str("right"),
            Self::Index(index) => write!(formatter, "{index}"),
        }
    }
}

impl FromStr for PersonChoice {
    type Err = String;

    /// `largest`, `left`, `right`, or a number from 0.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "largest" => Ok(Self::Largest),
            "left" => Ok(Self::Left),
            "right" => Ok(Self::Right),
            number => number
                .parse()
                .map(Self::Index)
                .map_err(|_| format!("{number:?} is none of: largest, left, right, or a number from 0")),
        }
    }
}

/// Added to the distance (in body sizes) for each frame that a person has not been seen, up to [`LONGEST_ABSENCE`]:
/// someone seen just now is the likelier match.
const ABSENCE_COST: f32 = 0.05;
const LONGEST_ABSENCE: usize = 20;

/// One person through time.
struct Track {
    last: Person,
    last_frame: usize,
    /// Index into `Pose::people` for each frame; `None` where this person is not seen.
    members: Vec<Option<usize>>,
    seen: usize,
    area: f64,
    center: f64,
}

impl Track {
    fn new(frames: usize, person: &Person) -> Self {
        let members = vec![None; frames];
        Self { last: person.clone(), last_frame: 0, members, seen: 0, area: 0.0, center: 0.0 }
    }

    fn add(&mut self, frame: usize, index: usize, person: &Person) {
        self.last = person.clone();
        self.last_frame = frame;
        self.members[frame] = Some(index);
        self.seen += 1;
        self.area += f64::from(person.area());
        self.center += person.bounding_box().map_or(0.0, |bounds| f64::from(bounds.center().0));
    }

    fn mean_center(&self) -> f64 {
        self.center / self.seen.max(1) as f64
    }

    fn distance(&self, frame: usize, person: &Person) -> f32 {
        let absence = frame.saturating_sub(self.last_frame + 1).min(LONGEST_ABSENCE);
        self.last.distance(person) + ABSENCE_COST * absence as f32
    }
}

/// Follows every person from frame to frame: the closest pairs first, whoever is left over is somebody new.
fn follow(sequence: &PoseSequence) -> Vec<Track> {
    if sequence.tracked {
        return take_over(sequence);
    }
    let frames = sequence.poses.len();
    let mut tracks: Vec<Track> = Vec::new();
    for (frame, pose) in sequence.poses.iter().enumerate() {
        let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
        for (index, person) in pose.people.iter().enumerate().filter(|(_, person)| !person.is_empty()) {
            pairs.extend(
                tracks.iter().enumerate().map(|(t, track)| (track.distance(frame, person), t, index)),
            );
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut taken = vec![false; pose.people.len()];
        for (_, track, index) in pairs {
            if !taken[index] && tracks[track].members[frame].is_none() {
                taken[index] = true;
                tracks[track].add(frame, index, &pose.people[index]);
            }
        }
        for (index, person) in pose.people.iter().enumerate() {
            if !taken[index] && !person.is_empty() {
                let mut track = Track::new(frames, person);
                track.add(frame, index, person);
                tracks.push(track);
            }
        }
    }
    tracks
}

/// The tracks that the sequence's own order tells.
fn take_over(sequence: &PoseSequence) -> Vec<Track> {
    let count = sequence.poses.iter().map(|pose| pose.people.len()).max().unwrap_or(0);
    let mut tracks: Vec<Track> =
        (0..count).map(|_| Track::new(sequence.poses.len(), &Person::default())).collect();
    for (frame, pose) in sequence.poses.iter().enumerate() {
        for (index, person) in pose.people.iter().enumerate().filter(|(_, person)| !person.is_empty()) {
            tracks[index].add(frame, index, person);
        }
    }
    tracks
}

impl PoseSequence {
    /// Keeps one person, followed from frame to frame by the distance of the joints. Frames in which this person is
    /// not seen are left empty for [`fill_gaps`](super::fill_gaps).
    ///
    /// [`Left`](PersonChoice::Left) and [`Right`](PersonChoice::Right) choose among those who are seen in at least half
    /// as many frames as the one seen longest. So a passer-by or a false detection is not chosen.
    ///
    /// # Errors
    /// An [`Index`](PersonChoice::Index) that nobody has, or a sequence without anybody.
    pub fn choose_person(&mut self, choice: PersonChoice) -> Result<()> {
        let tracks = follow(self);
        let longest = tracks.iter().map(|track| track.seen).max().unwrap_or(0);
        let staying = || tracks.iter().filter(move |track| track.seen * 2 >= longest);
        let by_center = |a: &&Track, b: &&Track| a.mean_center().total_cmp(&b.mean_center());
        let chosen = match choice {
            PersonChoice::Largest => tracks.iter().rev().max_by(|a, b| a.area.total_cmp(&b.area)),
            PersonChoice::Left => staying().min_by(by_center),
            PersonChoice::Right => staying().max_by(by_center),
            PersonChoice::Index(index) => tracks.get(index),
        };
        let Some(track) = chosen else {
            return Err(match tracks.len() {
                0 => Error::setting(
                    "pose",
                    format!("nobody is seen in any of the {} frames", self.poses.len()),
                ),
                count => Error::setting("person", format!("{choice} is not in 0..={}", count - 1)),
            });
        };
        for (pose, member) in self.poses.iter_mut().zip(&track.members) {
            let person = member.and_then(|index| pose.people.get(index).cloned());
            pose.people = person.into_iter().collect();
        }
        self.tracked = false;
        Ok(())
    }
}
