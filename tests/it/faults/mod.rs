//! The real binary on a failing machine: killed, without power, on a full or broken disk. `docs/reliability.md` says which
//! test is there for which way of losing data.

mod damage;
mod disk;
mod drain;
mod elsewhere;
mod failing_calls;
mod failing_reads;
mod full_disk;
mod journal;
mod kill;
mod ledger;
mod library;
mod library_itself;
mod machine;
mod power_loss;
mod removed_sync;
mod soak;
mod worker;
