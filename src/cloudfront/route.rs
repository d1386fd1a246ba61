//! The operations of CloudFront's API that Brim has, and how requests for them look.

use super::error::{ApiError, Code};

/// What the paths of the API begin with: its version.
pub const VERSION: &str = "/2020-05-31/";

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    CreateInvalidation,
    GetDistribution,
    GetDistributionConfig,
    GetInvalidation,
    ListDistributions,
    ListInvalidations,
    Unknown,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'p> {
    pub operation: Operation,
    pub distribution: Option<&'p str>,
    pub invalidation: Option<&'p str>,
}

impl Operation {
    const ALL: [Self; 7] = [
        Self::CreateInvalidation,
        Self::GetDistribution,
        Self::GetDistributionConfig,
        Self::GetInvalidation,
        Self::ListDistributions,
        Self::ListInvalidations,
        Self::Unknown,
    ];

    /// The operation's name in the API reference.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateInvalidation => "CreateInvalidation",
            Self::GetDistribution => "GetDistribution",
            Self::GetDistributionConfig => "GetDistributionConfig",
            Self::GetInvalidation => "GetInvalidation",
            Self::ListDistributions => "ListDistributions",
            Self::ListInvalidations => "ListInvalidations",
            Self::Unknown => "UnknownCloudFront",
        }
    }

    /// The permission it needs, in IAM's words.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::CreateInvalidation => "cloudfront:CreateInvalidation",
            Self::GetDistribution => "cloudfront:GetDistribution",
            Self::GetDistributionConfig => "cloudfront:GetDistributionConfig",
            Self::GetInvalidation => "cloudfront:GetInvalidation",
            Self::ListDistributions => "cloudfront:ListDistributions",
            Self::ListInvalidations => "cloudfront:ListInvalidations",
            Self::Unknown => "cloudfront:*",
        }
    }

    /// The names of all, for metrics.
    pub fn names() -> Vec<&'static str> {
        Self::ALL.map(Self::name).to_vec()
    }

    /// The place among [`Self::names`].
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|known| *known == self).unwrap_or(Self::ALL.len() - 1)
    }
}

impl<'p> Route<'p> {
    /// Finds what a method and a path ask for.
    pub fn parse(method: &str, path: &'p str) -> Result<Self, ApiError> {
        let unknown = || {
            let message = format!("{method} {path} is not implemented. docs/edge.md lists the operations that are.");
            ApiError::with_message(Code::NotImplemented, message)
        };
        let rest = path.strip_prefix(VERSION).ok_or_else(unknown)?;
        let pieces: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
        let (operation, distribution, invalidation) = match (method, pieces.as_slice()) {
            ("GET", ["distribution"]) => (Operation::ListDistributions, None, None),
            ("GET", ["distribution", id]) => (Operation::GetDistribution, Some(*id), None),
            ("GET", ["distribution", id, "config"]) => (Operation::GetDistributionConfig, Some(*id), None),
            ("GET", ["distribution", id, "invalidation"]) => (Operation::ListInvalidations, Some(*id), None),
            ("POST", ["distribution", id, "invalidation"]) => (Operation::CreateInvalidation, Some(*id), None),
            ("GET", ["distribution", id, "invalidation", other]) => {
                (Operation::GetInvalidation, Some(*id), Some(*other))
            }
            _ => return Err(unknown()),
        };
        Ok(Self { operation, distribution, invalidation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_and_path_choose_the_operation() {
        for (method, path, operation, distribution, invalidation) in [
            ("GET", "/2020-05-31/distribution", Operation::ListDistributions, None, None),
            ("GET", "/2020-05-31/distribution/", Operation::ListDistributions, None, None),
            ("GET", "/2020-05-31/distribution/E1", Operation::GetDistribution, Some("E1"), None),
            ("GET", "/2020-05-31/distribution/E1/config", Operation::GetDistributionConfig, Some("E1"), None),
            ("GET", "/2020-05-31/distribution/E1/invalidation", Operation::ListInvalidations, Some("E1"), None),
            ("POST", "/2020-05-31/distribution/E1/invalidation", Operation::CreateInvalidation, Some("E1"), None),
            ("GET", "/2020-05-31/distribution/E1/invalidation/I1", Operation::GetInvalidation, Some("E1"), Some("I1")),
        ] {
            assert_eq!(Route::parse(method, path).unwrap(), Route { operation, distribution, invalidation });
        }
        for (method, path) in [
            ("POST", "/2020-05-31/distribution"),
            ("DELETE", "/2020-05-31/distribution/E1"),
            ("GET", "/2019-03-26/distribution"),
            ("GET", "/2020-05-31/key-group"),
            ("GET", "/2020-05-31/distribution/E1/invalidation/I1/more"),
        ] {
            assert_eq!(Route::parse(method, path).unwrap_err().code, Code::NotImplemented, "{method} {path}");
        }
    }
}
