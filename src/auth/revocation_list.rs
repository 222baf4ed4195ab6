//! Tokens that are refused although they have not expired.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::model::{OwnerId, Revocation, RevokedTokens, Timestamp, TokenIdentity, Viewer};

/// The revocations that this process knows. Clones share them.
#[derive(Clone, Default)]
pub struct RevocationList(Arc<watch::Sender<Revoked>>);

#[derive(Default)]
struct Revoked {
    /// By `jti`, with the time until which it is needed.
    tokens: HashMap<String, Option<Timestamp>>,
    users: HashMap<OwnerId, RevokedUser>,
}

struct RevokedUser {
    issued_before: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl RevocationList {
    /// Adds revocations, and removes those that are undone or not needed any more.
    pub fn update(&self, revocations: Vec<Revocation>, now: Timestamp) {
        self.0.send_modify(|revoked| {
            for revocation in revocations {
                revoked.apply(revocation, now);
            }
            let is_needed = |until: Option<Timestamp>| until.is_none_or(|until| until > now);
            revoked.tokens.retain(|_, until| is_needed(*until));
            revoked.users.retain(|_, user| is_needed(user.until));
        });
    }

    /// Whether the token of a viewer is refused.
    pub fn refuses(&self, viewer: &Viewer) -> bool {
        self.0.borrow().refuses(viewer.subject(), &viewer.token)
    }

    /// Resolves when the token of a viewer is refused.
    pub fn refused(&self, viewer: &Viewer) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = self.0.subscribe();
        let (subject, token) = (viewer.subject().clone(), viewer.token.clone());
        async move {
            if changes.wait_for(|revoked| revoked.refuses(&subject, &token)).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Revoked {
    fn apply(&mut self, revocation: Revocation, now: Timestamp) {
        let is_active = revocation.is_active(now);
        let Revocation { tokens, issued_before, until, .. } = revocation;
        match tokens {
            RevokedTokens::Token(id) if is_active => drop(self.tokens.insert(id, until)),
            RevokedTokens::Token(id) => drop(self.tokens.remove(&id)),
            RevokedTokens::User(user) if is_active => {
                self.users.insert(user, RevokedUser { issued_before, until });
            }
            RevokedTokens::User(user) => drop(self.users.remove(&user)),
        }
    }

    fn refuses(&self, subject: &OwnerId, token: &TokenIdentity) -> bool {
        if token.id.as_ref().is_some_and(|id| self.tokens.contains_key(id)) {
            return true;
        }
        let Some(user) = self.users.get(subject) else { return false };
        match (token.issued_at, user.issued_before) {
            (Some(issued_at), Some(before)) => issued_at < before,
            // A token that does not say when it was issued can be one of those.
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn viewer(subject: &str, id: Option<&str>, issued_at: Option<i64>) -> Viewer {
        let token = TokenIdentity { id: id.map(str::to_owned), issued_at: issued_at.map(Timestamp) };
        Viewer { token, ..Viewer::new(OwnerId::new(subject).unwrap()) }
    }

    fn revocation(tokens: RevokedTokens, issued_before: Option<i64>, until: Option<i64>) -> Revocation {
        let (issued_before, until) = (issued_before.map(Timestamp), until.map(Timestamp));
        Revocation { tokens, issued_before, until, is_undone: false, created_at: NOW }
    }

    fn user(name: &str) -> RevokedTokens {
        RevokedTokens::User(OwnerId::new(name).unwrap())
    }

    #[test]
    fn tokens_are_refused_by_id_and_by_user() {
        let list = RevocationList::default();
        let token = RevokedTokens::Token("t1".into());
        list.update(vec![revocation(token, None, None), revocation(user("bob"), Some(900), None)], NOW);
        for (subject, id, issued_at, is_refused) in [
            ("ada", Some("t1"), Some(999), true),
            ("ada", Some("t2"), Some(999), false),
            ("ada", None, None, false),
            ("bob", Some("t2"), Some(899), true),
            ("bob", Some("t2"), Some(900), false),
            ("bob", None, None, true),
            ("Bob", None, None, false),
        ] {
            assert_eq!(
                list.refuses(&viewer(subject, id, issued_at)),
                is_refused,
                "{subject} {id:?} {issued_at:?}"
            );
        }
        let acting = Viewer { actor: OwnerId::new("bob").ok(), ..viewer("carl", None, Some(1)) };
        assert!(list.refuses(&acting), "the token is that of the actor");
    }

    #[test]
    fn revocations_are_undone_and_forgotten() {
        let list = RevocationList::default();
        list.update(
            vec![revocation(user("ada"), None, None), revocation(user("bob"), None, Some(1_500))],
            NOW,
        );
        let (ada, bob) = (viewer("ada", None, Some(1)), viewer("bob", None, Some(1)));
        assert!(list.refuses(&ada) && list.refuses(&bob));
        let undone = Revocation { is_undone: true, ..revocation(user("ada"), None, None) };
        list.update(vec![undone], NOW);
        assert!(!list.refuses(&ada) && list.refuses(&bob));
        list.update(Vec::new(), Timestamp(1_500));
        assert!(!list.refuses(&bob));
        assert!(list.0.borrow().users.is_empty(), "nothing of it stays in memory");
    }

    #[tokio::test]
    async fn a_waiting_viewer_is_woken() {
        let list = RevocationList::default();
        let ada = list.refused(&viewer("ada", None, Some(1)));
        let waiting = tokio::spawn(ada);
        list.update(vec![revocation(user("bob"), None, None)], NOW);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        list.update(vec![revocation(user("ada"), None, None)], NOW);
        waiting.await.unwrap();
    }
}
