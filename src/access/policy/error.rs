//! What is wrong with a policy document.

use std::fmt;

/// Why a text is no policy of the kind asked for. Displayed in AWS's words where they are known, and then the place.
///
/// S3 answers it as `MalformedPolicy`, IAM and STS as `MalformedPolicyDocument`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    pub problem: Problem,
    /// The number of the statement, from 1; `None` where the document itself is wrong.
    pub statement: Option<usize>,
}

/// What is wrong, with the text that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("Policy exceeds the maximum allowed document size of {0} bytes")]
    TooLong(usize),
    #[error("Policies must be valid JSON and the first byte must be '{{'")]
    NotAnObject,
    #[error("This policy contains invalid Json: {0}")]
    Json(String),
    #[error("Policy contains duplicate field {0}")]
    DuplicateField(String),
    #[error("Unknown field {0}")]
    UnknownField(String),
    #[error("Missing required field {0}")]
    MissingField(&'static str),
    #[error("Has prohibited field {0}")]
    ProhibitedField(&'static str),
    #[error("Statement has both {0} and {1}")]
    ConflictingFields(&'static str, &'static str),
    #[error("Field {0} must be {1}")]
    WrongType(&'static str, &'static str),
    #[error("The policy must contain a valid version string")]
    Version,
    #[error("Could not parse the policy: Statement is empty!")]
    NoStatements,
    #[error("Statement IDs (SID) in a single policy must be unique: {0}")]
    DuplicateSid(String),
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    Sid,
    #[error("Invalid effect: {0}")]
    Effect(String),
    #[error("Policy document should not specify a principal.")]
    PrincipalProhibited,
    #[error("Invalid principal in policy: {0}")]
    Principal(String),
    #[error("NotPrincipal must be used with \"Effect\":\"Deny\"")]
    NotPrincipalAllows,
    #[error("Policy has invalid action: {0}")]
    Action(String),
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {0}")]
    Vendor(String),
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    TrustAction,
    #[error("Policy has invalid resource: {0}")]
    BucketResource(String),
    #[error("Resource {0} must be in ARN format or \"*\".")]
    Resource(String),
    #[error("Partition \"{0}\" is not valid for resource \"{1}\".")]
    Partition(String, String),
    #[error("Action does not apply to any resource(s) in statement: {0}")]
    ActionWithoutResource(String),
    #[error("Invalid Condition type : {0}")]
    ConditionType(String),
    #[error("Policy has an invalid condition key: {0}")]
    ConditionKey(String),
    #[error("Invalid value of {key} in condition {operator}: {value}")]
    ConditionValue { operator: String, key: String, value: String },
    #[error("Conditions do not apply to combination of actions and resources in statement: {0}")]
    ConditionWithoutAction(String),
    #[error("Invalid policy variable: {0}")]
    Variable(String),
}

impl Problem {
    /// The error of a problem in the document itself.
    pub(super) fn of_document(self) -> PolicyError {
        PolicyError { problem: self, statement: None }
    }
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
