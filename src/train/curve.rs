//! The loss over the steps of a training, as numbers and as a picture.

use std::fmt::Write;
use std::path::Path;

use image::{Rgb, RgbImage};
use imageproc::drawing::draw_antialiased_line_segment_mut;
use imageproc::pixelops::interpolate;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::outputs::{write_png, write_whole};
use crate::picture::label;

/// Losses by step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Every step's loss on its batch.
    pub training: Vec<(u64, f64)>,
    /// Losses on held-out pictures.
    pub held_out: Vec<(u64, f64)>,
    /// The loss on held-out pictures of what is trained against: without the subject encoder.
    pub without: Option<f64>,
}

/// Batches of which the picture shows the mean.
const SMOOTHED: usize = 50;
const SIZE: (u32, u32) = (800, 480);
const MARGIN: (u32, u32) = (72, 28);
const TRAINING: Rgb<u8> = Rgb([110, 110, 120]);
const HELD_OUT: Rgb<u8> = Rgb([255, 180, 60]);
const WITHOUT: Rgb<u8> = Rgb([90, 170, 255]);
const PAPER: Rgb<u8> = Rgb([24, 24, 24]);

impl Curve {
    /// Writes `loss.csv` and `loss.png` into a folder.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_whole(&folder.join("loss.csv"), self.csv().as_bytes())?;
        write_png(&folder.join("loss.png"), &self.picture())
    }

    /// One line a step; losses on held-out pictures stand in the lines of the steps after which they were measured.
    fn csv(&self) -> String {
        let mut text = String::from("step,training,held_out,held_out_without\n");
        let without = self.without.map_or(String::new(), |loss| loss.to_string());
        let first = self.held_out.iter().find(|(step, _)| *step == 0).map(|(_, loss)| (0, None, Some(*loss)));
        let lines = self.training.iter().map(|&(step, loss)| {
            let held_out = self.held_out.iter().find(|(at, _)| *at == step);
            (step, Some(loss), held_out.map(|(_, loss)| *loss))
        });
        let show = |loss: Option<f64>| loss.map_or(String::new(), |loss| loss.to_string());
        for (step, training, held_out) in first.into_iter().chain(lines) {
            let without = if held_out.is_some() { without.as_str() } else { "" };
            let _ = writeln!(text, "{step},{},{},{without}", show(training), show(held_out));
        }
        text
    }

    /// The mean of neighbouring batches.
    fn smoothed(&self) -> Vec<(u64, f64)> {
        let mean = |part: &[(u64, f64)]| {
            let sum: f64 = part.iter().map(|(_, loss)| loss).sum();
            (part[part.len() / 2].0, sum / part.len() as f64)
        };
        let size = SMOOTHED.min(self.training.len() / 20).max(1);
        self.training.chunks(size).map(mean).collect()
    }

    fn picture(&self) -> RgbImage {
        let mut image = RgbImage::from_pixel(SIZE.0, SIZE.1, PAPER);
        let training = self.smoothed();
        let without: Vec<(u64, f64)> = self.without.iter().map(|&loss| (0, loss)).collect();
        let all: Vec<(u64, f64)> = [&training[..], &self.held_out, &without].concat();
        let last = all.iter().map(|(step, _)| *step).max().unwrap_or(0).max(1);
        let lowest = all.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
        let highest = all.iter().map(|(_, loss)| *loss).fold(f64::NEG_INFINITY, f64::max);
        if !(lowest.is_finite() && highest.is_finite()) {
            return image;
        }
        let range = (highest - lowest).max(f64::MIN_POSITIVE);
        let (width, height) = (SIZE.0 - 2 * MARGIN.0, SIZE.1 - 2 * MARGIN.1);
        let place = |&(step, loss): &(u64, f64)| {
            let x = MARGIN.0 as f64 + step as f64 / last as f64 * f64::from(width);
            let y = MARGIN.1 as f64 + (highest - loss) / range * f64::from(height);
            (x as i32, y as i32)
        };
        let lasting: Vec<(u64, f64)> =
            without.iter().flat_map(|&(_, loss)| [(0, loss), (last, loss)]).collect();
        for (line, colour) in [(&lasting, WITHOUT), (&training, TRAINING), (&self.held_out, HELD_OUT)] {
            for pair in line.windows(2) {
                draw_antialiased_line_segment_mut(
                    &mut image,
                    place(&pair[0]),
                    place(&pair[1]),
                    colour,
                    interpolate,
                );
            }
        }
        label::write(&mut image, 8, MARGIN.1, &format!("{highest:.4}"));
        label::write(&mut image, 8, SIZE.1 - MARGIN.1 - label::LINE_HEIGHT, &format!("{lowest:.4}"));
        let text = "loss: batches (grey), held out (yellow), held out without what is trained (blue)";
        label::write(&mut image, MARGIN.0, 4, text);
        label::write(&mut image, MARGIN.0, SIZE.1 - label::LINE_HEIGHT - 4, &format!("0 to {last} steps"));
        image
    }
}
