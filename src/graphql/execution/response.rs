//! Responses on their way to the client.

use async_graphql::{Response, Value};
use bytes::Bytes;

use super::error::refuse;
use super::json_writer::written_size;
use super::number::nearest_value_of;
use crate::memory::{MemoryBudget, MemoryError, MemoryReservation, UNRESERVED_BYTES};
use crate::model::JsonValue;

/// An answer that was made.
pub struct PendingResponse(Kind);

enum Kind {
    /// It is not written yet.
    Response(UnrenderedResponse),
    /// It was written when it was made, maybe for others too.
    RenderedResponse(Bytes, MemoryReservation),
}

/// A response that is not written yet, and what it may hold until then.
struct UnrenderedResponse {
    response: Response,
    memory_budget: MemoryBudget,
    most: u32,
}

/// An answer as it is sent.
pub struct RenderedResponse {
    /// Its text.
    pub bytes: Bytes,
    /// The response without its data.
    pub response: Response,
    /// Nothing was executed: the document or the request as a whole was refused.
    pub is_request_error: bool,
    /// There are only errors: a subscription has ended with it.
    pub has_failed: bool,
    /// To be kept as long as the text.
    pub held: MemoryReservation,
}

impl PendingResponse {
    pub(in crate::graphql) fn new(response: Response, memory_budget: MemoryBudget, most: u32) -> Self {
        Self(Kind::Response(UnrenderedResponse { response, memory_budget, most }))
    }

    /// Without errors, as it is sent, with what is held for it.
    pub(in crate::graphql) fn written(bytes: Bytes, held: MemoryReservation) -> Self {
        Self(Kind::RenderedResponse(bytes, held))
    }

    /// Writes it. What comes to more bytes than an answer may have, or finds no room in memory, is refused as
    /// a whole. `write` is given the most bytes it may write, and tells whether it has.
    pub async fn write(self, write: impl Fn(&mut Vec<u8>, &Response, usize) -> bool) -> RenderedResponse {
        match self.0 {
            // In a box: most of what followers wait for has been written.
            Kind::Response(unwritten) => Box::pin(unwritten.write(write)).await,
            Kind::RenderedResponse(bytes, held) => {
                let response = Response::default();
                RenderedResponse { bytes, response, is_request_error: false, has_failed: false, held }
            }
        }
    }
}

impl PendingResponse {
    /// The response as async-graphql's own transports send it, refused as a whole if it has more bytes than it may. What
    /// it held is given back.
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

/// Makes values of JSON that was written already.
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

/// Whether nothing was executed: the document or the request as a whole was refused.
pub fn is_request_error(response: &Response) -> bool {
    !response.errors.is_empty()
        && response.data == async_graphql::Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

fn has_failed(response: &Response) -> bool {
    !response.errors.is_empty() && response.data == async_graphql::Value::Null
}
