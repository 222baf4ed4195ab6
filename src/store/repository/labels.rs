//! The rows that find conversations by label. The labels of a conversation are in its own row.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::model::{ConversationId, Label, LabelCount, Labels, OwnerId};
use crate::store::entity::conversation_label::Column::{
    ConversationId as Conversation, Label as Text, LabelKey, OwnerId as Owner, Trashed,
};
use crate::store::entity::{conversation, conversation_label};
use crate::store::error::Result;
use crate::store::scope::Scoped;
use crate::store::transaction::Tx;

/// The most labels that are counted at once.
const MAX_COUNTED: u64 = 1000;

/// Up to so many conversations with a label are read before they are sorted.
const FEW: u64 = 500;

/// A label and the number of conversations that have it.
#[derive(FromQueryResult)]
struct Counted {
    label: String,
    conversations: i64,
}

impl Scoped {
    /// The labels of the owner's conversations, in the order of their keys, without those that only conversations in the
    /// trash have. Of several spellings, the one that sorts first. Of more than 1,000 labels, those that most
    /// conversations have.
    pub async fn labels(&self) -> Result<Vec<LabelCount>> {
        let counted = conversation_label::Entity::find()
            .select_only()
            .column_as(Text.min(), "label")
            .column_as(Conversation.count(), "conversations")
            .filter(Owner.eq(self.owner.clone()))
            .filter(Trashed.eq(false))
            .group_by(LabelKey)
            .order_by_desc(Conversation.count())
            .order_by_asc(LabelKey)
            .limit(MAX_COUNTED)
            .into_model::<Counted>()
            .all(&self.reader())
            .await?;
        let label = |counted: Counted| {
            let Counted { label, conversations } = counted;
            (fold::caseless(&label), LabelCount { label, conversations })
        };
        let labels: BTreeMap<_, _> = counted.into_iter().map(label).collect();
        Ok(labels.into_values().collect())
    }
}

/// The conversations with a label.
pub(super) enum Labelled {
    /// These.
    Few(BTreeSet<ConversationId>),
    /// Those that this condition is true for. There are too many to sort them first.
    Many(Expr),
}

/// The conversations of this owner that have a label.
///
/// PostgreSQL cannot know how many there are. For a frequent label it would read all and sort them, and for a rare one
/// walk the whole list. So the few are read first, and for the many it is made to walk the list: it does not join a
/// subquery that has an OFFSET.
pub(super) async fn labelled(scope: &Scoped, label: &Label) -> Result<Labelled> {
    let few = conversation_label::Entity::find()
        .select_only()
        .column(Conversation)
        .filter(Owner.eq(scope.owner.clone()))
        .filter(LabelKey.eq(label.key()))
        .limit(FEW + 1);
    let few: Vec<ConversationId> = few.into_tuple().all(&scope.reader()).await?;
    if few.len() as u64 <= FEW {
        return Ok(Labelled::Few(few.into_iter().collect()));
    }
    let mut label_of_row = Query::select();
    label_of_row
        .expr(Expr::val(1_i32))
        .from(conversation_label::Entity)
        .and_where(Owner.eq(scope.owner.clone()))
        .and_where(LabelKey.eq(label.key()))
        .and_where(Conversation.into_expr().equals((conversation::Entity, conversation::Column::Id)));
    if scope.backend() == DbBackend::Postgres {
        label_of_row.offset(0);
    }
    Ok(Labelled::Many(Expr::exists(label_of_row)))
}

/// The conversations of this owner that have one of these labels.
pub(in crate::store) async fn having_one_of(
    connection: &impl ConnectionTrait,
    owner: &OwnerId,
    labels: &[Label],
) -> Result<Vec<ConversationId>> {
    let select = conversation_label::Entity::find()
        .select_only()
        .column(Conversation)
        .filter(Owner.eq(owner.clone()))
        .filter(LabelKey.is_in(labels.iter().map(Label::key)));
    Ok(select.into_tuple().all(connection).await?)
}

/// Makes the rows follow the labels of a conversation.
pub(super) async fn replace(
    tx: &Tx,
    owner: &OwnerId,
    conversation: ConversationId,
    (before, after): (&Labels, &Labels),
    trashed: bool,
) -> Result<()> {
    remove_all(tx, owner, conversation, before).await?;
    let rows: Vec<_> = after
        .iter()
        .map(|label| {
            conversation_label::Model {
                owner_id: owner.clone(),
                label_key: label.key().to_owned(),
                conversation_id: conversation,
                label: label.as_str().to_owned(),
                trashed,
            }
            .into_active_model()
        })
        .collect();
    if !rows.is_empty() {
        conversation_label::Entity::insert_many(rows).exec_without_returning(tx.connection()).await?;
    }
    Ok(())
}

/// Removes the rows of a conversation.
pub(super) async fn remove(tx: &Tx, owner: &OwnerId, row: &conversation::Model) -> Result<()> {
    remove_all(tx, owner, row.id, &Labels::stored(row.labels.clone())).await
}

async fn remove_all(tx: &Tx, owner: &OwnerId, conversation: ConversationId, labels: &Labels) -> Result<()> {
    let keys: Vec<&str> = labels.iter().map(Label::key).collect();
    if keys.is_empty() {
        return Ok(());
    }
    conversation_label::Entity::delete_many()
        .filter(Owner.eq(owner.clone()))
        .filter(LabelKey.is_in(keys))
        .filter(Conversation.eq(conversation))
        .exec(tx.connection())
        .await?;
    Ok(())
}
