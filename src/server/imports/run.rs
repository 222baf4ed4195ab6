//! Imports a body.

use std::sync::Arc;

use axum::http::StatusCode;

use super::body::{BodyFault, BodyReader};
use super::parameters::Parameters;
use crate::graphql::Code;
use crate::import::{Import, ImportError, ImportOptions, Observer, Report, Sources};
use crate::model::Viewer;
use crate::server::refusal::Refusal;
use crate::server::state::ServerState;

/// The largest conversation, and the largest line of an export of Scrollback, in bytes of JSON.
const CONVERSATION_BYTES: usize = 32 * 1024 * 1024;

/// What errors call the body.
const BODY: &str = "the body";

/// An import of a body.
pub(super) struct Run {
    pub(super) shared: Arc<ServerState>,
    pub(super) viewer: Viewer,
    pub(super) parameters: Parameters,
}

impl Run {
    /// Imports, within the limits of time.
    pub(super) async fn to_end(
        &self,
        reader: BodyReader,
        fault: BodyFault,
        observer: &mut impl Observer,
    ) -> Result<Report, Refusal> {
        let timeout = self.shared.settings.imports_timeout;
        let imported = tokio::select! {
            imported = self.import(reader, observer) => imported,
            () = self.shared.abort.cancelled() => {
                return Err(Refusal::unavailable("the server is shutting down: import again"));
            }
            () = tokio::time::sleep(timeout) => {
                let time = humantime::format_duration(timeout);
                return Err(Refusal::unavailable(format!("the import exceeded `imports.timeout` ({time}): import again")));
            }
        };
        match (fault.take(), imported) {
            (Some(fault), _) => Err(fault),
            (None, imported) => imported,
        }
    }

    async fn import(&self, reader: BodyReader, observer: &mut impl Observer) -> Result<Report, Refusal> {
        // It reads the first bytes, and the whole of an archive.
        let sources = tokio::task::spawn_blocking(move || Sources::of_stream(BODY, Box::new(reader)));
        let sources = sources.await.map_err(|error| Refusal::internal(&error))?.map_err(refused)?;
        let Self { shared, viewer, parameters } = self;
        let options = ImportOptions {
            owner: viewer.owner.clone(),
            format: parameters.format,
            limits: shared.api.content_limits(),
            conversation_bytes: CONVERSATION_BYTES,
            clock: shared.clock.clone(),
        };
        let import = Import::start(sources, options).map_err(refused)?;
        if parameters.dry_run {
            return import.check(observer).await.map_err(refused);
        }
        let scope = shared.store.viewed_by(viewer);
        import.write(async || Ok(scope), observer).await.map_err(refused)
    }
}

fn refused(error: ImportError) -> Refusal {
    match error {
        ImportError::Store(error) => error.into(),
        ImportError::NotUsable(..) => {
            Refusal::Other(StatusCode::UNPROCESSABLE_ENTITY, Code::BadUserInput, error.to_string())
        }
        ImportError::File(..) | ImportError::Report(_) => Refusal::internal(&error),
    }
}
