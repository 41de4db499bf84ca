//! What the user sees while a clip is rendered: a bar on a terminal, plain lines elsewhere, JSON events for programs.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dreamtuner::render::clip::{Outcome, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::say::say;

/// Time between two plain lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Shows how far a render is.
pub struct Display {
    json: bool,
    bar: Option<ProgressBar>,
    frames: usize,
    /// Frames that were in the journal at the start.
    resumed: usize,
    started: Instant,
    last_line: Instant,
}

impl Display {
    /// A display that, with `json`, writes events to the standard output, one a line.
    pub fn new(json: bool) -> Self {
        let now = Instant::now();
        Self { json, bar: None, frames: 0, resumed: 0, started: now, last_line: now }
    }

    /// An event for programs.
    pub fn event(&self, event: Value) {
        if self.json {
            // A closed standard output must not end a render of hours.
            let _ = writeln!(std::io::stdout(), "{event}");
        }
    }

    /// Something the user should know.
    pub fn note(&self, note: &str) {
        self.event(json!({"event": "note", "message": note}));
        match &self.bar {
            Some(bar) => bar.suspend(|| say(format_args!("note: {note}"))),
            None => say(format_args!("note: {note}")),
        }
    }

    /// The dance is searched for people.
    pub fn search(&mut self, done: usize, of: Option<usize>) {
        self.event(json!({"event": "search", "done": done, "of": of}));
        if self.json {
            return;
        }
        if self.bar.is_none() && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{bar:30} searching {pos}/{len}  {per_sec}, {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar = Some(bar);
        }
        match &self.bar {
            Some(bar) => {
                bar.set_length(of.unwrap_or(done).max(done) as u64);
                bar.set_position(done as u64);
            }
            None if done == 1 || self.last_line.elapsed() >= BETWEEN_LINES => {
                self.last_line = Instant::now();
                let of = of.map_or(String::new(), |of| format!("/{of}"));
                say(format_args!("searching frame {done}{of} for people"));
            }
            None => {}
        }
    }

    /// Rendering begins.
    pub fn begin(&mut self, frames: usize, finished: usize, (width, height): (usize, usize)) {
        self.event(json!({
            "event": "begin", "frames": frames, "finished": finished, "width": width, "height": height,
        }));
        if !self.json {
            let resumed =
                if finished > 0 { format!(", {finished} of them finished before") } else { String::new() };
            say(format_args!("{frames} frames of {width}×{height} pixels{resumed}"));
        }
        if let Some(search) = self.bar.take() {
            search.finish_and_clear();
        }
        self.frames = frames;
        self.resumed = finished;
        self.started = Instant::now();
        self.bar = (!self.json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(frames as u64);
            let template = "{bar:30} frame {pos}/{len}  {msg}";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_position(finished as u64);
            bar
        });
    }

    /// Rendering goes on.
    pub fn update(&mut self, progress: Progress) {
        match progress {
            Progress::Resumed { frame } => self.event(json!({"event": "resumed", "frame": frame})),
            Progress::Step { frame, done, steps } => {
                self.event(json!({"event": "step", "frame": frame, "done": done, "steps": steps}));
                if let Some(bar) = &self.bar {
                    let ahead = frame as f64 + done as f64 / steps as f64;
                    bar.set_message(format!("step {done}/{steps}  {}", self.pace(ahead)));
                }
            }
            Progress::Frame { frame } => self.frame_done(frame),
        }
    }

    fn frame_done(&mut self, frame: usize) {
        let done = frame + 1;
        let seconds_left = self.seconds_left(done as f64);
        self.event(
            json!({"event": "frame", "frame": frame, "of": self.frames, "seconds_left": seconds_left}),
        );
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(self.pace(done as f64));
        } else if !self.json && (self.last_line.elapsed() >= BETWEEN_LINES || done == self.frames) {
            self.last_line = Instant::now();
            say(format_args!("frame {done}/{}  {}", self.frames, self.pace(done as f64)));
        }
    }

    /// The outputs are in place.
    pub fn end(&mut self, outcome: &Outcome, written: &[PathBuf], frames: Option<&Path>) {
        self.finish();
        let (state, done) = match outcome {
            Outcome::Complete { frames } => ("complete", *frames),
            Outcome::Interrupted { frames } => ("interrupted", *frames),
        };
        self.event(json!({"event": "end", "state": state, "frames": done, "written": written, "frames_folder": frames}));
        if self.json {
            return;
        }
        for path in written {
            say(format_args!("wrote {}", path.display()));
        }
        match (outcome, frames) {
            (Outcome::Interrupted { .. }, Some(folder)) => say(format_args!(
                "stopped after {done} frames, which are kept in {}: the same command goes on from there",
                folder.display()
            )),
            (Outcome::Complete { .. }, Some(folder)) => say(format_args!("frames in {}", folder.display())),
            (Outcome::Interrupted { .. }, None) => {
                say(format_args!("stopped before another frame was finished"))
            }
            (Outcome::Complete { .. }, None) => {}
        }
    }

    /// Leaves the terminal tidy.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
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
