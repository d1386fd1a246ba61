//! What a process that serves has to do with its surroundings: the line that says that it is ready, the signals that stop
//! it, and how fast its clients must take what they are sent.

mod ready;
mod signals;
mod uptake;

pub use ready::ReadyLine;
pub use signals::{Hangup, Signals};
pub use uptake::{LeastRate, Uptake};
