//! Takes files.
//!
//! What arrived is stored, however the request ends. `Upload-Offset` says how many bytes there are, and the client goes on
//! from there with `Content-Range`.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_RANGE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;
use http_body::Body as _;
use serde::Serialize;

use super::error::{FileError, UPLOAD_LENGTH, UPLOAD_OFFSET, json};
use super::range::ContentRange;
use crate::model::AttachmentId;
use crate::server::state::ServerState;
use crate::store::{self, Scoped, Upload};

/// The least bytes that a client must send within `server.body_timeout`.
const PROGRESS_BYTES: usize = 64 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    upload_offset: i64,
    upload_length: i64,
    complete: bool,
}

/// How far an upload is.
pub(super) fn progress(status: StatusCode, upload: &Upload) -> Response {
    let body = Progress {
        upload_offset: upload.received(),
        upload_length: upload.byte_size(),
        complete: upload.is_complete(),
    };
    let mut response = json(status, &body);
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(body.upload_offset));
    headers.insert(UPLOAD_LENGTH, HeaderValue::from(body.upload_length));
    response
}

/// Takes a file, or a part of it.
pub(super) async fn upload(
    state: &ServerState,
    scope: &Scoped,
    id: AttachmentId,
    request: axum::extract::Request,
) -> Result<Response, FileError> {
    let too_many = "too many uploads at once: try again later";
    let Some(_owner) = state.upload_quota.try_acquire(scope.owner()) else {
        return Err(FileError::new(StatusCode::TOO_MANY_REQUESTS, too_many));
    };
    let Ok(_permit) = state.uploads.try_acquire() else {
        return Err(FileError::new(StatusCode::SERVICE_UNAVAILABLE, too_many));
    };
    let mut upload = scope.upload(id).await?.ok_or_else(FileError::not_found)?;
    if upload.is_complete() {
        return Ok(progress(StatusCode::OK, &upload));
    }
    let (start, end) = sent(&request, &upload)?;
    let received = upload.received();
    if start > received {
        let message = format!("bytes {received} to {start} are missing: go on at byte {received}");
        return Err(FileError::new(StatusCode::CONFLICT, message).at(received));
    }
    let skip = received - start;
    match take(state, &mut upload, request.into_body(), (end - start, skip)).await {
        Ok(()) => {}
        Err(fault) if fault.is_conflict() => return moved(scope, id).await,
        Err(fault) => {
            // What arrived is kept.
            let flushed = upload.flush().await;
            let fault = flushed.err().map_or(fault, FileError::from);
            return Err(fault.at(upload.received()));
        }
    }
    match upload.finish().await {
        Ok(()) if upload.is_complete() => Ok(progress(StatusCode::OK, &upload)),
        Ok(()) => Ok(progress(StatusCode::ACCEPTED, &upload)),
        Err(store::Error::UploadMoved) => moved(scope, id).await,
        Err(error) => Err(FileError::from(error).at(upload.received())),
    }
}

/// Another upload of the same file was faster. If it was the last part, both have succeeded.
async fn moved(scope: &Scoped, id: AttachmentId) -> Result<Response, FileError> {
    let upload = scope.upload(id).await?.ok_or_else(FileError::not_found)?;
    if upload.is_complete() {
        return Ok(progress(StatusCode::OK, &upload));
    }
    Err(FileError::from(store::Error::UploadMoved).at(upload.received()))
}

/// The bytes of the file that the request has.
fn sent(request: &axum::extract::Request, upload: &Upload) -> Result<(i64, i64), FileError> {
    let bad = |message: String| FileError::new(StatusCode::BAD_REQUEST, message).at(upload.received());
    let size = upload.byte_size();
    let (start, end) = match request.headers().get(CONTENT_RANGE) {
        None => (0, size),
        Some(value) => match ContentRange::parse(value.to_str().unwrap_or_default(), size).map_err(bad)? {
            ContentRange::None => (upload.received(), upload.received()),
            ContentRange::Bytes(start, end) => (start, end),
        },
    };
    let length = request.body().size_hint().exact().and_then(|length| i64::try_from(length).ok());
    match length {
        Some(length) if length > end - start && request.headers().get(CONTENT_RANGE).is_none() => {
            Err(FileError::from(store::Error::TooManyBytes(size)).at(upload.received()))
        }
        Some(length) if length != end - start => {
            let rule = format!("the body must have {} bytes, has {length}", end - start);
            Err(bad(rule))
        }
        _ => Ok((start, end)),
    }
}

/// Reads the body: `length` bytes, of which the first `skip` are stored already.
async fn take(
    state: &ServerState,
    upload: &mut Upload,
    body: Body,
    (length, skip): (i64, i64),
) -> Result<(), FileError> {
    let timeout = state.settings.body_timeout;
    let mut chunks = body.into_data_stream();
    let mut read = 0_i64;
    let mut deadline = tokio::time::Instant::now() + timeout;
    let mut since_deadline = 0;
    loop {
        let next = tokio::select! {
            next = tokio::time::timeout_at(deadline, chunks.next()) => next.map_err(|_| too_slow(timeout))?,
            () = state.abort.cancelled() => {
                return Err(FileError::new(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down"));
            }
        };
        let Some(chunk) = next else { break };
        let incomplete = "the body ended before its end";
        let bytes = chunk.map_err(|_| FileError::new(StatusCode::BAD_REQUEST, incomplete))?;
        since_deadline += bytes.len();
        if since_deadline >= PROGRESS_BYTES {
            (deadline, since_deadline) = (tokio::time::Instant::now() + timeout, 0);
        }
        let begin = read;
        read += i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if read > length {
            return Err(store::Error::TooManyBytes(upload.byte_size()).into());
        }
        let new = usize::try_from(Ord::max(skip - begin, 0)).unwrap_or(usize::MAX);
        if new < bytes.len() {
            upload.write(bytes.slice(new..)).await?;
        }
    }
    if read < length {
        let rule = format!("the body must have {length} bytes, has {read}");
        return Err(FileError::new(StatusCode::BAD_REQUEST, rule));
    }
    Ok(())
}

fn too_slow(timeout: Duration) -> FileError {
    let time = humantime::format_duration(timeout);
    FileError::new(
        StatusCode::REQUEST_TIMEOUT,
        format!("at least {PROGRESS_BYTES} bytes must arrive in {time}"),
    )
}
