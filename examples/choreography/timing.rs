//! From key poses to frames: smooth, periodic, and without overshoot.

use crate::rig::{CHANNELS, Stance};

/// A dance: key poses at beats, repeated without end.
pub struct Dance {
    pub name: &'static str,
    /// What it shows, for the list of sequences.
    pub about: &'static str,
    /// Frames to a beat, at 24 a second.
    pub frames_per_beat: u32,
    /// Beats until the keys start over.
    pub period: f64,
    /// How often the period is danced in one sequence.
    pub repeats: u32,
    /// Beat (ascending, from 0, below `period`) and pose.
    pub keys: Vec<(f64, Stance)>,
}

impl Dance {
    /// One stance for each frame; after the last comes the first again.
    pub fn frames(&self) -> Vec<Stance> {
        let count = (self.period * f64::from(self.repeats * self.frames_per_beat)).round() as usize;
        let raw: Vec<[f64; CHANNELS]> = (0..count).map(|frame| self.channels(frame)).collect();
        (0..count).map(|frame| Stance::from_channels(softened(&raw, frame))).collect()
    }

    fn channels(&self, frame: usize) -> [f64; CHANNELS] {
        let drag = Stance::drag();
        std::array::from_fn(|channel| {
            let beat = (frame as f64 - drag[channel]) / f64::from(self.frames_per_beat);
            self.value(channel, beat.rem_euclid(self.period))
        })
    }

    /// Cubic interpolation that never leaves the range of the two keys around it (Fritsch and Butland 1984): it
    /// rests where a motion turns round and flows through where it goes on.
    fn value(&self, channel: usize, beat: f64) -> f64 {
        let count = self.keys.len() as isize;
        let key = |index: isize| {
            let (turns, place) = (index.div_euclid(count), index.rem_euclid(count));
            let (beat, stance) = &self.keys[place as usize];
            (beat + turns as f64 * self.period, stance.channels()[channel])
        };
        let next = self.keys.iter().position(|(at, _)| *at > beat).map_or(count, |index| index as isize);
        let points = [next - 2, next - 1, next, next + 1].map(key);
        let slope = |a: (f64, f64), b: (f64, f64)| (b.1 - a.1) / (b.0 - a.0);
        let tangent = |before: f64, after: f64| {
            if before * after <= 0.0 { 0.0 } else { 2.0 * before * after / (before + after) }
        };
        let slopes = [slope(points[0], points[1]), slope(points[1], points[2]), slope(points[2], points[3])];
        let (start, end) = (tangent(slopes[0], slopes[1]), tangent(slopes[1], slopes[2]));
        let span = points[2].0 - points[1].0;
        let t = (beat - points[1].0) / span;
        let (t2, t3) = (t * t, t * t * t);
        points[1].1 * (2.0 * t3 - 3.0 * t2 + 1.0)
            + span * start * (t3 - 2.0 * t2 + t)
            + points[2].1 * (3.0 * t2 - 2.0 * t3)
            + span * end * (t3 - t2)
    }
}

/// A weighted mean over five frames: takes the edge off changes of speed.
fn softened(frames: &[[f64; CHANNELS]], frame: usize) -> [f64; CHANNELS] {
    const WEIGHTS: [f64; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];
    std::array::from_fn(|channel| {
        let near = |(offset, weight): (usize, &f64)| {
            weight * frames[(frame + frames.len() + offset - 2) % frames.len()][channel]
        };
        WEIGHTS.iter().enumerate().map(near).sum()
    })
}
