//! The responses of an operation, one after the other.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use async_graphql::Response;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

use super::error::complete;
use super::prerendered::{Sent, Telling};
use super::request_id::RequestId;
use super::response::Answer;
use super::subscription_state::Following;
use crate::memory::{Allowance, Held};

/// One response of a stream.
pub struct Event {
    /// The response. It must be written before the next event is asked for.
    pub answer: Answer,
    /// Where to resume after it, if the subscription can be.
    pub cursor: Option<Arc<str>>,
}

/// The responses of an operation: from async-graphql, until what it follows is told without it.
pub(in crate::graphql) struct Events {
    pub(in crate::graphql) source: Source,
    pub(in crate::graphql) following: Following,
    pub(in crate::graphql) allowance: Allowance,
    pub(in crate::graphql) most: u32,
    pub(in crate::graphql) request: RequestId,
}

pub(in crate::graphql) enum Source {
    /// With what is held for the request, as long as there may be another response.
    Library {
        responses: BoxStream<'static, Response>,
        _held: Held,
    },
    Telling(Telling),
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Event>> {
        loop {
            let response = match &mut self.source {
                Source::Library { responses, .. } => match responses.poll_next_unpin(task) {
                    Poll::Ready(response) => {
                        response.map(|response| (response, self.following.take_cursor()))
                    }
                    Poll::Pending => {
                        let Some(telling) = self.following.take_telling() else { return Poll::Pending };
                        self.source = Source::Telling(telling);
                        continue;
                    }
                },
                Source::Telling(telling) => match telling.events.poll_next_unpin(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(Sent { bytes, held, cursor }))) => {
                        let answer = Answer::written(bytes, held);
                        return Poll::Ready(Some(Event { answer, cursor: Some(cursor) }));
                    }
                    Poll::Ready(Some(Err(error))) => Some((telling.failure(error), None)),
                    Poll::Ready(None) => None,
                },
            };
            return Poll::Ready(response.map(|(mut response, cursor)| {
                complete(&mut response, self.request);
                let answer = Answer::new(response, self.allowance.clone(), self.most);
                Event { answer, cursor }
            }));
        }
    }
}
