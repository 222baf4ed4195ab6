//! Random appends, sequential and concurrent: the stored data must explain every result, and results that do
//! not depend on the order must be equal.

use std::collections::HashMap;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scrollback::model::{
    Append, AppendParent, ChangeKind, ConversationId, Message, MessageBody, MessageId, NewMessage,
};
use scrollback::store::Error;
use uuid::Uuid;

use super::{Database, OWNED, at_head, conversation, prepared, says};
use crate::harness::Engine;

#[derive(Clone)]
struct Request {
    owner: &'static str,
    append: Append,
}

/// Ordinary appends, forks, strangers', unknown conversations, repeats, and ids that are used for something else.
fn requests(seed: u64) -> Vec<Request> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut requests: Vec<Request> = Vec::new();
    for number in 0..150_u128 {
        if !requests.is_empty() && random.random_bool(0.15) {
            let repeated = requests[random.random_range(0..requests.len())].clone();
            requests.push(repeated);
            continue;
        }
        let count = if random.random_bool(0.2) { random.random_range(2..=3) } else { 1 };
        let message = |nth: u128, random: &mut StdRng| {
            let id = match random.random_range(0..10) {
                0..=2 => None,
                // Taken before, by one of them; of ids that will be taken; twice in one append.
                3 => Some(1000 + random.random_range(1..=4_u128)),
                4 => Some(10 * random.random_range(0..150_u128) + 10_000),
                5 => Some(9_999),
                _ => Some(10_000 + 10 * number + nth),
            };
            says(id, &format!("message {}", random.random_range(0..3)))
        };
        let messages = (0..count).map(|nth| message(nth, &mut random)).collect();
        let owner = if random.random_bool(0.8) { "ada" } else { "bob" };
        let at = if random.random_bool(0.6) { 1 } else { random.random_range(1..=5) };
        let parent = |id: u128| AppendParent::Message(MessageId(Uuid::from_u128(id + at)));
        let after = match random.random_range(0..10) {
            0 => AppendParent::Root,
            1 => parent(1000),
            2 => parent(2000),
            _ => AppendParent::Head,
        };
        requests.push(Request { owner, append: Append { after, ..at_head(at, messages) } });
    }
    requests
}

/// Checks that the stored data explains every result.
async fn explain(database: &Database, requests: &[Request], answers: &[Result<Vec<Message>, Error>]) {
    let mut stored: HashMap<MessageId, Message> = HashMap::new();
    for (number, owner) in OWNED {
        let messages = database.messages(owner, conversation(number)).await;
        let places: Vec<i64> = messages.iter().map(|message| message.position).collect();
        assert_eq!(places, (1..=messages.len() as i64).collect::<Vec<_>>());
        assert!(messages.is_sorted_by_key(|message| message.created_at));
        let row = database.of(owner).conversation(conversation(number)).await.unwrap().unwrap();
        assert_eq!((row.message_count, row.last_position), (places.len() as i64, places.len() as i64));
        stored.extend(messages.into_iter().map(|message| (message.id, message)));
    }
    let mut appended: HashMap<MessageId, &Message> = HashMap::new();
    for (Request { owner, append }, answer) in requests.iter().zip(answers) {
        let owned =
            OWNED.iter().any(|(number, of)| conversation(*number) == append.conversation && of == owner);
        let matches = |new: &NewMessage| {
            let id = new.id?;
            let Some(MessageBody::Text(content)) = &new.body else { unreachable!() };
            Some(stored.get(&id).is_some_and(|row| {
                (row.owner.as_str(), row.conversation, row.content.as_str())
                    == (*owner, append.conversation, content.as_str())
            }))
        };
        match answer {
            Err(Error::NotFound("conversation")) => assert!(!owned),
            Err(Error::Conflict) => {
                assert!(owned);
                let all_there = append.messages.iter().all(|new| matches(new) == Some(true));
                let mut ids: Vec<_> = append.messages.iter().filter_map(|new| new.id).collect();
                ids.sort();
                ids.dedup();
                assert!(!all_there || ids.len() < append.messages.len(), "it conflicts with nothing");
            }
            Err(error) => panic!("{error}"),
            Ok(messages) => {
                assert!(owned && messages.len() == append.messages.len());
                assert!(append.messages.iter().all(|new| matches(new) != Some(false)));
                let follow = |pair: &[Message]| pair[0].position + 1 == pair[1].position;
                assert!(messages.windows(2).all(follow));
                for message in messages {
                    assert_eq!(&stored[&message.id], message);
                    appended.insert(message.id, message);
                }
            }
        }
    }
    // Two messages in each from before, and a fork.
    assert_eq!(stored.len(), appended.len() + 2 * OWNED.len() + 1, "what nobody was answered is not there");
    for owner in ["ada", "bob"] {
        let changes = database.of(owner).changes(0, 10_000).await.unwrap();
        let revisions: Vec<i64> = changes.iter().map(|change| change.revision).collect();
        assert_eq!(revisions, (1..=revisions.len() as i64).collect::<Vec<_>>());
        let added = changes.iter().filter(|change| change.change.kind == ChangeKind::MessageAdded);
        let mut told: HashMap<ConversationId, i64> = HashMap::new();
        for change in added {
            let message = &stored[&change.change.message.unwrap()];
            assert_eq!((message.owner.as_str(), message.conversation), (owner, change.change.conversation));
            let last = told.insert(message.conversation, message.position).unwrap_or(0);
            assert_eq!(message.position, last + 1, "the feed tells messages in their order");
        }
        let all = stored.values().filter(|message| message.owner.as_str() == owner).count();
        assert_eq!(told.values().sum::<i64>(), all as i64);
    }
}

pub(super) async fn batched_reads_equal_single_reads(engine: Engine) {
    for seed in 0..6 {
        let requests = requests(seed);
        let alone = prepared(engine).await;
        let mut one_by_one = Vec::new();
        for request in &requests {
            one_by_one.push(alone.of(request.owner).append(request.append.clone()).await);
        }
        explain(&alone, &requests, &one_by_one).await;
        let together = prepared(engine).await;
        let append = |request: &Request| {
            let (scope, append) = (together.of(request.owner), request.append.clone());
            async move { scope.append(append).await }
        };
        let at_once = join_all(requests.iter().map(append)).await;
        explain(&together, &requests, &at_once).await;
        // Who comes first wins an id; of the others there is only one possible answer.
        let uses = |id: MessageId| {
            requests.iter().filter(|other| other.append.messages.iter().any(|new| new.id == Some(id))).count()
        };
        let mut compared = 0;
        for (request, (alone, together)) in requests.iter().zip(one_by_one.iter().zip(&at_once)) {
            let ids = request.append.messages.iter().filter_map(|new| new.id);
            if ids.clone().all(|id| id.0.as_u128() < 9_999 || uses(id) == 1) {
                assert_eq!(kind(alone), kind(together), "{:?}", request.append);
                compared += 1;
            }
        }
        assert!(compared > 30, "{compared} can be compared");
    }
}

fn kind(answer: &Result<Vec<Message>, Error>) -> String {
    answer.as_ref().map_or_else(ToString::to_string, |messages| messages.len().to_string())
}
