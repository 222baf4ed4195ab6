//! The same searches on PostgreSQL itself: with tsvector and GIN, and with ILIKE.

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, Connection, Executor, PgConnection};

use crate::closed_loop::Client;
use crate::corpus::{Batch, Corpus, Order, Query, QueryKind};
use crate::fill::owner_name;

const ILIKE_OF_OWNER: &str = "SELECT m.id FROM conversation AS c JOIN message AS m ON m.conversation_id = c.id \
     WHERE c.owner_id = $1";

/// Makes a table with the vectors of all texts, and its indexes.
pub(crate) async fn index(url: &str, corpus: &Corpus, batches: &[Batch]) {
    let mut connection = open(url).await;
    let create = "CREATE UNLOGGED TABLE text (id bigserial PRIMARY KEY, owner_id text NOT NULL, tsv tsvector NOT NULL)";
    connection.execute(create).await.unwrap();
    let insert =
        "INSERT INTO text (owner_id, tsv) SELECT $1, to_tsvector('simple', it) FROM unnest($2::text[]) AS it";
    for batch in batches {
        let texts = corpus.texts(*batch);
        sqlx::query(insert).bind(owner_name(batch.owner)).bind(texts).execute(&mut connection).await.unwrap();
    }
    connection.execute("SET maintenance_work_mem = '256MB'").await.unwrap();
    connection.execute("CREATE INDEX text_tsv ON text USING gin (tsv)").await.unwrap();
    connection.execute("CREATE INDEX text_owner ON text (owner_id, id)").await.unwrap();
    vacuum(url).await;
}

/// What the server does in the background sooner or later, so that it does not do it during a measurement.
pub(crate) async fn vacuum(url: &str) {
    open(url).await.execute("VACUUM ANALYZE").await.unwrap();
}

/// The bytes of the index, and of the vectors, which it needs for its order.
pub(crate) async fn index_bytes(url: &str) -> u64 {
    let sum = "SELECT pg_table_size('text') + pg_relation_size('text_tsv')";
    let bytes: i64 = sqlx::query_scalar(sum).fetch_one(&mut open(url).await).await.unwrap();
    bytes.unsigned_abs()
}

async fn open(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    // Good plans for every word: some are frequent, and some are rare.
    connection.execute("SET plan_cache_mode = force_custom_plan").await.unwrap();
    connection
}

/// A connection that searches with vectors.
pub(crate) struct FullText {
    connection: PgConnection,
    owner: String,
}

/// A connection to Scrollback's database that searches with ILIKE.
pub(crate) struct Scan(FullText);

impl FullText {
    pub(crate) async fn connect(url: &str, owner: &str) -> Self {
        Self { connection: open(url).await, owner: owner.into() }
    }

    async fn count(&mut self, sql: String, text: &[String]) -> usize {
        let mut values = PgArguments::default();
        values.add(&self.owner).unwrap();
        text.iter().for_each(|text| values.add(text).unwrap());
        let query = sqlx::query_with(AssertSqlSafe(sql), values);
        query.fetch_all(&mut self.connection).await.unwrap().len()
    }
}

impl Scan {
    pub(crate) async fn connect(url: &str, owner: &str) -> Self {
        Self(FullText::connect(url, owner).await)
    }
}

impl Client for FullText {
    async fn search(&mut self, query: &Query) -> usize {
        let (function, text) = match query.kind {
            QueryKind::Phrase => ("phraseto_tsquery", query.words.join(" ")),
            QueryKind::Prefix => ("to_tsquery", format!("{}:*", query.words[0])),
            _ => ("plainto_tsquery", query.words.join(" ")),
        };
        let parsed = format!("{function}('simple'::regconfig, $2)");
        let order = match query.order {
            Order::Relevance => format!("ts_rank(tsv, {parsed})"),
            Order::Newest => "id".into(),
        };
        let sql = format!(
            "SELECT id FROM text WHERE tsv @@ {parsed} AND owner_id = $1 ORDER BY {order} DESC LIMIT 20"
        );
        self.count(sql, &[text]).await
    }
}

impl Client for Scan {
    async fn search(&mut self, query: &Query) -> usize {
        let patterns = query.patterns();
        let matches: String =
            (2..2 + patterns.len()).map(|number| format!(" AND m.content ILIKE ${number}")).collect();
        let sql = format!("{ILIKE_OF_OWNER}{matches} ORDER BY m.created_at DESC LIMIT 20");
        self.0.count(sql, &patterns).await
    }
}
