//! The action table: every action of IAM, STS and SNS that Brim has is one row. Dispatch, permissions, metric labels, log names,
//! the parameters that are taken and `docs/identity-api.md` come from here.

use super::error::{Code, QueryError};
use super::form::{self, Parameters};

/// An API of the query protocol: a service in the scope of signatures, and its one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    Iam,
    Sts,
    Sns,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub action: Action,
    pub api: Api,
    /// The root elements of its answer, around everything and around the result.
    pub response: &'static str,
    pub result: &'static str,
    /// The permission it needs, in IAM's words; empty if it needs none.
    pub permission: &'static str,
    /// The parameters it takes besides `Action` and `Version`; `N` stands for a number.
    pub parameters: &'static [&'static str],
    /// What the documentation says besides the name.
    pub note: &'static str,
}

macro_rules! actions {
    ($($api:ident { $($action:ident $permission:literal [$($parameter:literal),*] $note:literal;)* })*) => {
        /// The actions of IAM, STS and SNS that Brim has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $($($action,)*)* }

        impl Action {
            /// The action's name in the API reference.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$action => stringify!($action),)*)* }
            }
        }

        /// Every action.
        pub const ROWS: &[Row] = &[$($(Row {
            action: Action::$action,
            api: Api::$api,
            response: concat!(stringify!($action), "Response"),
            result: concat!(stringify!($action), "Result"),
            permission: $permission,
            parameters: &[$($parameter),*],
            note: $note,
        },)*)*];
    };
}

actions! {
    Iam {
        CreateUser "iam:CreateUser" ["UserName", "Path"] "";
        GetUser "iam:GetUser" ["UserName"] "without a name: the caller";
        ListUsers "iam:ListUsers" ["PathPrefix", "Marker", "MaxItems"] "";
        DeleteUser "iam:DeleteUser" ["UserName"] "a user with keys, policies or groups stays";

        CreateAccessKey "iam:CreateAccessKey" ["UserName"] "the only answer that holds the secret; without a name: the caller";
        ListAccessKeys "iam:ListAccessKeys" ["UserName", "Marker", "MaxItems"] "without a name: the caller";
        UpdateAccessKey "iam:UpdateAccessKey" ["UserName", "AccessKeyId", "Status"] "an inactive key is refused from the next request on";
        DeleteAccessKey "iam:DeleteAccessKey" ["UserName", "AccessKeyId"] "";
        GetAccessKeyLastUsed "iam:GetAccessKeyLastUsed" ["AccessKeyId"] "the owner; when a key was used is not recorded, and the answer says `N/A`";

        PutUserPolicy "iam:PutUserPolicy" ["UserName", "PolicyName", "PolicyDocument"] "";
        GetUserPolicy "iam:GetUserPolicy" ["UserName", "PolicyName"] "";
        ListUserPolicies "iam:ListUserPolicies" ["UserName", "Marker", "MaxItems"] "";
        DeleteUserPolicy "iam:DeleteUserPolicy" ["UserName", "PolicyName"] "";
        AttachUserPolicy "iam:AttachUserPolicy" ["UserName", "PolicyArn"] "";
        DetachUserPolicy "iam:DetachUserPolicy" ["UserName", "PolicyArn"] "";
        ListAttachedUserPolicies "iam:ListAttachedUserPolicies" ["UserName", "PathPrefix", "Marker", "MaxItems"] "";

        CreateGroup "iam:CreateGroup" ["GroupName", "Path"] "";
        GetGroup "iam:GetGroup" ["GroupName", "Marker", "MaxItems"] "the group and its users";
        ListGroups "iam:ListGroups" ["PathPrefix", "Marker", "MaxItems"] "";
        DeleteGroup "iam:DeleteGroup" ["GroupName"] "a group with users or policies stays";
        AddUserToGroup "iam:AddUserToGroup" ["GroupName", "UserName"] "";
        RemoveUserFromGroup "iam:RemoveUserFromGroup" ["GroupName", "UserName"] "";
        ListGroupsForUser "iam:ListGroupsForUser" ["UserName", "Marker", "MaxItems"] "";
        PutGroupPolicy "iam:PutGroupPolicy" ["GroupName", "PolicyName", "PolicyDocument"] "";
        GetGroupPolicy "iam:GetGroupPolicy" ["GroupName", "PolicyName"] "";
        ListGroupPolicies "iam:ListGroupPolicies" ["GroupName", "Marker", "MaxItems"] "";
        DeleteGroupPolicy "iam:DeleteGroupPolicy" ["GroupName", "PolicyName"] "";
        AttachGroupPolicy "iam:AttachGroupPolicy" ["GroupName", "PolicyArn"] "";
        DetachGroupPolicy "iam:DetachGroupPolicy" ["GroupName", "PolicyArn"] "";
        ListAttachedGroupPolicies "iam:ListAttachedGroupPolicies" ["GroupName", "PathPrefix", "Marker", "MaxItems"] "";

        CreatePolicy "iam:CreatePolicy" ["PolicyName", "Path", "PolicyDocument", "Description"] "";
        GetPolicy "iam:GetPolicy" ["PolicyArn"] "";
        ListPolicies "iam:ListPolicies" ["Scope", "OnlyAttached", "PathPrefix", "PolicyUsageFilter", "Marker", "MaxItems"] "";
        DeletePolicy "iam:DeletePolicy" ["PolicyArn"] "a policy that is attached stays";
        CreatePolicyVersion "iam:CreatePolicyVersion" ["PolicyArn", "PolicyDocument", "SetAsDefault"] "";
        GetPolicyVersion "iam:GetPolicyVersion" ["PolicyArn", "VersionId"] "";
        ListPolicyVersions "iam:ListPolicyVersions" ["PolicyArn", "Marker", "MaxItems"] "";
        SetDefaultPolicyVersion "iam:SetDefaultPolicyVersion" ["PolicyArn", "VersionId"] "";
        DeletePolicyVersion "iam:DeletePolicyVersion" ["PolicyArn", "VersionId"] "";

        CreateRole "iam:CreateRole" ["RoleName", "Path", "AssumeRolePolicyDocument", "Description", "MaxSessionDuration"] "";
        GetRole "iam:GetRole" ["RoleName"] "";
        ListRoles "iam:ListRoles" ["PathPrefix", "Marker", "MaxItems"] "";
        UpdateAssumeRolePolicy "iam:UpdateAssumeRolePolicy" ["RoleName", "PolicyDocument"] "";
        DeleteRole "iam:DeleteRole" ["RoleName"] "a role with policies stays";
        PutRolePolicy "iam:PutRolePolicy" ["RoleName", "PolicyName", "PolicyDocument"] "";
        GetRolePolicy "iam:GetRolePolicy" ["RoleName", "PolicyName"] "";
        ListRolePolicies "iam:ListRolePolicies" ["RoleName", "Marker", "MaxItems"] "";
        DeleteRolePolicy "iam:DeleteRolePolicy" ["RoleName", "PolicyName"] "";
        AttachRolePolicy "iam:AttachRolePolicy" ["RoleName", "PolicyArn"] "";
        DetachRolePolicy "iam:DetachRolePolicy" ["RoleName", "PolicyArn"] "";
        ListAttachedRolePolicies "iam:ListAttachedRolePolicies" ["RoleName", "PathPrefix", "Marker", "MaxItems"] "";
        ListInstanceProfilesForRole "iam:ListInstanceProfilesForRole" ["RoleName", "Marker", "MaxItems"] "always empty: Terraform asks before it deletes a role";

        ListAccountAliases "iam:ListAccountAliases" ["Marker", "MaxItems"] "always empty";
    }
    Sts {
        GetCallerIdentity "" [] "also as a presigned URL";
        AssumeRole "sts:AssumeRole" ["RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "PolicyArns.member.N.arn", "ExternalId"] "the role's trust policy must allow it; not for root keys";
        GetSessionToken "" ["DurationSeconds"] "not with temporary credentials; what it gives cannot use IAM, as without MFA at AWS";
    }
    Sns {
        CreateTopic "sns:CreateTopic" ["Name", "Attributes.entry.N.key", "Attributes.entry.N.value"] "gives the topic that there is; no FIFO topics; up to 100 in an account";
        DeleteTopic "sns:DeleteTopic" ["TopicArn"] "and its subscriptions";
        ListTopics "sns:ListTopics" ["NextToken"] "";
        GetTopicAttributes "sns:GetTopicAttributes" ["TopicArn"] "";
        Subscribe "sns:Subscribe" ["TopicArn", "Protocol", "Endpoint", "ReturnSubscriptionArn", "Attributes.entry.N.key", "Attributes.entry.N.value"] "`https` and `http`, raw messages, nothing to confirm: the ARN comes at once; up to 100 in an account";
        Unsubscribe "sns:Unsubscribe" ["SubscriptionArn"] "";
        ListSubscriptions "sns:ListSubscriptions" ["NextToken"] "";
        ListSubscriptionsByTopic "sns:ListSubscriptionsByTopic" ["TopicArn", "NextToken"] "";
        GetSubscriptionAttributes "sns:GetSubscriptionAttributes" ["SubscriptionArn"] "with `BrimSigningSecret` where the caller has `brim:ReadSigningSecret` on the topic, too";
        Publish "sns:Publish" ["TopicArn", "TargetArn", "PhoneNumber", "Message", "Subject", "MessageStructure", "MessageDeduplicationId", "MessageGroupId", "MessageAttributes.entry.N.Name", "MessageAttributes.entry.N.Value.DataType", "MessageAttributes.entry.N.Value.StringValue", "MessageAttributes.entry.N.Value.BinaryValue"] "always refused: topics tell of changes in buckets alone";
    }
}

impl Api {
    const ALL: [Self; 3] = [Self::Iam, Self::Sts, Self::Sns];

    /// The API that signatures with this service in their scope are for.
    pub fn of_service(service: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.service() == service)
    }

    /// The service in the scope of signatures.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::Sns => "sns",
        }
    }

    pub const fn version(self) -> &'static str {
        match self {
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
            Self::Sns => "2010-03-31",
        }
    }

    /// The namespace of the API's answers.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Sns => "http://sns.amazonaws.com/doc/2010-03-31/",
        }
    }
}

/// The name under which requests for no known action are logged and counted.
pub const UNKNOWN: &str = "Unknown";

impl Row {
    /// Finds the action that the parameters ask `api` for.
    pub fn find(api: Api, parameters: &Parameters) -> Result<&'static Self, QueryError> {
        let Some(name) = parameters.get("Action").filter(|name| !name.is_empty()) else {
            return Err(QueryError::new(Code::MissingAction));
        };
        let version = parameters.get("Version").unwrap_or("NO_VERSION_SPECIFIED");
        let found = ROWS.iter().find(|row| row.api == api && row.action.name() == name && api.version() == version);
        found.ok_or_else(|| {
            let message = format!("Could not find operation {name} for version {version}");
            QueryError::with_message(Code::InvalidAction, message)
        })
    }

    /// Refuses parameters that would change nothing.
    pub fn refuse_others(&self, parameters: &Parameters) -> Result<(), QueryError> {
        let known = |name: &str| ["Action", "Version"].contains(&name) || self.takes(name);
        match parameters.names().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!(
                    "The parameter {name} of {} is not implemented. docs/identity-api.md lists those that are.",
                    self.action.name()
                );
                Err(QueryError::with_message(Code::NotImplemented, message))
            }
        }
    }

    /// The permission as AWS writes it in refusals.
    pub fn shown_permission(&self) -> String {
        match self.permission.strip_prefix("sns:") {
            Some(action) => format!("SNS:{action}"),
            None => self.permission.to_owned(),
        }
    }

    fn takes(&self, name: &str) -> bool {
        self.parameters.contains(&name) || self.parameters.contains(&form::pattern(name).as_str())
    }

    /// The names of all actions, and at the end that of the unknown ones: the labels of metrics.
    pub fn names() -> Vec<&'static str> {
        ROWS.iter().map(|row| row.action.name()).chain([UNKNOWN]).collect()
    }

    /// The row's place among [`Self::names`].
    pub fn index(&self) -> usize {
        ROWS.iter().position(|row| row.action == self.action).unwrap_or(ROWS.len())
    }
}

/// The table as documentation.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Identity API\n\n\
         What `aws iam`, `aws sts` and `aws sns` can ask of the S3 endpoint: AWS's query protocol, IAM of version 2010-05-08,\n\
         STS of version 2011-06-15 and SNS of version 2010-03-31, whose topics bucket notifications are sent to. Requests are\n\
         `POST /` with a form, or `GET /` with the parameters in the URL, signed with Signature Version 4 for the service\n\
         `iam`, `sts` or `sns`, in any region. Everything happens within the caller's account.\n\n\
         Made from the action table in `src/query/action.rs`; `BLESS=1 cargo test --release --lib action` writes it anew.\n\
         Other actions are answered with `400 InvalidAction`, and other parameters with `501 NotImplemented`: tags,\n\
         permissions boundaries and MFA among them. The permission is the action that a policy must allow; the account's root\n\
         needs none.\n\n\
         | API | action | permission | parameters | notes |\n| --- | --- | --- | --- | --- |\n",
    );
    for row in ROWS {
        let (api, name, note) = (row.api.service(), row.action.name(), row.note);
        let quoted: Vec<String> = row.parameters.iter().map(|name| format!("`{name}`")).collect();
        let permission = if row.permission.is_empty() { "none".to_owned() } else { format!("`{}`", row.permission) };
        page.push_str(&format!("| `{api}` | {name} | {permission} | {} | {note} |\n", quoted.join(" ")));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(body: &str) -> Parameters {
        Parameters::parse("", body.as_bytes()).unwrap()
    }

    fn refused(api: Api, body: &str) -> (Code, String) {
        let error = Row::find(api, &parameters(body)).unwrap_err();
        (error.code, error.message.into_owned())
    }

    #[test]
    fn service_action_and_version_choose_the_row() {
        let row = Row::find(Api::Sts, &parameters("Action=AssumeRole&Version=2011-06-15")).unwrap();
        assert_eq!(
            (row.action, row.response, row.result),
            (Action::AssumeRole, "AssumeRoleResponse", "AssumeRoleResult")
        );
        assert_eq!(refused(Api::Iam, "Version=2010-05-08").0, Code::MissingAction);
        assert_eq!(refused(Api::Iam, "Action=&Version=2010-05-08").0, Code::MissingAction);
        for (api, body, message) in [
            (
                Api::Iam,
                "Action=AssumeRole&Version=2010-05-08",
                "Could not find operation AssumeRole for version 2010-05-08",
            ),
            (
                Api::Sts,
                "Action=AssumeRole&Version=2010-05-08",
                "Could not find operation AssumeRole for version 2010-05-08",
            ),
            (Api::Iam, "Action=getUser&Version=2010-05-08", "Could not find operation getUser for version 2010-05-08"),
            (Api::Iam, "Action=GetUser", "Could not find operation GetUser for version NO_VERSION_SPECIFIED"),
        ] {
            assert_eq!(refused(api, body), (Code::InvalidAction, message.to_owned()));
        }
    }

    #[test]
    fn parameters_that_would_change_nothing_are_refused() {
        let row = |body| Row::find(Api::Sts, &parameters(body)).unwrap();
        let assume = "Action=AssumeRole&Version=2011-06-15&RoleArn=a&PolicyArns.member.1.arn=b";
        assert!(row(assume).refuse_others(&parameters(assume)).is_ok());
        for more in [
            "&SerialNumber=x",
            "&Tags.member.1.Key=x",
            "&PolicyArns.member.N=x",
            "&PolicyArns.member.1=x",
            "&rolearn=a",
        ] {
            let error = row(assume).refuse_others(&parameters(&format!("{assume}{more}"))).unwrap_err();
            assert_eq!(error.code, Code::NotImplemented, "{more}");
        }
    }

    #[test]
    fn permissions_are_named_like_their_actions() {
        for row in ROWS.iter().filter(|row| !row.permission.is_empty()) {
            assert_eq!(row.permission, format!("{}:{}", row.api.service(), row.action.name()));
        }
        assert_eq!(Row::names().len(), ROWS.len() + 1);
    }

    #[test]
    fn the_documentation_is_that_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/identity-api.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            markdown(),
            "docs/identity-api.md is stale: run `BLESS=1 cargo test --release --lib action`"
        );
    }
}
