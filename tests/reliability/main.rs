//! Nothing of the user's is ever lost: broken disks, killed processes, two processes at once, files that were there before, and
//! bytes that nobody should have written.
#![cfg(unix)]

mod bytes;
mod cases;
mod faults;
mod hostile;
mod own_files;
mod support;
mod two_processes;
