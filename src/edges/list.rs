//! Every edge, for people: its lease, and what it has applied.

use serde::{Deserialize, Serialize};

use super::Edges;
use crate::feed::{Moment, Position};

/// An edge as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub run: u64,
    /// Through which edge it reads the feed; `None` where it reads it here.
    pub behind: Option<String>,
    /// The ARN of whoever it signs as; empty behind another edge.
    pub principal: String,
    pub address: String,
    pub state: EdgeState,
    /// How much longer it counts as live, in milliseconds; 0 where it does not.
    pub lease: u64,
    /// Up to where it has dropped what was to go; 0 where it has said nothing of this log.
    pub applied: u64,
    pub sites: Vec<String>,
}

/// Whether an edge trusts what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeState {
    Live,
    /// It has not been heard of for longer than its lease.
    Lost,
}

impl Edges {
    /// Gives every edge that was heard of, and the last position of the log.
    pub fn list(&self) -> (Vec<Listed>, Position) {
        let (now, log) = (Moment::now(), self.log());
        let registry = self.registry.lock();
        let mut listed = Vec::new();
        for (id, known) in registry.iter() {
            let details = &known.details;
            let lease = known.until.since(now).as_millis() as u64;
            let state = if known.is_live(now) { EdgeState::Live } else { EdgeState::Lost };
            listed.push(Listed {
                name: id.name.to_string(),
                run: id.run,
                behind: None,
                principal: details.caller.principal.arn().unwrap_or_default(),
                address: details.address.clone(),
                state,
                lease,
                applied: known.offset(log),
                sites: details.sites.iter().flat_map(|sites| sites.iter()).map(|site| site.id.clone()).collect(),
            });
            for other in &details.behind {
                let live = other.live > 0 && state == EdgeState::Live;
                listed.push(Listed {
                    name: other.edge.name.to_string(),
                    run: other.edge.run,
                    behind: Some(id.name.to_string()),
                    principal: String::new(),
                    address: String::new(),
                    state: if live { EdgeState::Live } else { EdgeState::Lost },
                    lease: if live { other.live.min(lease) } else { 0 },
                    applied: other
                        .applied
                        .filter(|applied| applied.log == details.log)
                        .map_or(0, |applied| applied.offset),
                    sites: Vec::new(),
                });
            }
        }
        (listed, Position { log, offset: *self.store.log_head().borrow() })
    }
}
