//! How far a benchmark is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use dreamtuner::evaluate::BenchmarkEvent;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::say::say;

/// Time between two plain lines.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// Shows how far a benchmark is.
pub struct Display {
    bar: Option<ProgressBar>,
    frames: usize,
    done: usize,
    started: Instant,
    last_line: Instant,
}

impl Display {
    /// A display of nothing yet.
    pub fn new() -> Self {
        let now = Instant::now();
        Self { bar: None, frames: 0, done: 0, started: now, last_line: now }
    }

    /// Something has happened.
    pub fn show(&mut self, event: &BenchmarkEvent) {
        match event {
            BenchmarkEvent::Begin { clips, finished, frames } => self.begin(*clips, *finished, *frames),
            BenchmarkEvent::Frame => {
                self.done += 1;
                let left = self.time_left();
                if let Some(bar) = &self.bar {
                    bar.set_position(self.done as u64);
                    bar.set_message(left);
                }
            }
            BenchmarkEvent::Clip { row, identity, dance } => {
                let last = self.done == self.frames;
                if self.bar.is_none() && (self.last_line.elapsed() >= BETWEEN_LINES || last) {
                    self.last_line = Instant::now();
                    let (done, frames, left) = (self.done, self.frames, self.time_left());
                    say(format_args!("frame {done}/{frames}  {row}, puppet {identity}, {dance}  {left}"));
                }
            }
        }
    }

    fn begin(&mut self, clips: usize, finished: usize, frames: usize) {
        say(format_args!("{clips} clips, {finished} of them finished before; {frames} frames to do"));
        self.frames = frames;
        self.started = Instant::now();
        self.bar = (frames > 0 && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:30} frame {pos}/{len}  {msg}");
            let bar = ProgressBar::new(frames as u64);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
    }

    fn time_left(&self) -> String {
        let pace = self.started.elapsed().as_secs_f64() / self.done.max(1) as f64;
        let left = Duration::from_secs_f64(pace * self.frames.saturating_sub(self.done) as f64);
        format!("{pace:.2} seconds a frame, {:#} left", HumanDuration(left))
    }

    /// Leaves the terminal tidy.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
    }
}
