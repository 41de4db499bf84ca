//! Which frame is on screen when: trimming and change of frame rate by presentation time.

/// Clocks of common containers are coarse (Matroska: 1 ms), so times closer than this are the same.
const TOLERANCE: f64 = 0.001;

/// Cuts a stream of timed items to `[start, end)` and, with a rate, resamples it.
///
/// An item is on screen from its own time to that of its successor, the last one for its duration, the first one
/// from 0. Without a rate, every item that is on screen within the range comes out once. With a rate, output `k`
/// is the last item whose time, rounded to the output's clock, is at most `k`: what FFmpeg's `fps` filter does.
/// Output times count from `start`.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    start: f64,
    end: f64,
    rate: Option<f64>,
    held: Option<Held<T>>,
    span: Option<Span<T>>,
    outputs: u64,
    passed_end: bool,
}

#[derive(Debug)]
struct Held<T> {
    item: T,
    time: f64,
    duration: f64,
}

/// An item and the output frames it still has to fill: one at `time`, or ticks of the output's clock.
#[derive(Debug)]
enum Span<T> {
    Once { item: T, time: f64 },
    Ticks { item: T, next: u64, last: u64 },
}

impl<T: Clone> Timeline<T> {
    pub fn new(start: f64, end: Option<f64>, rate: Option<f64>) -> Self {
        let end = end.unwrap_or(f64::INFINITY);
        Self { start, end, rate, held: None, span: None, outputs: 0, passed_end: false }
    }

    /// Adds the next item. Take everything [`next`](Self::next) has first. A time that does not follow the one
    /// before it is taken to be the end of that one.
    pub fn push(&mut self, item: T, time: f64, duration: f64) {
        let time = match &self.held {
            None => time,
            Some(held) if time > held.time => time,
            Some(held) => held.time + held.duration,
        };
        if let Some(held) = self.held.take() {
            self.show(held, time);
        }
        self.passed_end |= time >= self.end - TOLERANCE;
        self.held = Some(Held { item, time, duration });
    }

    /// No further item comes: the last one stays for its duration.
    pub fn finish(&mut self) {
        if let Some(held) = self.held.take() {
            let until = held.time + held.duration;
            self.show(held, until);
        }
    }

    /// Whether later items cannot be in the range any more.
    pub fn passed_end(&self) -> bool {
        self.passed_end
    }

    /// End of what was pushed so far, in the source's own time.
    pub fn pushed_until(&self) -> Option<f64> {
        self.held.as_ref().map(|held| held.time + held.duration)
    }

    /// The next output, with its time.
    pub fn next(&mut self) -> Option<(T, f64)> {
        let (output, rest) = match self.span.take()? {
            Span::Once { item, time } => ((item, time), None),
            Span::Ticks { item, next, last } => {
                let time = next as f64 / self.rate.unwrap_or(1.0);
                let rest = (next < last).then(|| Span::Ticks { item: item.clone(), next: next + 1, last });
                ((item, time), rest)
            }
        };
        self.span = rest;
        self.outputs += 1;
        Some(output)
    }

    /// Decides what `held`, on screen until `until`, gives in the output.
    fn show(&mut self, held: Held<T>, until: f64) {
        let clipped = held.time < self.start || until > self.end;
        let begins = held.time.max(self.start);
        let ends = until.min(self.end);
        if ends - begins <= if clipped { TOLERANCE } else { 0.0 } {
            return;
        }
        self.span = match self.rate {
            None => {
                let time = if self.outputs == 0 { 0.0 } else { begins - self.start };
                Some(Span::Once { item: held.item, time })
            }
            Some(rate) => {
                // The small surplus lets halves round up in spite of rounding errors, as integer clocks do.
                let tick = |time: f64| ((time - self.start) * rate + 0.5 + 1e-6).floor().max(0.0) as u64;
                let next = if self.outputs == 0 { 0 } else { tick(begins).max(self.outputs) };
                let last = if next == 0 { tick(ends).max(1) } else { tick(ends) };
                (next < last).then(|| Span::Ticks { item: held.item, next, last: last - 1 })
            }
        };
    }
}
