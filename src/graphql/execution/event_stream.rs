//! The stream of an operation's responses.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use async_graphql::Response;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

use super::error::complete;
use super::prerendered::{PrerenderedStream, RenderedEvent};
use super::request_id::RequestId;
use super::response::PendingResponse;
use super::subscription_state::SubscriptionState;
use crate::memory::{MemoryBudget, MemoryReservation};

/// One response of a stream.
pub struct StreamedResponse {
    /// The response. It must be written before the next event is polled.
    pub answer: PendingResponse,
    /// The cursor to resume from, if the subscription has one.
    pub cursor: Option<Arc<str>>,
}

/// The responses of an operation: from async-graphql until the events are prerendered.
pub(in crate::graphql) struct ResponseStream {
    pub(in crate::graphql) source: ResponseSource,
    pub(in crate::graphql) subscription: SubscriptionState,
    pub(in crate::graphql) memory_budget: MemoryBudget,
    pub(in crate::graphql) most: u32,
    pub(in crate::graphql) request: RequestId,
}

pub(in crate::graphql) enum ResponseSource {
    /// The responses of async-graphql, with the memory reservation of the request.
    Library {
        responses: BoxStream<'static, Response>,
        _held: MemoryReservation,
    },
    Prerendered(PrerenderedStream),
}

impl Stream for ResponseStream {
    type Item = StreamedResponse;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<StreamedResponse>> {
        loop {
            let response = match &mut self.source {
                ResponseSource::Library { responses, .. } => match responses.poll_next_unpin(task) {
                    Poll::Ready(response) => {
                        response.map(|response| (response, self.subscription.take_cursor()))
                    }
                    Poll::Pending => {
                        let Some(prerendered) = self.subscription.take_prerendered() else {
                            return Poll::Pending;
                        };
                        self.source = ResponseSource::Prerendered(prerendered);
                        continue;
                    }
                },
                ResponseSource::Prerendered(prerendered) => match prerendered.events.poll_next_unpin(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(RenderedEvent { bytes, held, cursor }))) => {
                        let answer = PendingResponse::written(bytes, held);
                        return Poll::Ready(Some(StreamedResponse { answer, cursor: Some(cursor) }));
                    }
                    Poll::Ready(Some(Err(error))) => Some((prerendered.failure(error), None)),
                    Poll::Ready(None) => None,
                },
            };
            return Poll::Ready(response.map(|(mut response, cursor)| {
                complete(&mut response, self.request);
                let answer = PendingResponse::new(response, self.memory_budget.clone(), self.most);
                StreamedResponse { answer, cursor }
            }));
        }
    }
}
