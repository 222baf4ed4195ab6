//! The key of the database: it signs receipts of erasures and URLs of files, and hashes the names of erased users.
//!
//! It is in the database, because every replica needs the same one. It is made when it is first needed.

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::model::hex;
use crate::model::{OwnerId, Timestamp};
use crate::store::entity::signing_key::{Column, Entity, Model};
use crate::store::error::{Error, Result};

/// The only row.
const ID: i16 = 1;

/// The key.
pub(in crate::store) struct SigningKey {
    pair: Ed25519KeyPair,
    hash: hmac::Key,
}

impl SigningKey {
    fn of(row: &Model) -> Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(&row.pkcs8).map_err(|error| {
            Error::broken(format!("the signing key of the database is not valid: {error}"))
        })?;
        Ok(Self { pair, hash: hmac::Key::new(hmac::HMAC_SHA256, &row.pkcs8) })
    }

    /// The public half, 32 bytes (RFC 8032).
    pub(in crate::store) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// A signature, 64 bytes (RFC 8032).
    pub(in crate::store) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// The key that signs URLs of files.
    pub(in crate::store) fn link_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.hash, b"\0URLs of files").as_ref())
    }

    /// What stands for an erased user: HMAC-SHA-256 in hexadecimal. Without the key nobody can find the user by trying
    /// names.
    pub(in crate::store) fn hash(&self, owner: &OwnerId) -> String {
        hex(hmac::sign(&self.hash, owner.as_str().as_bytes()).as_ref())
    }
}

/// The key, if there is one.
pub(in crate::store) async fn find(connection: &impl ConnectionTrait) -> Result<Option<SigningKey>> {
    let row = Entity::find_by_id(ID).one(connection).await?;
    row.as_ref().map(SigningKey::of).transpose()
}

/// The key. Makes it if there is none; of several processes that do so at the same time, one succeeds.
pub(in crate::store) async fn find_or_make(
    connection: &impl ConnectionTrait,
    now: Timestamp,
) -> Result<SigningKey> {
    if let Some(key) = find(connection).await? {
        return Ok(key);
    }
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| Error::broken("the system gives no random numbers".into()))?;
    let row = Model { id: ID, pkcs8: pkcs8.as_ref().to_vec(), created_at: now };
    let keep_first = OnConflict::column(Column::Id).do_nothing().to_owned();
    Entity::insert(row.into_active_model())
        .on_conflict(keep_first)
        .try_insert()
        .exec_without_returning(connection)
        .await?;
    find(connection)
        .await?
        .ok_or_else(|| Error::broken("the signing key is not there after it was written".into()))
}
