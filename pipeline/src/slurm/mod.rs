//! A Slurm cluster as where tests are measured: it places, queues, limits and accounts, and what it says of its jobs is
//! held against what is stored. What is to be measured is cut into shards ([`shard`]), each an element of a job array
//! ([`script`]); what became of each is folded from what is seen ([`ledger`]). It must not know how a test is measured,
//! and concludes nothing.

pub mod campaign;
pub mod commands;
pub mod ledger;
pub mod place;
pub mod queue;
pub mod script;
pub mod shard;
mod wants;
