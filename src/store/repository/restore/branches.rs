//! The branches of a conversation, computed from the parents of its messages.

use std::collections::HashMap;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: i64,
    /// None before the conversation first forked.
    pub(super) branch: Option<i64>,
    /// None on the trunk.
    pub(super) parent_position: Option<i64>,
}

/// A branch that a message opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenedBranch {
    pub(super) branch: i64,
    pub(super) parent_branch: i64,
    pub(super) fork_position: i64,
}

/// The branches after some messages. The rules are those of `repository::append`.
#[derive(Debug, Default)]
pub(super) struct Branches {
    last: i64,
    /// The last message of the trunk, once there are branches.
    trunk: i64,
    opened: i64,
    /// The branches of messages that have one, and the last message of each branch.
    of_messages: HashMap<i64, i64>,
    ends: HashMap<i64, i64>,
}

impl Branches {
    /// The branches of a conversation that is there. `messages` are the positions and branches of its messages.
    pub(super) fn of(
        (last, trunk, opened): (i64, i64, i64),
        messages: impl Iterator<Item = (i64, Option<i64>)>,
    ) -> Self {
        let mut branches = Self { last, trunk, opened, ..Self::default() };
        for (position, branch) in messages.filter_map(|(position, branch)| Some((position, branch?))) {
            branches.of_messages.insert(position, branch);
            let end = branches.ends.entry(branch).or_default();
            *end = position.max(*end);
        }
        branches
    }

    /// The position of the last message.
    pub(super) fn last_position(&self) -> i64 {
        self.last
    }

    /// How many branches were opened.
    pub(super) fn opened(&self) -> i64 {
        self.opened
    }

    /// The last message of the trunk. 0 without branches.
    pub(super) fn trunk(&self) -> i64 {
        self.trunk
    }

    /// The branch of a message. `None`: there is no such message. A conversation without messages has the head 0.
    pub(super) fn branch_of(&self, position: i64) -> Option<Option<i64>> {
        let is_there = (1..=self.last).contains(&position) || (position == 0 && self.last == 0);
        is_there.then(|| self.of_messages.get(&position).copied())
    }

    /// Adds the next message after a parent, which must be there, or is 0 for a first message.
    pub(super) fn place(&mut self, parent: i64) -> (Place, Option<OpenedBranch>) {
        let position = self.last + 1;
        let parent_branch = self.of_messages.get(&parent).copied();
        let trunk = if self.opened == 0 { self.last } else { self.trunk };
        let end_of_branch = self.ends.get(&parent_branch.unwrap_or(0)).copied().unwrap_or(0);
        let has_successor =
            (parent_branch.is_none() && parent < trunk) || (self.opened > 0 && end_of_branch > parent);
        let mut opened = None;
        let branch = if has_successor {
            self.opened += 1;
            let parent_branch = parent_branch.unwrap_or(0);
            opened = Some(OpenedBranch { branch: self.opened, parent_branch, fork_position: parent });
            Some(self.opened)
        } else {
            (self.opened > 0).then_some(parent_branch.unwrap_or(0))
        };
        self.trunk = if self.opened == 0 { 0 } else { trunk };
        self.last = position;
        if let Some(branch) = branch {
            self.of_messages.insert(position, branch);
            self.ends.insert(branch, position);
        }
        (Place { position, branch, parent_position: branch.map(|_| parent) }, opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_after_the_last_one_are_the_trunk() {
        let mut branches = Branches::default();
        for parent in 0..3 {
            let (place, opened) = branches.place(parent);
            assert_eq!(place, Place { position: parent + 1, branch: None, parent_position: None });
            assert_eq!(opened, None);
        }
        assert_eq!((branches.opened(), branches.trunk(), branches.branch_of(3)), (0, 0, Some(None)));
        assert_eq!((branches.branch_of(4), branches.branch_of(0)), (None, None));
    }

    #[test]
    fn another_answer_opens_a_branch_and_is_continued_on_it() {
        let mut branches = Branches::default();
        branches.place(0);
        branches.place(1);
        let (place, opened) = branches.place(1);
        assert_eq!(opened, Some(OpenedBranch { branch: 1, parent_branch: 0, fork_position: 1 }));
        assert_eq!(place, Place { position: 3, branch: Some(1), parent_position: Some(1) });
        assert_eq!(branches.place(3).0.branch, Some(1));
        // The trunk goes on, and then forks again, behind its last message before the first fork.
        assert_eq!(
            branches.place(2),
            (Place { position: 5, branch: Some(0), parent_position: Some(2) }, None)
        );
        let opened = branches.place(2).1;
        assert_eq!(opened, Some(OpenedBranch { branch: 2, parent_branch: 0, fork_position: 2 }));
        assert_eq!((branches.opened(), branches.trunk()), (2, 2));
    }
}
