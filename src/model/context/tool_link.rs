//! Calls of tools and their results, as a window needs them: which message calls, and which answers.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::model::{Part, Role, ToolState};

/// A `toolCallId`, as 8 bytes of its SHA-256: ids can be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolCallId([u8; 8]);

impl ToolCallId {
    /// Of the id that a part has.
    pub fn of(id: &str) -> Self {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&Sha256::digest(id)[..8]);
        Self(bytes)
    }
}

/// How a message takes part in a call of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolLink {
    /// It calls a tool. The result is in a later message.
    Call(ToolCallId),
    /// It calls a tool and has the result.
    AnsweredCall(ToolCallId),
    /// It has the result of a call in an earlier message.
    Result(ToolCallId),
}

/// All links of a message, one for each call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolLinks(Vec<ToolLink>);

const CALL: u8 = 1;
const ANSWERED_CALL: u8 = 2;
const RESULT: u8 = 3;

/// Bytes of a link in the database.
const LINK: usize = 9;

impl ToolLinks {
    /// Of a message with this role and these parts. Only assistants call tools; only messages of the role TOOL
    /// have results of calls in other messages.
    pub fn of(role: Role, parts: &[Part]) -> Self {
        let mut calls: BTreeMap<ToolCallId, bool> = BTreeMap::new();
        for part in parts {
            if let Part::Tool { tool_call_id, state, .. } = part {
                *calls.entry(ToolCallId::of(tool_call_id)).or_default() |= is_answer(*state);
            }
        }
        let link = |(id, is_answered)| match role {
            Role::Assistant if is_answered => Some(ToolLink::AnsweredCall(id)),
            Role::Assistant => Some(ToolLink::Call(id)),
            Role::Tool => Some(ToolLink::Result(id)),
            Role::User | Role::System => None,
        };
        Self(calls.into_iter().filter_map(link).collect())
    }

    /// The links, in no order.
    pub fn as_slice(&self) -> &[ToolLink] {
        &self.0
    }

    /// As a row of the database holds them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.0.iter().flat_map(|link| {
            let (kind, id) = match link {
                ToolLink::Call(id) => (CALL, id),
                ToolLink::AnsweredCall(id) => (ANSWERED_CALL, id),
                ToolLink::Result(id) => (RESULT, id),
            };
            std::iter::once(kind).chain(id.0)
        });
        bytes.collect()
    }

    /// What [`ToolLinks::to_bytes`] wrote. `None` when it did not write this.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let link = |link: &[u8]| {
            let (kind, id) = link.split_first()?;
            let id = ToolCallId(id.try_into().ok()?);
            match *kind {
                CALL => Some(ToolLink::Call(id)),
                ANSWERED_CALL => Some(ToolLink::AnsweredCall(id)),
                RESULT => Some(ToolLink::Result(id)),
                _ => None,
            }
        };
        bytes.chunks(LINK).map(link).collect::<Option<Vec<_>>>().map(Self)
    }
}

/// For tests of what uses links.
impl FromIterator<ToolLink> for ToolLinks {
    fn from_iter<I: IntoIterator<Item = ToolLink>>(links: I) -> Self {
        Self(links.into_iter().collect())
    }
}

fn is_answer(state: ToolState) -> bool {
    match state {
        ToolState::OutputAvailable | ToolState::OutputError | ToolState::OutputDenied => true,
        ToolState::InputStreaming
        | ToolState::InputAvailable
        | ToolState::ApprovalRequested
        | ToolState::ApprovalResponded => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(id: &str, state: ToolState) -> Part {
        let (tool_call_id, tool_name) = (id.to_owned(), "search".to_owned());
        Part::Tool {
            tool_call_id,
            tool_name,
            state,
            input: None,
            output: None,
            error_text: None,
            extra: None,
        }
    }

    #[test]
    fn links_depend_on_role_and_state() {
        let id = ToolCallId::of("a");
        let of = |role, state| ToolLinks::of(role, &[tool("a", state)]).as_slice().to_vec();
        assert_eq!(of(Role::Assistant, ToolState::InputAvailable), [ToolLink::Call(id)]);
        assert_eq!(of(Role::Assistant, ToolState::OutputError), [ToolLink::AnsweredCall(id)]);
        assert_eq!(of(Role::Tool, ToolState::OutputAvailable), [ToolLink::Result(id)]);
        assert_eq!(of(Role::User, ToolState::OutputAvailable), []);
    }

    #[test]
    fn parts_with_one_id_are_one_call() {
        let parts = [tool("a", ToolState::InputAvailable), tool("a", ToolState::OutputAvailable)];
        let id = ToolCallId::of("a");
        assert_eq!(ToolLinks::of(Role::Assistant, &parts).as_slice(), [ToolLink::AnsweredCall(id)]);
    }

    #[test]
    fn bytes_are_read_back() {
        let [a, b, c] = ["a", "b", "c"].map(ToolCallId::of);
        let links: ToolLinks =
            [ToolLink::Call(a), ToolLink::AnsweredCall(b), ToolLink::Result(c)].into_iter().collect();
        assert_eq!(ToolLinks::from_bytes(&links.to_bytes()), Some(links));
        assert_eq!(ToolLinks::from_bytes(&[]), Some(ToolLinks::default()));
        for bytes in [&[1][..], &[9; 9], &[1; 10]] {
            assert_eq!(ToolLinks::from_bytes(bytes), None);
        }
    }
}
