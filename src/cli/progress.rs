//! A progress bar on stderr, for inputs that take longer than a second.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rdbkit::input;

use super::printer::Printer;

/// Shows how far into an input the reader is, until it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Dropping it wakes the thread up, which then clears the bar and ends.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    const PATIENCE: Duration = Duration::from_secs(1);
    const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

    /// Watches an input, if there is a terminal that would show it.
    pub(crate) fn watch(printer: &Printer, progress: &input::Progress) -> Self {
        if !printer.shows_progress() {
            return Progress {
                stop: None,
                thread: None,
            };
        }
        let progress = progress.clone();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            if stopped.recv_timeout(Self::PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = bar(progress.total());
            while stopped.recv_timeout(Self::BETWEEN_LOOKS) == Err(RecvTimeoutError::Timeout) {
                bar.set_position(progress.read());
            }
            bar.finish_and_clear();
        });
        Progress {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {bytes} of {total_bytes} ({bytes_per_sec}, {eta} left)",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes} ({bytes_per_sec})",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread only draws; if it failed there is nothing to clear.
            let _ = thread.join();
        }
    }
}
