//! How far long work is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::say::say;

/// Time between two plain lines.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// Shows the steps of one thing after another.
#[derive(Default)]
pub struct StepDisplay {
    bar: Option<ProgressBar>,
    /// What is being done, since when, and how much of it was done before.
    begun: Option<(&'static str, Instant, u64)>,
    last_line: Option<Instant>,
}

impl StepDisplay {
    /// `done` of `of` steps of `what` are done; `more` is said besides.
    pub fn update(&mut self, what: &'static str, done: u64, of: u64, more: &str) {
        let (_, started, first) = match self.begun {
            Some(begun) if begun.0 == what => begun,
            _ => self.begin(what, done, of),
        };
        let left = match done.saturating_sub(first) {
            0 if done < of => String::new(),
            steps => {
                let pace = started.elapsed().as_secs_f64() / steps.max(1) as f64;
                let left = Duration::from_secs_f64(pace * of.saturating_sub(done) as f64);
                format!("{:#} left", HumanDuration(left))
            }
        };
        let text = format!("{what} {done}/{of}  {more}{left}");
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(text);
        } else if done == of || self.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
            self.last_line = Some(Instant::now());
            say(text);
        }
    }

    fn begin(&mut self, what: &'static str, done: u64, of: u64) -> (&'static str, Instant, u64) {
        self.finish();
        self.bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {msg}");
            ProgressBar::new(of).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        *self.begun.insert((what, Instant::now(), done))
    }

    /// A line between the steps.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => say(text),
        }
    }

    /// Leaves the terminal tidy.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.abandon();
        }
    }
}
