//! The settings of the parts of a server, from the configuration.

use anyhow::bail;

use super::retention;
use crate::auth::KeySetTiming;
use crate::config::{self, Config};
use crate::graphql;
use crate::memory::{self, MemoryPool};
use crate::model::{ContentLimits, FileRules, ShareRules};
use crate::rate_limit::{Rate, RateLimiter};
use crate::server::{self, JobFigures};
use crate::store::{self, Process};
use crate::traces::Tracer;
use crate::webhooks::WebhookFigures;

/// The settings of the configured database.
pub fn database(config: &Config, process: Process) -> store::Settings {
    store::Settings {
        process,
        url: config.database_url(),
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        statement_timeout: config.database.statement_timeout,
        migrate: config.database.migrate,
        erasure_settle: config.erasure.settle,
        shares: ShareRules {
            is_enabled: config.shares.enabled,
            messages: config.shares.messages,
            bytes: config.shares.bytes as usize,
            shares: config.shares.per_conversation,
            while_trashed: config.shares.while_trashed,
        },
        files: files(config),
        row_level_security: match config.database.row_level_security {
            config::RowLevelSecurity::Off => store::RowLevelSecurity::Off,
            config::RowLevelSecurity::Ready => store::RowLevelSecurity::Ready,
            config::RowLevelSecurity::On => store::RowLevelSecurity::On,
        },
        writes: store::Bounds {
            workers: config.database.write_workers,
            waiting: config.database.write_queue as usize,
            bytes: config.database.write_queue_bytes as usize,
        },
    }
}

/// Where attachments are, and which are allowed.
fn files(config: &Config) -> Option<store::FileSettings> {
    let files = &config.files;
    let rules = FileRules {
        file_bytes: files.file_bytes.into(),
        owner_files: files.owner_files.into(),
        owner_bytes: i64::try_from(files.owner_bytes).unwrap_or(i64::MAX),
        media_types: files.media_types.clone(),
        link: retention::micros(files.link),
        public_url: files.public_url.clone().unwrap_or_default().trim_end_matches('/').to_owned(),
    };
    let storage = config.file_storage()?;
    Some(store::FileSettings { storage, rules: files.enabled.then_some(rules) })
}

/// How many operations an owner may begin.
pub(super) fn rate(config: &Config) -> Option<Rate> {
    let config::Rate { operations_per_minute, burst } = config.rate;
    operations_per_minute.map(|per_minute| Rate { per_minute, burst })
}

/// When keys from URLs are fetched.
pub(super) fn key_set_timing(config: &Config) -> KeySetTiming {
    let config::Auth { jwks_refresh, jwks_cooldown, jwks_keep, .. } = config.auth;
    KeySetTiming { refresh: jwks_refresh, cooldown: jwks_cooldown, keep: jwks_keep }
}

/// The limits of a request.
pub fn limits(config: &Config) -> graphql::Limits {
    let config::Limits {
        document_bytes,
        tokens,
        nesting,
        fragments,
        aliases,
        directives,
        root_fields,
        variables,
        values,
        depth,
        introspection_depth,
        introspection_lists,
        selections,
        cost,
        answer_bytes: _,
        message_bytes: _,
        metadata_bytes: _,
    } = config.limits;
    graphql::Limits {
        document_bytes,
        tokens,
        nesting,
        fragments,
        aliases,
        directives,
        root_fields,
        variables,
        values,
        depth,
        introspection_depth,
        introspection_lists,
        selections,
        cost,
        introspection: config.introspection(),
    }
}

/// The settings of the subgraph, if the server is one.
pub fn subgraph(config: &Config) -> Option<graphql::SubgraphSettings> {
    let config::Federation { enabled, representations } = config.federation;
    enabled.then_some(graphql::SubgraphSettings { representations: representations as usize })
}

/// The sizes of contents and metadata that clients may send.
pub fn content_limits(config: &Config) -> ContentLimits {
    let config::Limits { message_bytes, metadata_bytes, .. } = config.limits;
    ContentLimits {
        message_bytes: message_bytes as usize,
        metadata_bytes: metadata_bytes as usize,
        has_attachments: config.has_attachments(),
    }
}

/// The memory limits of operations.
pub(crate) fn memory(config: &Config) -> MemoryPool {
    let config::Server { memory, memory_per_owner, body_limit, message_limit, .. } = config.server;
    let requests_of_owner = (memory_per_owner / 2).max(body_limit.max(message_limit).saturating_mul(8));
    MemoryPool::new(memory::MemoryLimits {
        answer: config.limits.answer_bytes,
        owner: memory_per_owner,
        all: memory,
        requests_of_owner,
        requests: (memory / 2).max(requests_of_owner),
    })
}

/// The settings of the server.
///
/// # Errors
/// Two settings contradict each other.
pub(crate) fn server_settings(
    config: &Config,
    rate: RateLimiter,
    webhooks: WebhookFigures,
    jobs: JobFigures,
    tracer: Tracer,
) -> anyhow::Result<server::Settings> {
    let server = config.server.clone();
    if server.dead_after <= server.ping_interval {
        bail!("the setting `server.dead_after` must be longer than `server.ping_interval`");
    }
    // Text takes up to twice as many bytes as JSON, unless it is mostly control characters.
    let least = config.limits.message_bytes.saturating_mul(2);
    for (name, value) in [
        ("server.body_limit", server.body_limit),
        ("server.message_limit", server.message_limit),
        ("limits.answer_bytes", config.limits.answer_bytes),
    ] {
        if value < least {
            bail!("the setting `{name}` must be at least {least}, twice `limits.message_bytes`, got {value}");
        }
    }
    if server.drain > server.shutdown_timeout {
        bail!("the setting `server.drain` must not be longer than `server.shutdown_timeout`");
    }
    Ok(server::Settings {
        max_connections: server.max_connections as usize,
        connections_per_address: server.connections_per_address.map(|most| most.get() as usize),
        header_limit: server.header_limit as usize,
        header_timeout: server.header_timeout,
        body_limit: server.body_limit as usize,
        body_timeout: server.body_timeout,
        lingering_bytes: server.lingering_bytes.into(),
        lingering_time: server.lingering_time,
        keep_alive: server.keep_alive,
        write_timeout: server.write_timeout,
        execution_timeout: server.execution_timeout,
        init_timeout: server.init_timeout,
        message_limit: server.message_limit as usize,
        operations_per_socket: server.operations_per_socket as usize,
        sockets_per_owner: server.sockets_per_owner as usize,
        streams_per_owner: server.streams_per_owner as usize,
        ping_interval: server.ping_interval,
        dead_after: server.dead_after,
        drain: server.drain,
        shutdown_timeout: server.shutdown_timeout,
        cors_origins: server.cors_origins,
        graphiql: config.introspection(),
        shares: config.shares.enabled,
        imports: config.imports.enabled,
        openai: config.openai.enabled,
        imports_at_once: config.imports.at_once as usize,
        imports_per_owner: config.imports.per_owner as usize,
        import_bytes: config.imports.bytes,
        imports_timeout: config.imports.timeout,
        exports: config.exports.enabled,
        // The others have the rest of the connections.
        exports_at_once: config.exports.at_once.min((config.database.max_connections / 2).max(1)) as usize,
        exports_per_owner: config.exports.per_owner as usize,
        exports_timeout: config.exports.timeout,
        files: config.has_attachments(),
        uploads: config.files.uploads as usize,
        uploads_per_owner: config.files.uploads_per_owner as usize,
        share_images: config.shares.images,
        share_views: RateLimiter::new(
            config.shares.views_per_minute.map(|most| Rate { per_minute: most, burst: most }),
        ),
        rate,
        webhooks,
        jobs,
        limits: configured_limits(config),
        tracer,
        slow_operation: config.log.slow_operation,
    })
}

/// The limits that figures in metrics can reach, by the names of their settings.
fn configured_limits(config: &Config) -> Vec<(&'static str, u64)> {
    let (server, database) = (&config.server, &config.database);
    let limits = [
        ("server.max_connections", server.max_connections),
        ("server.memory", server.memory),
        ("server.memory_per_owner", server.memory_per_owner),
        ("server.sockets_per_owner", server.sockets_per_owner),
        ("server.streams_per_owner", server.streams_per_owner),
        ("database.max_connections", database.max_connections),
        ("database.write_queue", database.write_queue),
        ("database.write_queue_bytes", database.write_queue_bytes),
        ("exports.at_once", config.exports.at_once),
        ("imports.at_once", config.imports.at_once),
        ("files.uploads", config.files.uploads),
    ];
    limits.into_iter().map(|(setting, most)| (setting, u64::from(most))).collect()
}
