//! Waiting. The contract of every blocking call: *try; register; try again; park*.
//!
//! A [`Parker`] is one thread's place to sleep; a [`WaitQueue`] belongs to an object and holds the parkers to wake when the
//! object's state changes. Files say what they are ready for by `poll`, and wake their queue whenever that may have grown.
//! So `read`, `poll`, `epoll` and `accept` all wait in the same way, and no wake-up is lost: registering comes before the
//! second try.
//!
//! One waiting thread at a time is the *watcher*: it sleeps in `Machine::wait_io`, which ends when packets, console input
//! or a kick arrive, and feeds the network stack. The others sleep on their own word. A watcher that has what it waited for
//! hands the role to another sleeper.

mod park;
mod queue;
#[cfg(test)]
mod tests;
mod watcher;

pub(crate) use park::{Parker, block_on, block_on_queues};
pub(crate) use queue::{WaitQueue, Waiter};
pub(crate) use watcher::{deadline_changed, stdin_drained, stdin_queue};
