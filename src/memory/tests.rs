use super::*;

const ANSWER: u32 = 1024 * 1024;
const MOST: usize = WORK as usize * ANSWER as usize;

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

/// Room for two of one owner and three of all.
fn memory() -> Memory {
    Memory::new(Bounds {
        answer: ANSWER,
        owner: 2 * RESERVED * ANSWER,
        all: 3 * RESERVED * ANSWER,
        requests_of_owner: 2 * ANSWER,
        requests: 3 * ANSWER,
    })
}

#[tokio::test]
async fn what_is_free_asks_nobody() {
    let memory = memory();
    let allowance = memory.allow(&owner("ada"));
    assert_eq!((allowance.take(FREE), allowance.left()), (Ok(()), 0));
    assert_eq!(allowance.take(1), Err(Refused::Unreserved));
    allowance.give_back(1);
    assert_eq!((allowance.take(1), memory.reserved()), (Ok(()), 0));
    assert!(memory.owners().is_empty() && !allowance.is_reserved() && !allowance.is_large());
}

#[tokio::test]
async fn past_it_there_is_a_reservation_and_an_end() {
    let memory = memory();
    let allowance = memory.allow(&owner("ada"));
    assert_eq!(allowance.hold(MOST).await, Ok(()));
    assert_eq!((memory.reserved(), allowance.is_large()), ((RESERVED * ANSWER) as usize, true));
    assert_eq!(allowance.clone().hold(1).await, Err(Refused::Work(ANSWER)));
    let message = "answering this takes more than 3145728 bytes of memory, 3 times the largest answer: ask \
                   for less at once";
    assert_eq!(Refused::Work(ANSWER).to_string(), message);
    drop(allowance);
    assert_eq!(memory.reserved(), 0);
    assert!(memory.owners().is_empty(), "nothing is left behind");
}

#[tokio::test]
async fn an_answer_holds_its_own_bytes_until_it_is_sent() {
    let memory = memory();
    let allowance = memory.allow(&owner("ada"));
    allowance.hold(MOST).await.unwrap();
    let held = allowance.settle(FREE + 1).await.unwrap();
    assert_eq!((memory.reserved(), held.is_counted()), (FREE + 1, true));
    assert_eq!(allowance.left(), FREE, "it begins anew");
    let small = allowance.settle(FREE).await.unwrap();
    assert!(!small.is_counted());
    drop((held, small));
    assert_eq!(memory.reserved(), 0);
    // What was made of little may be much.
    let held = allowance.settle(ANSWER as usize).await.unwrap();
    assert_eq!(memory.reserved(), ANSWER as usize);
    drop((held, allowance));
    assert!(memory.owners().is_empty());
}

#[tokio::test(start_paused = true)]
async fn owners_wait_for_their_own_share_and_leave_others_theirs() {
    let memory = memory();
    let [first, second, third] = [(); 3].map(|()| memory.allow(&owner("ada")));
    first.reserve().await.unwrap();
    second.reserve().await.unwrap();
    assert_eq!(third.reserve().await, Err(Refused::Busy));
    let other = memory.allow(&owner("bob"));
    other.reserve().await.unwrap();
    assert_eq!(memory.allow(&owner("eve")).hold(FREE + 1).await, Err(Refused::Busy), "all is taken");
    let (waited, ()) = tokio::join!(third.reserve(), async { drop(first) });
    assert_eq!(waited, Ok(()));
    // Two fields of one operation need one reservation.
    drop((second, third, other));
    let allowance = memory.allow(&owner("ada"));
    let (one, two) = tokio::join!(allowance.reserve(), allowance.reserve());
    assert_eq!((one, two, memory.reserved()), (Ok(()), Ok(()), (RESERVED * ANSWER) as usize));
}

#[tokio::test]
async fn what_the_server_does_by_itself_is_not_bounded() {
    let allowance = Allowance::default();
    assert_eq!((allowance.take(usize::MAX), allowance.left()), (Ok(()), usize::MAX));
    assert_eq!((allowance.is_reserved(), allowance.is_large()), (true, false));
    assert_eq!(allowance.reserve().await, Ok(()));
    assert!(!allowance.settle(usize::MAX).await.unwrap().is_counted());
}

#[tokio::test]
async fn an_allowance_of_its_own_has_no_more() {
    let allowance = Allowance::up_to(7);
    assert_eq!((allowance.take(7), allowance.hold(1).await), (Ok(()), Err(Refused::Unreserved)));
}

#[test]
fn large_requests_have_room_or_are_refused_at_once() {
    let memory = memory();
    let [ada, bob] = [owner("ada"), owner("bob")];
    let small = memory.take_in(&ada, FREE_OF_REQUEST).unwrap();
    assert!(!small.is_counted() && memory.owners().is_empty());
    let take = |owner: &OwnerId| memory.take_in(owner, ANSWER as usize);
    let (first, second) = (take(&ada).unwrap(), take(&ada).unwrap());
    assert_eq!(take(&ada).err(), Some(Refused::Crowded), "her share is taken");
    let third = take(&bob).unwrap();
    assert_eq!(take(&bob).err(), Some(Refused::Crowded), "all is taken");
    drop(first);
    assert!(take(&bob).is_ok_and(|held| held.is_counted()));
    assert!(memory.take_in(&bob, usize::MAX).is_err());
    assert_eq!((memory.taken_in(), memory.reserved()), (2 * ANSWER as usize, 0), "answers have their own");
    drop((second, third));
    assert!(memory.owners().is_empty(), "nothing is left behind");
}
