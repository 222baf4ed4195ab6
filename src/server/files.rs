//! The files of attachments: `PUT`, `HEAD` and `GET /files/{id}`, with URLs that the server has signed.
//!
//! A URL is the only credential. Whatever is wrong with it, the answer is the same, and the database is not asked.

pub(super) mod download;
pub(super) mod error;
mod range;
mod upload;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;

use error::FileError;

use super::state::HandlerState;
use crate::model::AttachmentId;
use crate::store::{LinkPurpose, Scoped};

/// The routes.
pub(super) fn router() -> Router<HandlerState> {
    Router::new().route("/files/{id}", get(get_file).put(put_file).head(head_file))
}

async fn get_file(
    State(state): State<HandlerState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FileError> {
    let id = check(&state, &id, query.as_deref(), LinkPurpose::Download).await?;
    let scope = owner_of(&state, id).await?;
    let file = scope.file(id).await?.ok_or_else(FileError::not_found)?;
    Ok(download::respond(file, &headers))
}

async fn put_file(
    State(state): State<HandlerState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    request: axum::extract::Request,
) -> Result<Response, FileError> {
    let id = check(&state, &id, query.as_deref(), LinkPurpose::Upload).await?;
    let scope = owner_of(&state, id).await?;
    upload::upload(&state.0, &scope, id, request).await
}

/// What GET would answer, or how far an upload is.
async fn head_file(
    State(state): State<HandlerState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, FileError> {
    let Ok(id) = check(&state, &id, query.as_deref(), LinkPurpose::Upload).await else {
        return get_file(State(state), Path(id), RawQuery(query), headers).await;
    };
    let scope = owner_of(&state, id).await?;
    let upload = scope.upload(id).await?.ok_or_else(FileError::not_found)?;
    Ok(upload::progress(StatusCode::OK, &upload))
}

/// The attachment that a signed URL names.
async fn check(
    state: &HandlerState,
    id: &str,
    query: Option<&str>,
    purpose: LinkPurpose,
) -> Result<AttachmentId, FileError> {
    let refused = || {
        FileError::new(StatusCode::FORBIDDEN, "the URL is not valid, or not valid any more: get a new one")
    };
    let id = AttachmentId::parse("id", id).map_err(|_| refused())?;
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    };
    let expires = value("expires").and_then(|text| text.parse().ok()).ok_or_else(refused)?;
    let signature = value("signature").ok_or_else(refused)?;
    let is_valid = state.0.store.is_link(purpose, id, expires, &signature).await?;
    if is_valid { Ok(id) } else { Err(refused()) }
}

/// The view of the owner of an attachment.
async fn owner_of(state: &HandlerState, id: AttachmentId) -> Result<Scoped, FileError> {
    let store = &state.0.store;
    let owner = store.attachment_owner(id).await?.ok_or_else(FileError::not_found)?;
    Ok(store.owned_by(owner))
}
