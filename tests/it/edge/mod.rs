//! The edge: the real binary, between clients that send exact bytes and origins that do.

mod conformance;
mod feed;
mod front;
mod hostile_origins;
mod process;
mod smuggling;
mod smuggling_h2;
mod upgrade;

#[path = "../../../src/edge/origin/scripted.rs"]
#[allow(dead_code, reason = "shared with the unit tests, which use all of it")]
mod scripted;
