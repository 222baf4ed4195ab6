//! Responses of operations.

use async_graphql::{Response, Value};
use bytes::Bytes;

use super::error::refuse;
use super::json_writer::written_size;
use super::number::nearest_value_of;
use crate::memory::{MemoryBudget, MemoryError, MemoryReservation, UNRESERVED_BYTES};
use crate::model::JsonValue;

/// A response that is not sent yet.
pub struct PendingResponse(Kind);

enum Kind {
    /// Values that are not rendered yet.
    Response(UnrenderedResponse),
    /// A prerendered event, possibly shared by several subscribers.
    RenderedResponse(Bytes, MemoryReservation),
}

/// A response that is not rendered yet, and its memory budget.
struct UnrenderedResponse {
    response: Response,
    memory_budget: MemoryBudget,
    most: u32,
}

/// A response as it is sent.
pub struct RenderedResponse {
    /// The JSON.
    pub bytes: Bytes,
    /// The response without data.
    pub response: Response,
    /// Whether nothing was executed because the request was rejected.
    pub is_request_error: bool,
    /// Whether there are only errors, which end a subscription.
    pub has_failed: bool,
    /// The memory reservation, to be kept as long as the JSON.
    pub held: MemoryReservation,
}

impl PendingResponse {
    pub(in crate::graphql) fn new(response: Response, memory_budget: MemoryBudget, most: u32) -> Self {
        Self(Kind::Response(UnrenderedResponse { response, memory_budget, most }))
    }

    /// A prerendered response without errors.
    pub(in crate::graphql) fn written(bytes: Bytes, held: MemoryReservation) -> Self {
        Self(Kind::RenderedResponse(bytes, held))
    }

    /// Renders the response. If it exceeds the size limit or its memory cannot be reserved, the whole
    /// response becomes an error. `write` gets the size limit and returns whether the response fits.
    pub async fn write(self, write: impl Fn(&mut Vec<u8>, &Response, usize) -> bool) -> RenderedResponse {
        match self.0 {
            // Boxed, because most events of subscriptions are prerendered.
            Kind::Response(unwritten) => Box::pin(unwritten.write(write)).await,
            Kind::RenderedResponse(bytes, held) => {
                let response = Response::default();
                RenderedResponse { bytes, response, is_request_error: false, has_failed: false, held }
            }
        }
    }
}

impl PendingResponse {
    /// The response for transports of async-graphql, replaced by an error if it exceeds the size limit. Its
    /// memory is released.
    pub(in crate::graphql) fn into_response(self) -> Response {
        let (mut response, most) = match self.0 {
            Kind::Response(UnrenderedResponse { response, most, .. }) => (response, most),
            Kind::RenderedResponse(bytes, _) => {
                let data = match JsonValue::read(&bytes) {
                    Ok(JsonValue::Object(mut fields)) => fields.swap_remove("data"),
                    _ => None,
                };
                (Response::new(data.map_or(Value::Null, nearest_value_of)), u32::MAX)
            }
        };
        if written_size(&response.data) > most as usize {
            refuse(&mut response, MemoryError::ResponseTooLarge(most));
        }
        make_plain(&mut response.data);
        response
    }
}

/// Converts rendered JSON to values.
fn make_plain(value: &mut Value) {
    match value {
        Value::Binary(text) => *value = JsonValue::read(text).map_or(Value::Null, nearest_value_of),
        Value::List(items) => items.iter_mut().for_each(make_plain),
        Value::Object(fields) => fields.values_mut().for_each(make_plain),
        _ => {}
    }
}

impl UnrenderedResponse {
    async fn write(mut self, write: impl Fn(&mut Vec<u8>, &Response, usize) -> bool) -> RenderedResponse {
        let (size, most) = (written_size(&self.response.data), self.most as usize);
        let mut bytes = Vec::new();
        match self.make_room(size, most).await {
            Ok(()) => bytes.reserve(size + 64),
            Err(refused) => refuse(&mut self.response, refused),
        }
        if !write(&mut bytes, &self.response, most) {
            refuse(&mut self.response, MemoryError::ResponseTooLarge(self.most));
            bytes = Vec::new();
            write(&mut bytes, &self.response, usize::MAX);
        }
        let held = match self.memory_budget.keep_response(bytes.len()).await {
            Ok(held) => held,
            Err(refused) => {
                refuse(&mut self.response, refused);
                bytes = Vec::new();
                write(&mut bytes, &self.response, usize::MAX);
                MemoryReservation::default()
            }
        };
        let (is_request_error, has_failed) = (is_request_error(&self.response), has_failed(&self.response));
        let Self { mut response, .. } = self;
        response.data = async_graphql::Value::Null;
        RenderedResponse { bytes: bytes.into(), response, is_request_error, has_failed, held }
    }

    async fn make_room(&self, size: usize, most: usize) -> Result<(), MemoryError> {
        match size {
            size if size > most => Err(MemoryError::ResponseTooLarge(self.most)),
            size if size > UNRESERVED_BYTES => self.memory_budget.reserve().await,
            _ => Ok(()),
        }
    }
}

/// Whether nothing was executed because the request was rejected.
pub fn is_request_error(response: &Response) -> bool {
    !response.errors.is_empty()
        && response.data == async_graphql::Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

fn has_failed(response: &Response) -> bool {
    !response.errors.is_empty() && response.data == async_graphql::Value::Null
}
