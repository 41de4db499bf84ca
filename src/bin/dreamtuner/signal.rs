//! Ctrl-C.

use dreamtuner::interrupt::Interrupt;
use dreamtuner::{Error, Result};

use crate::exit;
use crate::say::say;

/// The first Ctrl-C asks the work to stop, the second ends the program.
pub fn stop_on_signal(interrupt: Interrupt) -> Result<()> {
    let handler = move || {
        if interrupt.requested() {
            std::process::exit(exit::INTERRUPTED);
        }
        interrupt.request();
        say(format_args!("\nstopping after this pass; Ctrl-C again ends at once"));
    };
    ctrlc::set_handler(handler).map_err(|error| Error::setting("signal handler", error.to_string()))
}
