//! What is wrong with a policy document.

use std::fmt;

/// Why a text is no policy of the kind asked for. Displayed in AWS's words where they are known, with the place.
///
/// S3 answers it as `MalformedPolicy`, IAM and STS as `MalformedPolicyDocument`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    pub problem: Problem,
    /// The number of the statement, from 1; `None` where the document itself is wrong.
    pub statement: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("Policies must be valid JSON and the first byte must be '{{'")]
    NotAnObject,
    #[error("This policy contains invalid Json: {0}")]
    Json(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)?;
        match self.statement {
            Some(number) => write!(f, " (statement {number})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PolicyError {}
