//! Benchmarks that a script asks for single runs, so that two programs can take turns.

use std::io::{BufRead, Write, stdin, stdout};

/// Whether a script asks.
pub fn is_asked() -> bool {
    std::env::args().any(|argument| argument == "--ask")
}

/// Every line of standard input asks for a run; the answer is its seconds.
pub fn answer(mut seconds: impl FnMut(&str) -> dreamtuner::Result<f64>) -> dreamtuner::Result<()> {
    for line in stdin().lock().lines() {
        let line = line.expect("standard input can be read");
        println!("{}", seconds(line.trim())?);
        stdout().flush().expect("standard output can be written");
    }
    Ok(())
}
