//! What the user sees while a clip is rendered: a bar on a terminal, plain lines elsewhere, JSON events for programs.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use dreamtuner::render::clip::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// Time between two plain lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Shows how far a render is.
pub struct Display {
    json: bool,
    bar: Option<ProgressBar>,
    frames: usize,
    resumed: usize,
    started: Instant,
    last_line: Instant,
}

impl Display {
    /// A display for a clip of `frames` frames. With `json`, events go to the standard output, one a line.
    pub fn new(frames: usize, json: bool) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(frames as u64);
            let template = "{bar:30} frame {pos}/{len}  {msg}";
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        Self { json, bar, frames, resumed: 0, started: now, last_line: now }
    }

    /// An event for programs.
    pub fn event(&self, event: Value) {
        if self.json {
            // A closed standard output must not end a render of hours.
            let _ = writeln!(std::io::stdout(), "{event}");
        }
    }

    /// Takes note of progress.
    pub fn update(&mut self, progress: Progress) {
        match progress {
            Progress::Resumed { frame } => {
                self.resumed = frame + 1;
                self.started = Instant::now();
                self.event(json!({"event": "resumed", "frame": frame}));
                if let Some(bar) = &self.bar {
                    bar.set_position(frame as u64 + 1);
                }
            }
            Progress::Step { frame, done, steps } => {
                self.event(json!({"event": "step", "frame": frame, "done": done, "steps": steps}));
                let ahead = frame as f64 + done as f64 / steps as f64;
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("step {done}/{steps}  {}", self.pace(ahead)));
                }
            }
            Progress::Frame { frame } => self.frame_done(frame),
        }
    }

    fn frame_done(&mut self, frame: usize) {
        let done = frame + 1;
        let seconds_left = self.seconds_left(done as f64);
        self.event(json!({"event": "frame", "frame": frame, "of": self.frames, "seconds_left": seconds_left}));
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(self.pace(done as f64));
        } else if !self.json && (self.last_line.elapsed() >= BETWEEN_LINES || done == self.frames) {
            self.last_line = Instant::now();
            eprintln!("frame {done}/{}  {}", self.frames, self.pace(done as f64));
        }
    }

    /// Leaves the terminal tidy.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }

    fn seconds_left(&self, done: f64) -> f64 {
        let fresh = done - self.resumed as f64;
        let left = (self.frames as f64 - done).max(0.0);
        if fresh > 0.0 { self.started.elapsed().as_secs_f64() / fresh * left } else { 0.0 }
    }

    fn pace(&self, done: f64) -> String {
        let fresh = done - self.resumed as f64;
        let elapsed = self.started.elapsed().as_secs_f64();
        let left = indicatif::HumanDuration(Duration::from_secs_f64(self.seconds_left(done)));
        let rate = if elapsed > 0.0 { fresh / elapsed } else { 0.0 };
        if rate >= 1.0 || rate == 0.0 {
            format!("{rate:.1} frames a second, {left:#} left")
        } else {
            format!("{:.1} seconds a frame, {left:#} left", 1.0 / rate)
        }
    }
}
