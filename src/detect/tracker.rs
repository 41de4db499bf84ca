//! Everyone in a video, each followed from frame to frame.

use image::RgbImage;

use super::colours::Colours;
use super::estimator::{Estimator, Found};
use super::search::{LEAST_SCORE, SAME_PERSON};
use crate::error::Result;
use crate::pose::{Person, Pose};

/// A person is followed down to this share of the score from which one is believed.
const KEPT_SCORE: f32 = 0.8;
/// Frames between two looks for newcomers; every few frames where nobody is followed, or somebody was lost within the last
/// [`SEARCH_INTERVAL`].
const SEARCH_INTERVAL: usize = 24;
const LOST_INTERVAL: usize = 4;
/// Frames for which somebody is looked for at the place where they were lost.
const PATIENCE: usize = 12;
/// Body sizes that a person can move from one frame to the next.
const LONGEST_STEP: f32 = 0.5;
/// How much colours count beside body sizes when people are told apart.
const COLOUR_WEIGHT: f32 = 1.0;
/// A newcomer is somebody who was lost if place and colours differ by no more than this.
const RETURNING: f32 = 1.0;

/// Body sizes within which people hide each other's colours, and within which they may have been taken for each other.
const NEAR: f32 = 0.4;
const NEIGHBOURHOOD: f32 = 1.5;
/// How much better two people's colours have to fit the other way round.
const CERTAINTY: f32 = 0.3;

/// Follows people through a video. Frames are shown one after another; the n-th person keeps their place.
pub struct Tracker<'a> {
    estimator: &'a dyn Estimator,
    tracks: Vec<Track>,
    frame: usize,
    next_search: usize,
}

/// One person.
#[derive(Debug)]
struct Track {
    last: Person,
    /// Frames since this person was seen.
    absence: usize,
    /// Pixels a frame.
    velocity: (f32, f32),
    colours: Option<Colours>,
}

impl<'a> Tracker<'a> {
    /// A tracker that has seen nothing yet.
    pub fn new(estimator: &'a dyn Estimator) -> Self {
        Self { estimator, tracks: Vec::new(), frame: 0, next_search: 0 }
    }

    /// Forgets where everyone is, as at a cut; people are known again by their colours.
    pub fn cut(&mut self) {
        self.next_search = self.frame;
        for track in &mut self.tracks {
            track.velocity = (0.0, 0.0);
            track.absence = track.absence.max(PATIENCE);
        }
    }

    /// The people in the next frame. The place in the list is the person's number; who is not seen is empty.
    ///
    /// # Errors
    /// Failures of memory.
    pub fn observe(&mut self, picture: &RgbImage) -> Result<Pose> {
        // 1. Everyone who was seen a moment ago, where they are expected.
        let mut seen: Vec<Option<Found>> = Vec::with_capacity(self.tracks.len());
        for track in &mut self.tracks {
            track.absence += 1;
            seen.push(track.follow(self.estimator, picture)?);
        }
        self.separate(&mut seen, picture);
        self.exchange(&mut seen, picture);
        // 2. Newcomers, and people who come back.
        if self.frame >= self.next_search || self.misses_someone(&seen) {
            for found in self.estimator.find_people(picture)? {
                self.welcome(found, &mut seen, picture);
            }
            self.next_search = self.frame + SEARCH_INTERVAL;
        }
        // 3. What each looks like now.
        let people: Vec<Person> =
            seen.into_iter().map(|found| found.map(|found| found.person).unwrap_or_default()).collect();
        for (index, (track, person)) in self.tracks.iter_mut().zip(&people).enumerate() {
            let near = |(other, them): (usize, &Person)| other != index && them.distance(person) < NEAR;
            if !person.is_empty() {
                let alone = !people.iter().enumerate().any(near);
                track.take(person, alone.then_some(picture));
            }
        }
        self.frame += 1;
        Ok(Pose { width: picture.width(), height: picture.height(), people })
    }

    /// Whether it is time to look for somebody who is missing.
    fn misses_someone(&self, seen: &[Option<Found>]) -> bool {
        let mut tracks = seen.iter().zip(&self.tracks);
        let lost = tracks.any(|(found, track)| found.is_none() && track.absence <= SEARCH_INTERVAL);
        self.frame.is_multiple_of(LOST_INTERVAL) && (lost || seen.iter().all(Option::is_none))
    }

    /// Where two tracks have found the same person, the one keeps them that fits better.
    fn separate(&self, seen: &mut [Option<Found>], picture: &RgbImage) {
        for second in 1..seen.len() {
            for first in 0..second {
                let (Some(a), Some(b)) = (&seen[first], &seen[second]) else { continue };
                if a.person.distance(&b.person) >= SAME_PERSON {
                    continue;
                }
                let misfit = |track: usize, found: &Found| self.tracks[track].misfit(found, picture);
                let loser = if misfit(first, a) <= misfit(second, b) { second } else { first };
                seen[loser] = None;
            }
        }
    }

    /// Two people near each other whose colours say that they were taken for each other, as after crossing, are told
    /// apart again.
    fn exchange(&self, seen: &mut [Option<Found>], picture: &RgbImage) {
        for second in 1..seen.len() {
            for first in 0..second {
                let (Some(a), Some(b)) = (&seen[first], &seen[second]) else { continue };
                if a.person.distance(&b.person) >= NEIGHBOURHOOD {
                    continue;
                }
                let colours = |track: usize, found: &Found| {
                    let known = self.tracks[track].colours.as_ref()?;
                    Some(known.distance(&Colours::worn_by(&found.person, picture)?))
                };
                let kept = colours(first, a).zip(colours(second, b)).map(|(a, b)| a + b);
                let crossed = colours(first, b).zip(colours(second, a)).map(|(a, b)| a + b);
                let mistaken = kept.zip(crossed).is_some_and(|(kept, crossed)| crossed + CERTAINTY < kept);
                if mistaken {
                    seen.swap(first, second);
                }
            }
        }
    }

    /// Gives a finding to somebody who is followed already, to somebody who was lost, or to a newcomer.
    fn welcome(&mut self, found: Found, seen: &mut Vec<Option<Found>>, picture: &RgbImage) {
        if seen.iter().flatten().any(|other| other.person.distance(&found.person) < SAME_PERSON) {
            return;
        }
        let lost = (0..self.tracks.len()).filter(|&track| seen[track].is_none());
        let misfits = lost.map(|track| (track, self.tracks[track].misfit(&found, picture)));
        let nearest = misfits.min_by(|a, b| a.1.total_cmp(&b.1));
        match nearest.filter(|(_, misfit)| *misfit < RETURNING) {
            Some((track, _)) => seen[track] = Some(found),
            None => {
                self.tracks.push(Track::new(&found.person, picture));
                seen.push(Some(found));
            }
        }
    }
}

impl Track {
    fn new(person: &Person, picture: &RgbImage) -> Self {
        let colours = Colours::worn_by(person, picture);
        Self { last: person.clone(), absence: 0, velocity: (0.0, 0.0), colours }
    }

    /// The person moved on as they moved last.
    fn expected(&self) -> Person {
        let frames = self.absence.min(PATIENCE) as f32;
        self.last.transformed((1.0, 1.0), (self.velocity.0 * frames, self.velocity.1 * frames))
    }

    fn follow(&self, estimator: &dyn Estimator, picture: &RgbImage) -> Result<Option<Found>> {
        if self.absence > PATIENCE {
            return Ok(None);
        }
        let expected = self.expected();
        let Some(region) = estimator.region_for(&expected, picture.width(), picture.height()) else {
            return Ok(None);
        };
        let found = estimator.find(picture, region)?;
        let reach = LONGEST_STEP * self.absence as f32;
        let believed = found.score >= KEPT_SCORE * LEAST_SCORE && found.person.distance(&expected) <= reach;
        Ok(believed.then_some(found))
    }

    /// How badly a finding fits: body sizes from where the person is expected, and difference of the colours. The longer
    /// ago a person was seen, the less the place says.
    fn misfit(&self, found: &Found, picture: &RgbImage) -> f32 {
        let place = found.person.distance(&self.expected()) / self.absence.max(1) as f32;
        let colours = match (&self.colours, Colours::worn_by(&found.person, picture)) {
            (Some(known), Some(seen)) => known.distance(&seen),
            _ => 0.5,
        };
        place + COLOUR_WEIGHT * colours
    }

    /// Takes in where the person is now, and what they look like where a picture is given.
    fn take(&mut self, person: &Person, picture: Option<&RgbImage>) {
        let frames = self.absence.max(1) as f32;
        if let (Some(old), Some(new)) = (self.last.bounding_box(), person.bounding_box()) {
            let (from, to) = (old.center(), new.center());
            self.velocity = ((to.0 - from.0) / frames, (to.1 - from.1) / frames);
        }
        let seen = picture.and_then(|picture| Colours::worn_by(person, picture));
        match (&mut self.colours, seen) {
            (Some(known), Some(seen)) => known.learn(&seen),
            (unknown, seen) => *unknown = seen.or(unknown.take()),
        }
        self.last = person.clone();
        self.absence = 0;
    }
}
